"""Training losses: heatmap, offset and size of the centre head (CenterNet), the FCOS head's, and the mask branch's.

| paper | here | why |
|---|---|---|
| labelled in the cell that holds the centre | whose point is nearest | in the middle of a crop it lay between two |
| offset and size learn in the target's cell | in cells whose label reaches `reach` too | a window answers from those |
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from stm_tracker_ros.parts.overlap import overlaps
from stm_tracker_ros.trackers.siamstm.head import Head, Prediction
from stm_tracker_ros.trackers.siamstm.label import gaussian_labels

PRESENT, IGNORE = 1, -1
ALPHA, BETA = 2, 4  # CornerNet's, for the heatmap
FCOS_ALPHA, FCOS_GAMMA = 0.75, 2.0
LEAST_SIDE = 0.25  # of a labelled target, in cells


class Target(NamedTuple):
    """What a head shall say of B crops of N = count x count cells.

    label: B x N, Gaussian, 1 in the target's cell, 0 where no target is; cell: B x 2, its column and row; center and
    sides: B x 1 x 2 in crop pixels; counted: B x 1, 0 where it is unclear what is there.
    """

    label: Tensor
    cell: Tensor
    center: Tensor
    sides: Tensor
    counted: Tensor


class Loss(NamedTuple):
    """The terms of one batch, unweighted; `iou` is the mean overlap in the targets' cells, for the log only.

    An FCOS head has its centre-ness in `offset` and 1 - GIoU in `size`.
    """

    heat: Tensor
    offset: Tensor
    size: Tensor
    iou: Tensor


def target_of(head: Head, boxes: Tensor, states: Tensor) -> Target:
    """boxes: B x 4 corners in crop pixels; states: B, 1 = shown, 0 = not there, -1 = unclear."""
    center, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    cell = torch.round((center - head.first) / head.stride).clamp(0, head.count - 1)
    label = gaussian_labels(cell, (sides / head.stride).clamp(min=LEAST_SIDE), head.count).flatten(1)
    shown, counted = (states == PRESENT)[:, None], (states != IGNORE)[:, None].float()
    return Target(label * shown, cell.long(), center[:, None], sides[:, None], counted)


def loss(prediction: Prediction, head: Head, target: Target, reach: float = 1.0) -> Loss:
    """The losses of a head's answer, B x N cells; reach: label from which on a cell learns the box."""
    best = target.label >= 1
    iou = _iou(prediction, target)[best].detach().sum() / best.sum().clamp(min=1)
    if prediction.centerness is not None:
        return Loss(*_fcos(prediction, head, target), iou)
    weight = (target.label >= reach).float()
    moved = (prediction.box[..., :2] - target.center).abs().mean(-1) / head.stride
    larger = (prediction.box[..., 2:] - target.sides).abs().mean(-1) / head.stride
    offset, size = ((part * weight).sum() / weight.sum().clamp(min=1) for part in (moved, larger))
    return Loss(heatmap_loss(prediction.logit, target), offset, size, iou)


def heatmap_loss(logit: Tensor, target: Target) -> Tensor:
    """Penalty-reduced focal loss (CornerNet), over the number of targets."""
    logit, label = logit.float(), target.label
    heat, best = torch.sigmoid(logit), label >= 1
    hit = (1 - heat) ** ALPHA * functional.logsigmoid(logit)
    missed = (1 - label) ** BETA * heat**ALPHA * functional.logsigmoid(-logit)
    return -(torch.where(best, hit, missed) * target.counted).sum() / best.sum().clamp(min=1)


def mask_loss(logit: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and truth in [0, 1], B x H x W -> cross entropy and one minus the overlap of soft masks, each a mean."""
    logit = logit.float()
    mask = torch.sigmoid(logit)
    both, either = torch.minimum(mask, truth).sum((1, 2)), torch.maximum(mask, truth).sum((1, 2))
    return functional.binary_cross_entropy_with_logits(logit, truth), (1 - both / either.clamp(min=1)).mean()


def _fcos(prediction: Prediction, head: Head, target: Target) -> tuple[Tensor, Tensor, Tensor]:
    """Focal loss, centre-ness and 1 - GIoU; points in the target's box are positive, and its own cell."""
    reach = target.sides / 2 - (head.points - target.center).abs()
    positive = ((reach > 0).all(-1) & (target.label > 0)) | (target.label >= 1)
    count = positive.sum().clamp(min=1)
    logit, truth = prediction.logit.float(), positive.float()
    entropy = functional.binary_cross_entropy_with_logits(logit, truth, reduction="none")
    wrong = (torch.sigmoid(logit) - truth).abs() ** FCOS_GAMMA * (FCOS_ALPHA * truth + (1 - FCOS_ALPHA) * (1 - truth))
    near, far = reach.clamp(min=LEAST_SIDE), target.sides - reach.clamp(min=LEAST_SIDE)
    centerness = (near / far.clamp(min=LEAST_SIDE)).clamp(max=1).prod(-1).sqrt()
    assert prediction.centerness is not None
    centered = functional.binary_cross_entropy_with_logits(
        prediction.centerness.float()[positive], centerness[positive], reduction="sum"
    )
    giou = overlaps(_corners(prediction.box.float()), _corners(torch.cat([target.center, target.sides], -1)))[1]
    weight = centerness * positive
    boxes = ((1 - giou) * weight).sum() / weight.sum().clamp(min=1)
    return (wrong * entropy * target.counted).sum() / count, centered / count, boxes


def _iou(prediction: Prediction, target: Target) -> Tensor:
    return overlaps(_corners(prediction.box.float()), _corners(torch.cat([target.center, target.sides], -1)))[0]


def _corners(box: Tensor) -> Tensor:
    middle, half = box[..., :2], box[..., 2:] / 2
    return torch.cat([middle - half, middle + half], -1)
