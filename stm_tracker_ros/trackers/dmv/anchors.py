"""Anchors of the box head (SiamRPN, which the paper follows): one scale, five ratios, in every cell.

Boxes here are corners x1, y1, x2, y2 in crop pixels; an anchor is its centre and its sides. N anchors stand row by row,
cell by cell, the ratios of a cell one after the other.
"""

from __future__ import annotations

import torch
from torch import Tensor

RATIOS = (0.33, 0.5, 1.0, 2.0, 3.0)  # height over width
SIDE = 64.0  # pixels, of the square one


def anchors(cells: int, stride: int) -> Tensor:
    """N x 4: x, y of the centre, width, height; N = cells * cells * 5."""
    centers = (torch.arange(cells) + 0.5) * stride
    y, x, ratio = torch.meshgrid(centers, centers, torch.tensor(RATIOS), indexing="ij")
    return torch.stack([x, y, SIDE / ratio.sqrt(), SIDE * ratio.sqrt()], -1).view(-1, 4)


def displacement(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Boxes B x 4 -> what takes each anchor there, B x N x 4: dx / width, dy / height, logs of the sides' ratios."""
    size = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1.0)[:, None]
    center = ((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None]
    return torch.cat([(center - anchors[:, :2]) / anchors[:, 2:], torch.log(size / anchors[:, 2:])], -1)


def displaced(displacement: Tensor, anchors: Tensor) -> Tensor:
    """The other way round: B x N x 4 -> boxes B x N x 4."""
    center = anchors[:, :2] + displacement[..., :2] * anchors[:, 2:]
    half = anchors[:, 2:] * torch.exp(displacement[..., 2:].clamp(-4.0, 4.0)) / 2
    return torch.cat([center - half, center + half], -1)


def corners(anchors: Tensor) -> Tensor:
    """The anchors as boxes, N x 4."""
    return torch.cat([anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2], -1)
