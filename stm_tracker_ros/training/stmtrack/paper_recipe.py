"""The recipe of `stmtrack`, as published; `paper_task` says where it differs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.trackers import backbones
from stm_tracker_ros.trackers.stmtrack import build
from stm_tracker_ros.trackers.stmtrack.config import PAPER, PaperNetworkConfig
from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork
from stm_tracker_ros.training import outcome, pack, published, validation
from stm_tracker_ros.training.loop import Loop, Weights
from stm_tracker_ros.training.start import load_start
from stm_tracker_ros.training.stmtrack.config import PaperTrainConfig
from stm_tracker_ros.training.stmtrack.paper_task import PaperTask

DEFAULTS = PaperTrainConfig()
ONLY_OURS = ("proj_fg_bg_label_map.",)


def train(data: Path, out: Path, device: torch.device, config: PaperTrainConfig) -> None:
    """Train in the folder `out`."""
    torch.manual_seed(config.seed)
    network = PaperNetwork(config.network)
    if config.start_from:
        load_start(network, Path(config.start_from), "stmtrack")
    else:
        fill_backbones(network, config.backbone_weights)
    pack.build(data, out / "pack")
    loop = Loop(PaperTask(network, out / "pack", config, device), out, config, device)
    validate = partial(_validate, shape=config.network, data=data, device=device)
    outcome.run(loop, "stmtrack", config.network, validate, data)


def fill_backbones(network: PaperNetwork, given: str) -> None:
    """Both backbones from one file. Raises DataError where none is named, CheckpointError where it does not fit."""
    if given == "random":
        return
    found = published.read(network.config.backbone, given)
    backbones.fill(network.basemodel_m, found, own=ONLY_OURS)
    backbones.fill(network.basemodel_q, found)


def _validate(weights: Weights, shape: PaperNetworkConfig, data: Path, device: torch.device) -> dict[str, float]:
    network = PaperNetwork(shape)
    network.load_state_dict(weights)
    return validation.score(build.tracker(network, InferenceRuntime(device=device), PAPER), data)
