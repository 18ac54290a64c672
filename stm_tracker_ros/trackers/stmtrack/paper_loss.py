"""Training labels and loss of the network of the paper, as in its authors' code (FCOS heads).

Corners are the authors': numbers of the first and last pixel of the box, so that its width is x2 - x1 + 1.

| paper | authors' code, and here |
|---|---|
| "see [56]" (SiamFC++) | every point strictly inside the box is positive, its centre-ness is learned; no shrinking |
| | terms weigh 1 : 1 : 3; box loss -log(IoU); centre-ness loss is 0 at its optimum |
| | a negative pair teaches background on the box's points and nothing elsewhere; its centre-ness is still learned |
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from stm_tracker_ros.trackers.stmtrack.lite_network import Prediction
from stm_tracker_ros.trackers.stmtrack.loss import focal

CENTERNESS_EPS = 1e-5
SMALLEST_IOU = torch.finfo(torch.float32).tiny
BACKGROUND, TARGET, IGNORE = 0, 1, -1


class PaperLoss(NamedTuple):
    """The terms of one batch, unweighted; `iou`, for the log only: mean overlap on positive points, NaN if none."""

    cls: Tensor
    ctr: Tensor
    reg: Tensor
    iou: Tensor


class Labels(NamedTuple):
    """What each point of the grid should say, B x cells: BACKGROUND, TARGET or IGNORE, and centre-ness (0 = none)."""

    state: Tensor
    centerness: Tensor


def labels(grid: Tensor, corners: Tensor, negative: Tensor) -> Labels:
    """Label the points of the grid, cells x 2, for boxes B x 4 in crop pixels; negative: B, true for negative pairs."""
    sides = torch.cat([grid[None] - corners[:, None, :2], corners[:, None, 2:] - grid[None]], -1)
    inside = sides.amin(-1) > 0
    near, far = torch.minimum(sides[..., :2], sides[..., 2:]), torch.maximum(sides[..., :2], sides[..., 2:])
    centerness = torch.where(inside, near.prod(-1) / (far.prod(-1) + CENTERNESS_EPS), 0.0).sqrt()
    negatives = torch.where(inside, BACKGROUND, IGNORE)
    return Labels(torch.where(negative[:, None], negatives, inside.long()), centerness)


def paper_loss(
    prediction: Prediction, grid: Tensor, corners: Tensor, negative: Tensor, alpha: float, gamma: float
) -> PaperLoss:
    """Compare a prediction for B query crops with the boxes in them; see `labels` for the arguments' shapes."""
    truth = labels(grid, corners, negative)
    positive, centered = truth.state == TARGET, truth.centerness > 0
    hard = focal(prediction.cls_logit.float(), positive.float(), alpha, gamma)
    cls = hard[truth.state != IGNORE].sum() / positive.sum().clamp(min=1)
    ctr = _centerness_loss(prediction.ctr_logit.float()[centered], truth.centerness[centered])
    wanted = corners[:, None].expand_as(prediction.box)[positive]
    iou = overlaps(prediction.box.float()[positive], wanted)
    reg = -iou.clamp(min=SMALLEST_IOU).log().sum() / max(len(iou), 1)
    return PaperLoss(cls, ctr, reg, iou.detach().mean())


def overlaps(a: Tensor, b: Tensor) -> Tensor:
    """IoU of corner boxes, N x 4 each, that hold their last pixel."""
    sides = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2]) + 1
    inner = sides.clamp(min=0).prod(-1)
    areas = (a[:, 2:] - a[:, :2] + 1).prod(-1) + (b[:, 2:] - b[:, :2] + 1).prod(-1)
    return inner / (areas - inner)


def _centerness_loss(logit: Tensor, target: Tensor) -> Tensor:
    """Cross entropy less the target's own entropy, mean."""
    entropy = torch.special.entr(target) + torch.special.entr(1 - target)
    crossed = functional.binary_cross_entropy_with_logits(logit, target, reduction="none")
    return (crossed - entropy).sum() / max(len(target), 1)
