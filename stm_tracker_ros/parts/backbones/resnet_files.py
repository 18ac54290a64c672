"""Published weights of ResNet-18 and ResNet-50 -> torchvision's names, batch norms with torch's eps.

| layout | where it is found | what differs |
|---|---|---|
| torchvision | `resnet50-0676ba61.pth`, `resnet18-*.pth` | the stride of a stage is in its first 3x3 |
| caffe | Keras's ResNet-50, a tfjs folder | stride in the first 1x1, biases, eps 1e-3, BGR minus the mean colour |
| siamrpn | trackers on SiamRPN++, `backbone.*` | resnet50_dilated: 3x3 projections behind stage 1, BGR as it is |

A bias before a norm moves into its running mean, another eps into its running variance: the norm's answer is the same,
and the module need not know.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from stm_tracker_ros.core.errors import CheckpointError

DILATED = "resnet50_dilated"
BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3), DILATED: (3, 4, 6, 3)}
WIDTHS = (64, 128, 256, 512)
EXPANSION = {"resnet18": 1, "resnet50": 4, DILATED: 4}
SIAMRPN_PREFIX = "backbone."
KERAS_EPS, TORCH_EPS = 1e-3, 1e-5
KERAS_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
Shape = tuple[int, ...]


def from_published(arch: str, state: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    """Layout and tensors by torchvision's names, without the classifier.

    Raises CheckpointError with the first name that Keras's layout lacks, or where only one of architecture and file is
    of SiamRPN++.
    """
    tracked = {n[len(SIAMRPN_PREFIX) :]: t for n, t in state.items() if n.startswith(SIAMRPN_PREFIX)}
    if arch == DILATED and not tracked:
        raise CheckpointError(f"no name begins with {SIAMRPN_PREFIX!r}, as in trackers on SiamRPN++")
    if arch != DILATED and tracked:
        raise CheckpointError(f"names begin with {SIAMRPN_PREFIX!r}, as in trackers on SiamRPN++, which have {DILATED}")
    if tracked:
        return "siamrpn", tracked
    if "conv1/kernel" in state:
        return "caffe", _from_keras(arch, state)
    return "torchvision", {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}


def expected(arch: str, layout: str, stages: int) -> dict[str, Tensor]:
    """All tensors up to that stage (1 to 4), without content."""
    shapes = {"conv1.weight": (64, 3, 7, 7), **_norm("bn1", 64)}
    channels = 64
    for stage in range(stages):
        for block in range(BLOCKS[arch][stage]):
            name, out = f"layer{stage + 1}.{block}", WIDTHS[stage] * EXPANSION[arch]
            shapes |= _block(arch, name, channels, WIDTHS[stage])
            if block == 0 and (stage > 0 or channels != out):
                kernel = 3 if layout == "siamrpn" and stage > 0 else 1
                shapes[f"{name}.downsample.0.weight"] = (out, channels, kernel, kernel)
                shapes |= _norm(f"{name}.downsample.1", out)
            channels = out
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def stages_of(tensors: Mapping[str, Tensor]) -> int:
    """How many stages a file has: 4, or 3 where it was cut."""
    return 4 if any(name.startswith("layer4.") for name in tensors) else 3


def _block(arch: str, name: str, channels: int, width: int) -> dict[str, Shape]:
    if arch == "resnet18":
        convs = [(width, channels, 3, 3), (width, width, 3, 3)]
    else:
        convs = [(width, channels, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)]
    shapes: dict[str, Shape] = {}
    for number, shape in enumerate(convs, start=1):
        shapes[f"{name}.conv{number}.weight"] = shape
        shapes |= _norm(f"{name}.bn{number}", shape[0])
    return shapes


def _norm(name: str, channels: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {f"{name}.{part}": (channels,) for part in KERAS_NORM}
    return shapes | {f"{name}.num_batches_tracked": ()}


def _from_keras(arch: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    tensors = _keras_layer(state, "conv1", "bn_conv1", "conv1", "bn1")
    for stage, blocks in enumerate(BLOCKS[arch], start=1):
        for block in range(blocks):
            letter, ours = "abcdef"[block], f"layer{stage}.{block}"
            branches = {f"2{kind}": (f"conv{n}", f"bn{n}") for n, kind in enumerate("abc", start=1)}
            if block == 0:
                branches["1"] = ("downsample.0", "downsample.1")
            for branch, (conv, norm) in branches.items():
                theirs = f"{stage + 1}{letter}_branch{branch}"
                tensors |= _keras_layer(state, f"res{theirs}", f"bn{theirs}", f"{ours}.{conv}", f"{ours}.{norm}")
    return tensors


def _keras_layer(state: Mapping[str, Tensor], conv: str, norm: str, our_conv: str, our_norm: str) -> dict[str, Tensor]:
    names = [f"{conv}/kernel", f"{conv}/bias", *(f"{norm}/{part}" for part in KERAS_NORM.values())]
    if missing := [name for name in names if name not in state]:
        raise CheckpointError(f"{missing[0]!r} is missing")
    kernel = state[names[0]]
    if kernel.dim() != 4:
        raise CheckpointError(f"{names[0]!r} has shape {tuple(kernel.shape)}; needed are four axes")
    tensors = {f"{our_norm}.{ours}": state[f"{norm}/{theirs}"] for ours, theirs in KERAS_NORM.items()}
    mean, variance = f"{our_norm}.running_mean", f"{our_norm}.running_var"
    if tensors[mean].shape != state[names[1]].shape:
        needed = tuple(tensors[mean].shape)
        raise CheckpointError(f"{names[1]!r} has shape {tuple(state[names[1]].shape)}; needed is {needed}")
    tensors[mean] = tensors[mean] - state[names[1]]
    tensors[variance] = tensors[variance] + (KERAS_EPS - TORCH_EPS)
    tensors[f"{our_norm}.num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
    return tensors | {f"{our_conv}.weight": kernel.permute(3, 2, 0, 1).contiguous()}  # height x width x in x out
