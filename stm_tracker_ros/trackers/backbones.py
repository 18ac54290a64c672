"""Files of pretrained backbones for training: published ones become safetensors with our names.

What the weights want to see (`input`) and how their network is laid out (`layout`) stand in the file: with either
wrong they fail silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as encode
from torch import Tensor, nn

from stm_tracker_ros.core.config import unknown_name
from stm_tracker_ros.core.errors import CheckpointError, ConfigError
from stm_tracker_ros.core.output_folder import write_new
from stm_tracker_ros.parts.backbones import ARCHITECTURES, inception_v3_files, mobilenet_v2, resnet_files
from stm_tracker_ros.trackers import checkpoint, tfjs, third_party, torchscript

FORMAT_VERSION = "1"
# rgb_imagenet: RGB / 255 minus ImageNet's mean, by its deviation; rgb_half: (RGB - 127.5) / 127.5;
# bgr_caffe: BGR in 0..255 minus (103.939, 116.779, 123.68); bgr_raw: BGR in 0..255
INPUTS = {"torchvision": "rgb_imagenet", "tensorflow": "rgb_half", "caffe": "bgr_caffe", "siamrpn": "bgr_raw"}


class Backbone(NamedTuple):
    """A pretrained backbone: arch of `ARCHITECTURES`, layout and input of `INPUTS`, float32 tensors by our names."""

    arch: str
    layout: str
    input: str
    provenance: str
    tensors: dict[str, Tensor]


def convert(arch: str, source: Path, target: Path) -> None:
    """Write our file from a published one. Raises CheckpointError if that does not fit, DataError if ours exists."""
    found = published(source, arch)
    metadata = {"format_version": FORMAT_VERSION, "backbone": arch, "layout": found.layout, "input": found.input}
    tensors = {name: tensor.contiguous() for name, tensor in found.tensors.items()}
    write_new(target, encode(tensors, metadata | {"provenance": found.provenance}))


def load(path: Path, arch: str) -> Backbone:
    """Read what `convert` wrote. Raises CheckpointError if it is something else or not of that architecture."""
    tensors, metadata = _safetensors(path)
    if metadata.get("format_version") != FORMAT_VERSION or "backbone" not in metadata:
        raise CheckpointError(f"{path} is no converted backbone; make one by `stm_tracker convert backbone.{arch}`")
    if metadata["backbone"] != arch:
        raise CheckpointError(f"{path} is a {metadata['backbone']}; needed is a {arch}")
    backbone = Backbone(arch, metadata["layout"], metadata["input"], metadata["provenance"], tensors)
    _check(path, backbone)
    return backbone


def published(path: Path, arch: str) -> Backbone:
    """A published file or folder, its layout detected; nothing in it is executed.

    Raises CheckpointError with the first wrong name, ConfigError for an architecture that is not known.
    """
    if arch not in ARCHITECTURES:
        raise ConfigError(unknown_name("backbone", arch, ARCHITECTURES))
    state = {str(name): third_party.floats(str(name), value) for name, value in _published_state(path).items()}
    try:
        layout, tensors = _by_our_names(arch, state)
    except CheckpointError as error:
        raise CheckpointError(f"{path} is no {arch} of a known layout: {error}") from None
    expects = "rgb_half" if arch == "inception_v3" else INPUTS[layout]
    backbone = Backbone(arch, layout, expects, _provenance(path), tensors)
    _check(path, backbone)
    return backbone


def fill(module: nn.Module, backbone: Backbone, own: tuple[str, ...] = ()) -> None:
    """Load the tensors into `module`.

    own: beginnings of names that only the module has; they keep their values. ("layer4.",) is for a file that was cut
    behind the third stage. A child of the module's top level that the module does not have, such as a last stage that
    is cut off, may be in the file. Raises CheckpointError with the first name that is missing, has another shape, or
    is one of `own` and in the file.
    """
    if twice := next((name for name in backbone.tensors if own and name.startswith(own)), ""):
        raise CheckpointError(f"{backbone.arch} ({backbone.layout}) has {twice!r}; do not let the network keep its own")
    wanted = {name: value for name, value in module.state_dict().items() if not (own and name.startswith(own))}
    children = {name.split(".")[0] for name in wanted}
    given = {name: tensor for name, tensor in backbone.tensors.items() if name.split(".")[0] in children}
    if wrong := checkpoint.misfit(wanted, given):
        raise CheckpointError(f"{backbone.arch} ({backbone.layout}) does not fit the network: {wrong}")
    module.load_state_dict(given, strict=False)


def _by_our_names(arch: str, state: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    if arch == "inception_v3":
        return inception_v3_files.from_published(state)
    if arch == "mobilenet_v2":
        return "torchvision", mobilenet_v2.from_torchvision(state)
    return resnet_files.from_published(arch, state)


def _check(path: Path, backbone: Backbone) -> None:
    if wrong := checkpoint.misfit(_expected(backbone), backbone.tensors):
        raise CheckpointError(f"{path} is no {backbone.arch} ({backbone.layout}): {wrong}")


def _expected(backbone: Backbone) -> dict[str, Tensor]:
    if backbone.arch == "inception_v3":
        return inception_v3_files.expected()
    if backbone.arch == "mobilenet_v2":
        with torch.device("meta"):
            return dict(mobilenet_v2.MobileNetV2().state_dict())
    return resnet_files.expected(backbone.arch, backbone.layout, resnet_files.stages_of(backbone.tensors))


def _published_state(path: Path) -> Mapping[str, object]:
    if path.is_dir():
        return tfjs.tensors(path)
    if path.suffix == ".safetensors":
        return _safetensors(path)[0]
    if torchscript.is_torchscript(path):
        return torchscript.tensors(path)
    content = third_party.read_pickle(path)
    state = third_party.state_of(content, ("state_dict",)) or third_party.state_of(content)
    if state is None:
        raise CheckpointError(f"{path} holds a {type(content).__name__}; allowed are tensors by name")
    return state


def _safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); allowed is a whole safetensors file") from None


def _provenance(path: Path) -> str:
    if not path.is_dir():
        return f"converted from {path.name}, sha256 {checkpoint.sha256(path)}"
    marks = ", ".join(f"{file.name} {checkpoint.sha256(file)}" for file in tfjs.files(path))
    return f"converted from {path.name}, sha256 {marks}"
