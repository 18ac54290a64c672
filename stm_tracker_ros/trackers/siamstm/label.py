"""Gaussian labels of a centre head: what the heatmap shall be for a target of some size at some cell."""

from __future__ import annotations

import torch
from torch import Tensor

OVERLAP = 0.7


def radius(sides: Tensor, overlap: float = OVERLAP) -> Tensor:
    """Sides B x 2 in cells -> how many cells a corner may be off, B, as CenterNet computes it.

    The least of its three cases. It divides by 2 where the root's formula has 2 a: a larger radius, which is kept, for
    the exact one is less than a cell for all targets here.
    """
    total, area = sides.sum(-1), sides.prod(-1)
    b = -2 * overlap * total
    return (b + torch.sqrt(b * b + 16 * overlap * (1 - overlap) * area)) / 2


def gaussian_labels(cells: Tensor, sides: Tensor, count: int) -> Tensor:
    """Labels B x count x count, 1 in the target's cell.

    cells: B x 2 whole columns and rows; sides: B x 2, the target's width and height in cells.
    """
    sigma = (2 * radius(sides) + 1) / 6
    places = torch.arange(count, device=cells.device, dtype=sides.dtype)
    away = [(places - cells[:, axis, None]) ** 2 for axis in (0, 1)]
    return torch.exp(-(away[1][:, :, None] + away[0][:, None, :]) / (2 * sigma * sigma)[:, None, None])
