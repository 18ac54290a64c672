"""The recipe of `dmb`, as published; `paper_task` says where it differs. One stage a run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.trackers import backbones
from stm_tracker_ros.trackers.dmb import build
from stm_tracker_ros.trackers.dmb.config import PAPER, PaperNetworkConfig
from stm_tracker_ros.trackers.dmb.paper_network import PaperNetwork
from stm_tracker_ros.training import outcome, pack, published, validation
from stm_tracker_ros.training.dmb.config import PaperTrainConfig
from stm_tracker_ros.training.dmb.paper_task import PaperTask
from stm_tracker_ros.training.loop import Loop, Weights
from stm_tracker_ros.training.start import load_start

DEFAULTS = PaperTrainConfig()
ONLY_OURS = ("conv1_foreground.", "conv1_background.")
SHARES = {"stills": (0.0, 0.0), "videos": (1.0, 0.0)}  # of clips from videos with masks, and with boxes


def train(data: Path, out: Path, device: torch.device, config: PaperTrainConfig) -> None:
    """Train one stage in the folder `out`; that of videos names the other one's weights in `start_from`."""
    torch.manual_seed(config.seed)
    filmed, boxed = SHARES[config.stage]
    config = replace(config, clips=replace(config.clips, filmed_share=filmed, boxed_share=boxed))
    network = PaperNetwork(config.network)
    if config.start_from:
        load_start(network, Path(config.start_from), "dmb")
    else:
        fill_backbones(network, config.backbone_weights)
    pack.build(data, out / "pack")
    loop = Loop(PaperTask(network, out / "pack", data / "train_video", config, device), out, config, device)
    validate = partial(_validate, shape=config.network, data=data, device=device)
    outcome.run(loop, "dmb", config.network, validate, data)


def fill_backbones(network: PaperNetwork, given: str) -> None:
    """Both backbones from one file. Raises DataError where none is named, CheckpointError where it does not fit."""
    if given == "random":
        return
    found = published.read(network.config.backbone, given)
    if found.layout != network.config.layout:
        raise DataError(f"backbone_weights {given} has layout {found.layout!r}; needed is {network.config.layout!r}")
    backbones.fill(network.memory_backbone, found, own=ONLY_OURS)
    backbones.fill(network.query_backbone, found)


def _validate(weights: Weights, shape: PaperNetworkConfig, data: Path, device: torch.device) -> dict[str, float]:
    network = PaperNetwork(shape)
    network.load_state_dict(weights)
    return validation.score(build.tracker(network, InferenceRuntime(device=device), PAPER), data)
