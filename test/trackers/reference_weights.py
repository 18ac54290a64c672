"""Weights that anybody can make from the names and shapes of the tensors alone: random by name, then scaled.

The rule is that of the reference run of the authors' code whose figures lie in golden/: the scale factors make the
softmax over the memory sharp and put the best scores about the gate of 0.6, so that a wrong memory frame shows.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

SCALED = {"neck_m.adjustor.weight": 9, "neck_q.adjustor.weight": 9}
READ_SCALED = {"head.cls_ctr.conv1.weight": 3, "head.reg.conv1.weight": 3}  # on the channels of the memory read
BASE_NUMBERS = {"head.si": 0.9, "head.bi": 0.1}
GIVEN = {
    "head.cls_score.bn.weight": 0.108,
    "head.cls_score.bn.bias": -0.78,
    "head.ctr_score.bn.weight": 0.095,
    "head.ctr_score.bn.bias": 2.02,
    "head.reg_offsets.bn.weight": [0.0606, 0.0433, 0.0242, 0.0385],
    "head.reg_offsets.bn.bias": [1.865, 1.082, 2.136, 1.872],
}


def base(name: str, shape: tuple[int, ...]) -> Tensor:
    """The float32 tensor of that name before anything is scaled (float64 draws rounded, products in float32)."""
    if name in BASE_NUMBERS:
        return torch.tensor(BASE_NUMBERS[name], dtype=torch.float32).reshape(shape)
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    draws = np.random.RandomState(zlib.crc32(name.encode())).randn(math.prod(shape)).astype(np.float32).reshape(shape)
    if len(shape) == 4:
        return torch.from_numpy(draws * np.float32(np.sqrt(2 / np.prod(shape[1:]))))
    if name.endswith("running_var"):
        return torch.from_numpy(1 + np.float32(0.1) * np.abs(draws))
    if name.endswith("weight"):
        return torch.from_numpy(1 + np.float32(0.1) * draws)
    return torch.from_numpy(np.float32(0.05) * draws)


def tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    """The float32 tensor of that name, scaled."""
    if name in GIVEN:
        return torch.tensor(GIVEN[name], dtype=torch.float32).reshape(shape)
    value = base(name, shape)
    if len(shape) == 4:
        value *= np.float32(SCALED.get(name, 1))
        value[:, :512] *= np.float32(READ_SCALED.get(name, 1))
    return value


def fill(network: nn.Module, rule: Callable[[str, tuple[int, ...]], Tensor] = tensor) -> nn.Module:
    """Give every tensor of `network` the value of its name; returns the network."""
    state = {name: rule(name, tuple(value.shape)) for name, value in network.state_dict().items()}
    network.load_state_dict(state)
    return network
