"""The recipe of `dmv_lite`: a small network on clips that it remembers itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.trackers.dmv import build
from stm_tracker_ros.trackers.dmv.config import LITE, LiteNetworkConfig
from stm_tracker_ros.trackers.dmv.lite_network import LiteNetwork
from stm_tracker_ros.training import feature_cache, outcome, published, similar, validation
from stm_tracker_ros.training.dmv.config import LiteTrainConfig
from stm_tracker_ros.training.dmv.lite_task import ENCODER, LiteTask
from stm_tracker_ros.training.dmv.task import sampler
from stm_tracker_ros.training.loop import Loop, Weights
from stm_tracker_ros.training.sampler import Sampler
from stm_tracker_ros.training.start import load_part, load_start

DEFAULTS = LiteTrainConfig()


def train(data: Path, out: Path, device: torch.device, config: LiteTrainConfig) -> None:
    """Train in the folder `out`; a second phase names the first one's weights in `start_from`."""
    torch.manual_seed(config.seed)
    network = LiteNetwork(config.network)
    if config.start_from:
        load_start(network, Path(config.start_from), "dmv_lite")
    elif config.start_encoder:
        load_part(network, Path(config.start_encoder), ("stmtrack_lite", "dmv_lite"), (*ENCODER, "key."))
    else:
        published.fill(network.backbone, network.config.backbone, config.backbone_weights)
    similar.packed(data, out / "pack", config.sampler, network.backbone, device)
    drawn_by = partial(_drawn_by, network, out / "pack", config)
    validate = partial(_validate, shape=config.network, data=data, device=device)
    with feature_cache.made(out, config.cached_samples, config.renewed, config, drawn_by) as cache:
        loop = Loop(LiteTask(network, out / "pack", cache, config, device), out, config, device)
        outcome.run(loop, "dmv_lite", config.network, validate, data)


def _drawn_by(network: LiteNetwork, packed: Path, config: LiteTrainConfig, seed: int) -> feature_cache.Draw:
    encoder = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return partial(_drawn, sampler(packed, config, seed), encoder)


def _drawn(samples: Sampler, encoder: LiteNetwork) -> dict[str, NDArray[Any]]:
    sample = samples.sample()
    features = encoder.encode(torch.from_numpy(sample.crops).permute(0, 3, 1, 2))
    return {"features": feature_cache.stored(features), "boxes": sample.boxes, "states": sample.states}


def _validate(weights: Weights, shape: LiteNetworkConfig, data: Path, device: torch.device) -> dict[str, float]:
    flown = LiteNetwork(shape)
    flown.load_state_dict(weights)
    return validation.score(build.tracker(flown, InferenceRuntime(device=device), LITE), data)
