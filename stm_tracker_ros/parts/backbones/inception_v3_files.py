"""Published weights of Inception-v3 -> the names of `inception_v3.py`.

| layout | where it is found | what differs |
|---|---|---|
| torchvision | `inception_v3_google-*.pth` | names are ours; head and layers behind Mixed_6e are left out |
| tensorflow | the graph of 2015-12-05 as TorchScript (FID tools) | names of the graph, norms without gamma |

Both see RGB in [-1, 1]. The graph leaves the border out of its mean pools; torchvision, STMTrack and we count zeros.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.parts.backbones.inception_v3 import InceptionV3

BEYOND = ("AuxLogits.", "Mixed_7", "fc.")
TENSORFLOW_ROOT = "net.layers."
STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
BLOCKS = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e")
BRANCHES_A = {"conv": "branch1x1", "tower.2": "branch5x5_", "tower_1.3": "branch3x3dbl_", "tower_2.conv": "branch_pool"}
BRANCHES_B = {"conv": "branch3x3", "tower.3": "branch3x3dbl_"}
BRANCHES_C = {"conv": "branch1x1", "tower.3": "branch7x7_", "tower_1.5": "branch7x7dbl_", "tower_2.conv": "branch_pool"}
NORM = {"bn.bias": "beta", "bn.running_mean": "mean", "bn.running_var": "var"}


def from_published(state: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    """Layout and tensors by our names. Raises CheckpointError with the first name that the graph's layout lacks."""
    if f"{TENSORFLOW_ROOT}conv.weight" in state:
        return "tensorflow", _from_tensorflow(state)
    return "torchvision", {name: tensor for name, tensor in state.items() if not name.startswith(BEYOND)}


def expected() -> dict[str, Tensor]:
    """All tensors of the backbone, without content."""
    with torch.device("meta"):
        return dict(InceptionV3().state_dict())


def _from_tensorflow(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for ours, theirs in _layers():
        for name, source in {"conv.weight": "weight", **NORM}.items():
            if f"{theirs}.{source}" not in state:
                raise CheckpointError(f"{f'{theirs}.{source}'!r} is missing")
            tensors[f"{ours}.{name}"] = state[f"{theirs}.{source}"]
        tensors[f"{ours}.bn.weight"] = torch.ones_like(tensors[f"{ours}.bn.bias"])
        tensors[f"{ours}.bn.num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
    return tensors


def _layers() -> Iterator[tuple[str, str]]:
    """Our name and theirs of every convolution."""
    for index, ours in enumerate(STEM):
        yield ours, f"{TENSORFLOW_ROOT}{_numbered('conv', index)}"
    for index, block in enumerate(BLOCKS):
        branches = BRANCHES_B if block == "6a" else BRANCHES_C if block[0] == "6" else BRANCHES_A
        for theirs, ours in branches.items():
            path, _, count = theirs.partition(".")
            root = f"{TENSORFLOW_ROOT}{_numbered('mixed', index)}.{path}"
            if not count.isdigit():
                yield f"Mixed_{block}.{ours}", f"{root}.{count}".rstrip(".")
                continue
            for place in range(int(count)):
                yield f"Mixed_{block}.{ours}{place + 1}", f"{root}.{_numbered('conv', place)}"


def _numbered(name: str, index: int) -> str:
    return f"{name}_{index}" if index else name
