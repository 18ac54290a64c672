"""Layers that the lite networks share: both learn without batch statistics and run in channels-last memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CellNorm(nn.Module):
    """Layer norm over the channels of each cell; B x C x H x W in channels-last memory."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; shape is kept."""
        y: Tensor = self.norm(x.permute(0, 2, 3, 1))
        return y.permute(0, 3, 1, 2)


class Block(nn.Module):
    """Depth-wise 3x3, norm, widen, ReLU, narrow, added to the input (Liu et al., CVPR 2022, with ReLU)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = CellNorm(channels)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(2 * channels, channels, 1)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Refine; shape is kept."""
        y: Tensor = self.narrow(functional.relu(self.widen(self.norm(self.mix(x)))))
        return x + y


def by_cell(x: Tensor) -> Tensor:
    """B x C x H x W -> B x (H * W) x C, without a copy where x is channels-last."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def by_map(x: Tensor, cells: int) -> Tensor:
    """B x (cells * cells) x C -> B x C x cells x cells, without a copy."""
    return torch.unflatten(x, 1, (cells, cells)).permute(0, 3, 1, 2)
