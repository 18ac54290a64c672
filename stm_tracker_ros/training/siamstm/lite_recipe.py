"""The recipe of `siamstm_lite`: one template, searched in stills made to move and in videos."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.trackers.siamstm import build
from stm_tracker_ros.trackers.siamstm.config import LITE, LiteNetworkConfig
from stm_tracker_ros.trackers.siamstm.lite_network import ENCODER, LiteNetwork
from stm_tracker_ros.training import feature_cache, outcome, published, similar, validation
from stm_tracker_ros.training.loop import Loop, Weights
from stm_tracker_ros.training.siamstm.cached import drawn
from stm_tracker_ros.training.siamstm.config import LiteTrainConfig
from stm_tracker_ros.training.siamstm.lite_task import LiteTask, of_sample
from stm_tracker_ros.training.siamstm.sampler import outlined_sampler
from stm_tracker_ros.training.start import load_part, load_start

DEFAULTS = LiteTrainConfig()


def train(data: Path, out: Path, device: torch.device, config: LiteTrainConfig) -> None:
    """Train in the folder `out`; a second phase names the first one's weights in `start_from`."""
    torch.manual_seed(config.seed)
    network = LiteNetwork(config.network)
    if config.start_from:
        load_start(network, Path(config.start_from), "siamstm_lite")
    elif config.start_encoder:
        load_part(network, Path(config.start_encoder), ("stmtrack_lite", "siamstm_lite"), ENCODER)
    else:
        published.fill(network.backbone, network.config.backbone, config.backbone_weights)
    similar.packed(data, out / "pack", config.sampler, network.backbone, device)
    drawn_by = partial(_drawn_by, network, out / "pack", config)
    validate = partial(_validate, shape=config.network, data=data, device=device)
    with feature_cache.made(out, config.cached_samples, config.renewed, config, drawn_by) as cache:
        loop = Loop(LiteTask(network, out / "pack", cache, config, device), out, config, device)
        outcome.run(loop, "siamstm_lite", config.network, validate, data)


def _drawn_by(network: LiteNetwork, packed: Path, config: LiteTrainConfig, seed: int) -> feature_cache.Draw:
    encoder = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    sampler = outlined_sampler(packed, config.sampler, network.config.crop_size, seed)
    return drawn(sampler, partial(of_sample, encoder))


def _validate(weights: Weights, shape: LiteNetworkConfig, data: Path, device: torch.device) -> dict[str, float]:
    flown = LiteNetwork(shape)
    flown.load_state_dict(weights)
    return validation.score(build.tracker(flown, InferenceRuntime(device=device), LITE), data)
