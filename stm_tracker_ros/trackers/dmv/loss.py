"""Training loss of DMV (section 3.3): focal on positive anchors and as many hardest negatives, smooth L1 on the boxes.

| paper | here | why |
|---|---|---|
| an anchor's truth by its overlap, no numbers | positive from 0.6, negative below 0.3 (SiamRPN++) | its parents' |
| | where none reaches 0.6: from 0.85 of the best one's | with one scale a target 1.4 times larger has none |
| as many negatives as positives | at least 16 | a crop without the target teaches as well |
| a sum over all anchors | over the number of positives | crops of small and large targets count alike |
| smooth L1, no turning point | at 0.02 | at 0.1 sizes a tenth off taught little: they followed the crop's scale |
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from stm_tracker_ros.parts.overlap import overlaps
from stm_tracker_ros.trackers.dmv.anchors import corners, displaced, displacement
from stm_tracker_ros.trackers.dmv.network import Prediction

PRESENT, IGNORE = 1, -1
POSITIVE, OF_BEST, NEGATIVE = 0.6, 0.85, 0.3
FEWEST_NEGATIVES = 16
TURNING_POINT = 0.02


class Labels(NamedTuple):
    """Of B crops and N anchors: positive, negative B x N; displacement B x N x 4, what the box head should say."""

    positive: Tensor
    negative: Tensor
    displacement: Tensor


class Loss(NamedTuple):
    """The terms of each crop, B, unweighted; for the log only: `iou` of the best-scored anchor's box (B, NaN where the
    target is not shown).
    """

    score: Tensor
    box: Tensor
    iou: Tensor


def labels(boxes: Tensor, states: Tensor, anchors: Tensor) -> Labels:
    """boxes: B x 4 corners in crop pixels; states: B, 1 = shown, 0 = not there, -1 = unclear: no anchor counts."""
    overlap = overlaps(corners(anchors)[None], boxes[:, None])[0]
    best = overlap.amax(1, keepdim=True)
    shown = (states == PRESENT)[:, None]
    positive = (overlap >= (OF_BEST * best).clamp(max=POSITIVE)) & (best > 0) & shown
    negative = ((overlap < NEGATIVE) | ~shown) & ~positive & (states != IGNORE)[:, None]
    return Labels(positive, negative, displacement(boxes, anchors))


def exact_label(boxes: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
    """The label of a box that a human drew: 1 at its anchors with their exact displacement, zero elsewhere.

    boxes: B x 4. Returns scores B x N and displacements B x N x 4.
    """
    truth = labels(boxes, torch.ones(len(boxes), dtype=torch.int64, device=boxes.device), anchors)
    return truth.positive.float(), truth.displacement * truth.positive[..., None]


def loss(prediction: Prediction, boxes: Tensor, states: Tensor, anchors: Tensor) -> Loss:
    """Compare a prediction for B crops with the truth, see `labels`."""
    truth, logit, said = labels(boxes, states, anchors), prediction.score_logit.float(), prediction.displacement.float()
    count = truth.positive.sum(1)
    hard = _hardest(logit, truth.negative, count.clamp(min=FEWEST_NEGATIVES))
    share = torch.sigmoid(logit)
    missed = -((1 - share) ** 2) * functional.logsigmoid(logit) * truth.positive
    claimed = -(share**2) * functional.logsigmoid(-logit) * hard
    score = (missed + claimed).sum(1) / count.clamp(min=1)
    off = functional.smooth_l1_loss(said, truth.displacement, reduction="none", beta=TURNING_POINT).sum(-1)
    box = (off * truth.positive).sum(1) / count.clamp(min=1)
    return Loss(score, box, _answered(prediction, boxes, states, anchors))


def _hardest(logit: Tensor, negative: Tensor, count: Tensor) -> Tensor:
    """Of each row's negatives the `count` (B) with the highest scores, as a mask B x N."""
    order = logit.detach().masked_fill(~negative, -torch.inf).argsort(1, descending=True)
    rank = torch.empty_like(order).scatter_(
        1, order, torch.arange(order.shape[1], device=order.device).expand_as(order)
    )
    return negative & (rank < count[:, None])


@torch.no_grad()
def _answered(prediction: Prediction, boxes: Tensor, states: Tensor, anchors: Tensor) -> Tensor:
    best = prediction.score_logit.argmax(1)[:, None, None].expand(-1, 1, 4)
    box = displaced(prediction.displacement.float(), anchors).gather(1, best)[:, 0]
    return torch.where(states == PRESENT, overlaps(box, boxes)[0], torch.full_like(box[:, 0], torch.nan))
