"""Heads: the paper's centre head (CenterNet: heatmap, offset, size), and an FCOS head for the first row of its Table 4.

Both answer for every cell of a square grid. Cell i's point lies at `first + stride i` crop pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.parts.layers import Block, by_cell

KINDS = ("center", "fcos")
HEAT_BIAS = -2.19  # CenterNet: a heatmap of .1 to begin with
USUAL_SIDE = 56.0  # of a target in its crop, pixels


class Prediction(NamedTuple):
    """For each of N cells, row-major: logits B x N and boxes B x N x 4, centre and sides in crop pixels.

    centerness: logits B x N of an FCOS head, of which the score is the product with; None of a centre head.
    """

    logit: Tensor
    box: Tensor
    centerness: Tensor | None = None

    @property
    def score(self) -> Tensor:
        """B x N in [0, 1]."""
        score = torch.sigmoid(self.logit)
        return score if self.centerness is None else score * torch.sigmoid(self.centerness)


class Head(nn.Module):
    """What and where, behind branches of their own.

    branch: makes one of so many output channels; parts: of the output channels of `where`, how many each branch has;
    count: cells a side.
    """

    points: Tensor

    def __init__(
        self,
        kind: str,
        branch: Callable[[int], nn.Module],
        parts: tuple[int, ...],
        *,
        count: int,
        first: float,
        stride: int,
    ) -> None:
        super().__init__()
        self.kind, self.count, self.first, self.stride = kind, count, first, stride
        self.what = branch(1 if kind == "center" else 2)
        self.where = nn.ModuleList([branch(part) for part in parts])
        places = first + stride * torch.arange(count, dtype=torch.float32)
        points = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1).view(-1, 2)
        self.register_buffer("points", points, persistent=False)

    def forward(self, x: Tensor) -> Prediction:
        """B x C x count x count -> Prediction."""
        what, where = by_cell(self.what(x)), torch.cat([by_cell(part(x)) for part in self.where], -1)
        logit, usual = what[..., 0] + HEAT_BIAS, USUAL_SIDE / self.stride
        if self.kind == "center":
            middle = self.points + where[..., :2] * self.stride
            sides = (where[..., 2:] + usual).clamp(min=0) * self.stride
            return Prediction(logit, torch.cat([middle, sides], -1))
        reach = functional.softplus(where + usual / 2) * self.stride
        low, high = self.points - reach[..., :2], self.points + reach[..., 2:]
        return Prediction(logit, torch.cat([(low + high) / 2, high - low], -1), what[..., 1])


def branch(channels: int, hidden: int, outputs: int) -> nn.Sequential:
    """The paper's: 3x3 convolution, ReLU, 1x1 convolution."""
    return nn.Sequential(nn.Conv2d(channels, hidden, 3, padding=1), nn.ReLU(), _last(hidden, outputs))


def lite_branch(channels: int, outputs: int) -> nn.Sequential:
    """A block in place of the 3x3 convolution: a fifth of its products."""
    return nn.Sequential(Block(channels), nn.ReLU(), _last(channels, outputs))


def _last(channels: int, outputs: int) -> nn.Conv2d:
    conv = nn.Conv2d(channels, outputs, 1)
    nn.init.normal_(conv.weight, std=1 / math.sqrt(channels) / 10)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv
