"""Training loss of the lite network: focal on the score, cross entropy on the centre-ness, GIoU on the box.

Terms as in STMTrack, section 3.5 (FCOS heads), with GIoU (Rezatofighi et al., CVPR 2019) for the logarithm of the IoU.
Cells whose point lies in the box are positive; a box that holds no point gets the nearest one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from stm_tracker_ros.parts.overlap import overlaps
from stm_tracker_ros.trackers.stmtrack.lite_network import Prediction

PRESENT, IGNORE = 1, -1


class Loss(NamedTuple):
    """The terms of one batch, unweighted; `iou` is the mean overlap on positive cells, for the log only."""

    cls: Tensor
    ctr: Tensor
    box: Tensor
    iou: Tensor


def loss(prediction: Prediction, grid: Tensor, boxes: Tensor, states: Tensor, alpha: float, gamma: float) -> Loss:
    """Compare a prediction for B crops with the truth.

    grid: cells x 2 points in crop pixels; boxes: B x 4 corners; states: B, 1 = shown, 0 = not there, -1 = unclear.
    """
    centerness, positive = _labels(grid, boxes, states)
    count = positive.sum().clamp(min=1)
    counted = (states != IGNORE).float()[:, None]
    cls = (focal(prediction.cls_logit.float(), positive.float(), alpha, gamma) * counted).sum() / count
    target = centerness[positive]
    ctr = functional.binary_cross_entropy_with_logits(prediction.ctr_logit.float()[positive], target, reduction="sum")
    truth = boxes[:, None].expand_as(prediction.box)[positive]
    overlap, giou = overlaps(prediction.box.float()[positive], truth)
    box = ((1 - giou) * target).sum() / target.sum().clamp(min=1)
    return Loss(cls, ctr / count, box, overlap.detach().sum() / count)


def _labels(grid: Tensor, boxes: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
    sides = torch.cat([grid[None] - boxes[:, None, :2], boxes[:, None, 2:] - grid[None]], -1)
    inside = sides.amin(-1) > 0
    center = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
    nearest = functional.one_hot((grid[None] - center).square().sum(-1).argmin(-1), len(grid)).bool()
    positive = (inside | nearest) & (states == PRESENT)[:, None]
    sides = sides.clamp(min=0.05)
    low, high = torch.minimum(sides[..., :2], sides[..., 2:]), torch.maximum(sides[..., :2], sides[..., 2:])
    return (low / high).prod(-1).sqrt(), positive


def focal(logit: Tensor, target: Tensor, alpha: float, gamma: float) -> Tensor:
    """Focal loss of each logit (Lin et al., ICCV 2017); targets 0 or 1, shapes are kept."""
    entropy = functional.binary_cross_entropy_with_logits(logit, target, reduction="none")
    missed = torch.sigmoid(logit) * (1 - target) + torch.sigmoid(-logit) * target
    weight = alpha * target + (1 - alpha) * (1 - target)
    return weight * missed**gamma * entropy
