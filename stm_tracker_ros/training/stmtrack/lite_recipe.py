"""The recipe of `stmtrack_lite`: a small network on stills made to move and on videos."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.trackers.stmtrack import build
from stm_tracker_ros.trackers.stmtrack.config import LITE, LiteNetworkConfig
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork
from stm_tracker_ros.training import outcome, published, similar, validation
from stm_tracker_ros.training.loop import Loop, Weights
from stm_tracker_ros.training.start import load_start
from stm_tracker_ros.training.stmtrack.config import LiteTrainConfig
from stm_tracker_ros.training.stmtrack.lite_task import LiteTask

DEFAULTS = LiteTrainConfig()


def train(data: Path, out: Path, device: torch.device, config: LiteTrainConfig) -> None:
    """Train in the folder `out`; a second phase names the first one's weights in `start_from`."""
    torch.manual_seed(config.seed)
    network = LiteNetwork(config.network)
    if config.start_from:
        load_start(network, Path(config.start_from), "stmtrack_lite")
    else:
        published.fill(network.backbone, network.config.backbone, config.backbone_weights)
    similar.packed(data, out / "pack", config.sampler, network.backbone, device)
    loop = Loop(LiteTask(network, out / "pack", config, device), out, config, device)
    validate = partial(_validate, shape=config.network, data=data, device=device)
    outcome.run(loop, "stmtrack_lite", config.network, validate, data)


def _validate(weights: Weights, shape: LiteNetworkConfig, data: Path, device: torch.device) -> dict[str, float]:
    flown = LiteNetwork(shape)
    flown.load_state_dict(weights)
    return validation.score(build.tracker(flown, InferenceRuntime(device=device), LITE), data)
