"""Feature extractors by name, for any network; `*_files.py` turn the names of published weights into ours.

To read the table loads no torch. A network says which strides it wants, and takes the numbers of channels from here:
another backbone is then another name.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from stm_tracker_ros.core.config import unknown_name
from stm_tracker_ros.core.errors import ConfigError


class Description(NamedTuple):
    """What is known of a backbone before it is built.

    channels: stride of each map that it can give, in pixels, the finest first -> channels of that map; place:
    "module:class" in this folder, which takes the strides that are wanted and its own options; coarsest: strides that
    the last map wanted may have; where there are several, nothing behind that map is built.
    """

    channels: Mapping[int, int]
    place: str
    coarsest: tuple[int, ...]


DESCRIPTIONS = {
    "inception_v3": Description({8: 768}, "inception_v3:InceptionV3", (8,)),
    "mobilenet_v2": Description({4: 24, 8: 32, 16: 96}, "mobilenet_v2:MobileNetV2", (16,)),
    "resnet18": Description({4: 64, 8: 128, 16: 256, 32: 512}, "resnet:ResNet18", (16, 32)),
    "resnet50": Description({4: 256, 8: 512, 16: 1024, 32: 2048}, "resnet:ResNet50", (16, 32)),
    "resnet50_dilated": Description({4: 256, 8: 1024}, "resnet:DilatedResNet50", (8,)),
}
ARCHITECTURES = tuple(DESCRIPTIONS)
PYRAMIDS = tuple(name for name, one in DESCRIPTIONS.items() if len(one.channels) > 1)  # see `pyramid.Pyramid`


def describe(name: str) -> Description:
    """The backbone of that name. Raises ConfigError, which names the nearest one."""
    if name not in DESCRIPTIONS:
        raise ConfigError(unknown_name("backbone", name, DESCRIPTIONS))
    return DESCRIPTIONS[name]


def build(name: str, strides: tuple[int, ...], **options: Any) -> Any:
    """A new backbone that gives its maps at these strides, the finest first; options are its own.

    Raises ConfigError for an unknown name, or strides that it does not have; the last is one of its `coarsest`.
    """
    found = describe(name)
    offered = tuple(found.channels)
    if not strides or strides != tuple(one for one in offered if one in strides) or strides[-1] not in found.coarsest:
        allowed = f"some of {offered} in this order, the last {' or '.join(map(str, found.coarsest))}"
        raise ConfigError(f"strides are {strides}; allowed of {name} are {allowed}")
    module, kind = found.place.split(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), kind)(strides=strides, **options)
