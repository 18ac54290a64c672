"""ARM, the aberrance repressed module (section 3.3): heatmaps of neighbouring frames, aligned by their peaks, agree.

As a loss (Eq. 5) and at run time (Algorithm 1). It compares shapes of maps, never places.

| paper | here | setting |
|---|---|---|
| KL of maps as they are, which no label minimises | of maps normalised to sum 1 | `divergence`: printed, normalised |
| the K highest responses, cells or peaks | local maxima | `candidates`: maxima, cells |
| line 15: label and heatmap of frame 1 move along, for ever | as printed | `keeps`: first, last |

Maps are H x W or B x H x W, in [0, 1].
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

DIVERGENCES = ("normalised", "printed")
CANDIDATES = ("maxima", "cells")
EPSILON = 1e-12
Cell = tuple[int, int]  # row, column


class Past(NamedTuple):
    """The frame before: label and heatmap H x W, and the cell of the target in both."""

    label: Tensor
    heatmap: Tensor
    peak: Cell


class Repressed(NamedTuple):
    """What is left of a frame's heatmap: reweighted (up to 2) where another peak than the highest is the target's."""

    heatmap: Tensor
    peak: Cell
    is_aberrant: bool


def divergence(label: Tensor, heatmap: Tensor, form: str = "normalised") -> Tensor:
    """KL of maps ... x H x W -> ...: sum of y log y - y log x, over maps as they are or normalised to sum 1."""
    if form == "normalised":
        label, heatmap = (part / part.sum((-2, -1), keepdim=True).clamp(min=EPSILON) for part in (label, heatmap))
    return (label * (torch.log(label + EPSILON) - torch.log(heatmap + EPSILON))).sum((-2, -1))


def arm_loss(labels: tuple[Tensor, Tensor], heatmaps: tuple[Tensor, Tensor], form: str = "normalised") -> Tensor:
    """Eq. 5 for pairs of frames: labels and heatmaps, each two maps B x H x W -> B."""
    (label, later_label), (heatmap, later) = labels, heatmaps
    p, q = highest(heatmap), highest(later)
    forward = divergence(later_label * later_label, moved(heatmap, q - p) * later, form)
    backward = divergence(label * label, moved(later, p - q) * heatmap, form)
    return forward + backward


def highest(maps: Tensor) -> Tensor:
    """B x H x W -> row and column of each map's highest cell, B x 2."""
    width = maps.shape[-1]
    best = maps.flatten(1).argmax(1)
    return torch.stack([torch.div(best, width, rounding_mode="floor"), best % width], 1)


def moved(maps: Tensor, by: Tensor) -> Tensor:
    """Maps B x H x W, each moved by its rows and columns, B x 2, round the edges."""
    count, height, width = maps.shape
    rows = (torch.arange(height, device=maps.device) - by[:, :1]) % height
    columns = (torch.arange(width, device=maps.device) - by[:, 1:]) % width
    which = torch.arange(count, device=maps.device)
    return maps[which[:, None, None], rows[:, :, None], columns[:, None, :]]


def top_cells(heatmap: Tensor, count: int, rule: str) -> list[Cell]:
    """At most `count` cells of a heatmap H x W, the highest first: any, or those that no neighbour exceeds."""
    if rule == "maxima":
        around = functional.max_pool2d(heatmap[None, None], 3, 1, 1)[0, 0]
        heatmap = torch.where(heatmap == around, heatmap, torch.full_like(heatmap, -torch.inf))
    values, cells = heatmap.flatten().topk(count)
    width = heatmap.shape[1]
    return [divmod(int(cell), width) for cell, value in zip(cells, values, strict=True) if value > -torch.inf]


def repress(heatmap: Tensor, past: Past, count: int, rule: str, form: str) -> Repressed:
    """Lines 7 to 14 of Algorithm 1: of `count` candidates the one about which the map is most like the last one."""
    cells = top_cells(heatmap, count, rule)
    if not cells:  # of numbers that are none: nothing is found in it
        return Repressed(heatmap, past.peak, False)
    by = torch.tensor(cells) - torch.tensor(past.peak)
    labels = moved(past.label.expand(len(cells), -1, -1), by)
    aligned = moved(past.heatmap.expand(len(cells), -1, -1), by)
    best = int(divergence(labels * labels, aligned * heatmap, form).argmin())
    reweighted = (1 + aligned[best]) * heatmap if best else heatmap
    return Repressed(reweighted, cells[best], best > 0)


def followed(past: Past, repressed: Repressed) -> Past:
    """Line 15 as printed: where another peak was taken, label and heatmap move there; else all stays."""
    if not repressed.is_aberrant:
        return past
    by = torch.tensor([repressed.peak]) - torch.tensor([past.peak])
    return Past(moved(past.label[None], by)[0], moved(past.heatmap[None], by)[0], repressed.peak)
