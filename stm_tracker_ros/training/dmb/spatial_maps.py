"""The spatial memory's map and other labels as they are made up in training; all on batches B x T of clips."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from stm_tracker_ros.training.dmb.config import MapConfig

SIGMA_OF_SIZE, SIGMA_SPREAD = 0.25, 0.25
LOW_PEAK, HIGH_PEAK = 0.25, 1.1
FLAT_PEAK, ASTRAY_PEAK = 0.15, 0.7  # heights of peaks that mean nothing; of those elsewhere, over the usual
NEAREST_ASTRAY, FURTHEST_ASTRAY = 0.8, 2.0  # over the target's size


def simulated_maps(shown: Tensor, boxes: Tensor, cells: int, size: int, config: MapConfig) -> Tensor:
    """What the filter might say: a peak near the target, sometimes nothing, sometimes a peak elsewhere.

    shown: B x T; boxes: B x T x 4 corners in crop pixels of a crop of `size`. Returns B x T x cells x cells.
    """
    extent = (boxes[..., 2:] - boxes[..., :2]).clamp(min=4)
    target = extent.prod(-1).sqrt()[..., None]
    center = (boxes[..., :2] + boxes[..., 2:]) / 2 + torch.randn_like(extent) * config.jitter * extent
    center = torch.where(shown[..., None], center, torch.full_like(center, size / 2))
    chance = torch.rand((3, *shown.shape), device=boxes.device)
    astray = (chance[0] < config.astray_share) | (~shown & (chance[1] < 0.5))
    flat = (chance[2] < config.flat_share) | (~shown & ~astray)
    angle = torch.rand_like(target) * 2 * math.pi
    reach = NEAREST_ASTRAY + (FURTHEST_ASTRAY - NEAREST_ASTRAY) * torch.rand_like(target)
    away = reach * torch.cat([angle.cos(), angle.sin()], -1) * target
    center = torch.where(astray[..., None], center + away, center)
    height = LOW_PEAK + (HIGH_PEAK - LOW_PEAK) * torch.rand_like(chance[0])
    height = torch.where(shown & ~astray, height, ASTRAY_PEAK * height)
    height = torch.where(flat, FLAT_PEAK * torch.rand_like(height), height)
    sigma = target * SIGMA_OF_SIZE * torch.exp(SIGMA_SPREAD * torch.randn_like(target))
    peak = height[..., None, None] * gaussian(center, sigma, cells, size)
    return peak + torch.randn_like(peak) * config.noise


def gaussian(center: Tensor, sigma: Tensor, cells: int, size: int) -> Tensor:
    """A bell of height 1 about ... x 2 in crop pixels with sigma ... x 1, sampled at the cells' centres."""
    points = (torch.arange(cells, device=center.device) + 0.5) * (size / cells)
    x, y = (torch.exp(-((points - center[..., axis, None]) ** 2) / (2 * sigma**2)) for axis in (0, 1))
    return y[..., :, None] * x[..., None, :]


def distance_maps(boxes: Tensor, cells: int, size: int, jitter: float) -> Tensor:
    """The authors' map: distance to the target's jittered centre over the side of the crop; B x T x cells x cells."""
    extent = boxes[..., 2:] - boxes[..., :2]
    center = (boxes[..., :2] + boxes[..., 2:]) / 2 + (2 * torch.rand_like(extent) - 1) * jitter * extent
    points = (torch.arange(cells, device=boxes.device) + 0.5) * (size / cells)
    x, y = (points - center[..., axis, None] for axis in (0, 1))
    return torch.sqrt(y[..., :, None] ** 2 + x[..., None, :] ** 2) / size


def filled(boxes: Tensor, cells: int, size: int) -> Tensor:
    """Corners B x 4 in crop pixels -> B x cells x cells, 1 in the cells whose centres they hold."""
    centers = (torch.arange(cells, device=boxes.device) + 0.5) * (size / cells)
    inside = [(centers >= boxes[:, axis, None]) & (centers < boxes[:, axis + 2, None]) for axis in (0, 1)]
    return (inside[1][:, :, None] & inside[0][:, None, :]).float()


def dilated(label: Tensor) -> Tensor:
    """Two cells wider on every side, B x 1 x H x W."""
    return functional.max_pool2d(label, 5, 1, 2)


def displaced(masks: Tensor, share: float) -> Tensor:
    """Some of the masks B x 1 x H x W lie elsewhere, as those of a tracker that was led astray."""
    side = masks.shape[-1]
    shifts = torch.randint(side // 4, 3 * side // 4, (len(masks), 2)).tolist()
    moved = torch.rand(len(masks)) < share
    return torch.stack([torch.roll(m, s, (1, 2)) if go else m for m, s, go in zip(masks, shifts, moved, strict=True)])
