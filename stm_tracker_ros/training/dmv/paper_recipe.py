"""The recipe of `dmv`, the paper's network: an ImageNet ResNet, all of it trained by SGD."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.trackers.dmv import build
from stm_tracker_ros.trackers.dmv.config import PAPER, PaperNetworkConfig
from stm_tracker_ros.trackers.dmv.paper_network import PaperNetwork
from stm_tracker_ros.training import outcome, published, similar, validation
from stm_tracker_ros.training.dmv.config import PaperTrainConfig
from stm_tracker_ros.training.dmv.paper_task import PaperTask
from stm_tracker_ros.training.loop import Loop, Weights
from stm_tracker_ros.training.start import load_start

DEFAULTS = PaperTrainConfig()
LAST_STAGE = "layer4."


def train(data: Path, out: Path, device: torch.device, config: PaperTrainConfig) -> None:
    """Train in the folder `out`; weights of an earlier phase are named in `start_from`."""
    torch.manual_seed(config.seed)
    network = PaperNetwork(config.network)
    if config.start_from:
        load_start(network, Path(config.start_from), "dmv")
    else:
        own = (LAST_STAGE,) if config.random_stage else ()
        published.fill(network.backbone, network.config.backbone, config.backbone_weights, own=own)
    similar.packed(data, out / "pack", config.sampler, network.backbone, device)
    loop = Loop(PaperTask(network, out / "pack", config, device), out, config, device)
    validate = partial(_validate, shape=config.network, data=data, device=device)
    outcome.run(loop, "dmv", config.network, validate, data)


def _validate(weights: Weights, shape: PaperNetworkConfig, data: Path, device: torch.device) -> dict[str, float]:
    network = PaperNetwork(shape)
    network.load_state_dict(weights)
    return validation.score(build.tracker(network, InferenceRuntime(device=device), PAPER), data)
