"""Training loss: cross entropy on the hardest pixels, IoU of soft masks; projections where only a box is known.

Cross entropy and IoU weigh the same (paper, Eq. 12; the authors take the hardest 40 % of the pixels). Projections as
in BoxInst (Tian et al., CVPR 2021), section 3.1: a mask that fits its box reaches each of its rows and columns.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

HARDEST = 0.4


class Loss(NamedTuple):
    """The terms of one batch, unweighted; `jaccard` is the mean IoU of the masks, for the log only."""

    entropy: Tensor
    overlap: Tensor
    projection: Tensor
    score: Tensor
    jaccard: Tensor


def loss(logit: Tensor, score_logit: Tensor, truth: Tensor, is_mask: Tensor) -> Loss:
    """Compare mask logits B x H x W and score logits B with the truth B x H x W in [0, 1].

    is_mask: B; where it is false, `truth` is a filled box, all that is known. An empty truth: the target is not shown.
    """
    logit = logit.float()
    mask = torch.sigmoid(logit)
    shown = truth.flatten(1).amax(1) > 0.5
    both, either = torch.minimum(mask, truth).sum((1, 2)), torch.maximum(mask, truth).sum((1, 2))
    overlap = 1 - both / either.clamp(min=1.0)
    jaccard = _jaccard(logit.detach(), truth)
    projection = _projection(mask, truth)
    with torch.no_grad():
        boxed = _boxed_overlap(logit, truth)
        quality = torch.where(is_mask, jaccard, boxed) * shown
        good = torch.sigmoid((quality - 0.5) * 20) * shown
    score = functional.binary_cross_entropy_with_logits(score_logit.float(), good)
    masked, boxes = shown & is_mask, shown & ~is_mask
    return Loss(
        _entropy(logit, truth, is_mask).mean(),
        _mean(overlap, masked),
        _mean(projection, boxes),
        score,
        _mean(jaccard, masked),
    )


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return (values * chosen).sum() / chosen.sum().clamp(min=1)


def _entropy(logit: Tensor, truth: Tensor, is_mask: Tensor) -> Tensor:
    """Mean over the hardest pixels of each crop; within a mere box nothing is known of single pixels."""
    entropy = functional.binary_cross_entropy_with_logits(logit, truth, reduction="none")
    known = is_mask[:, None, None] | (truth < 0.01)
    entropy = (entropy * known).flatten(1)
    count = int(entropy.shape[1] * HARDEST)
    return entropy.topk(count, 1, sorted=False).values.mean(1)


def _projection(mask: Tensor, truth: Tensor) -> Tensor:
    return sum(_dice(mask.amax(axis), truth.amax(axis)) for axis in (1, 2)) / 2  # type: ignore[return-value]


def _dice(a: Tensor, b: Tensor) -> Tensor:
    return 1 - 2 * (a * b).sum(1) / (a.square().sum(1) + b.square().sum(1)).clamp(min=1e-3)


def _jaccard(logit: Tensor, truth: Tensor) -> Tensor:
    mask, real = logit > 0, truth > 0.5
    return (mask & real).sum((1, 2)) / (mask | real).sum((1, 2)).clamp(min=1)


def _boxed_overlap(logit: Tensor, truth: Tensor) -> Tensor:
    """IoU of the masks' bounding boxes."""
    mask, real = logit > 0, truth > 0.5
    sides = []
    for axis in (1, 2):
        a, b = _extent(mask.any(axis)), _extent(real.any(axis))
        both = torch.minimum(a[1], b[1]) - torch.maximum(a[0], b[0])
        sides.append((both.clamp(min=0), a[1] - a[0], b[1] - b[0]))
    (bx, ax, tx), (by, ay, ty) = sides
    both = bx * by
    return both / (ax * ay + tx * ty - both).clamp(min=1)


def _extent(line: Tensor) -> tuple[Tensor, Tensor]:
    """First and last true place of each row of B x N, plus one; 0, 0 where there is none."""
    places = torch.arange(line.shape[1], device=line.device)
    some = line.any(1)
    low = torch.where(line, places, line.shape[1]).amin(1)
    high = torch.where(line, places + 1, 0).amax(1)
    return torch.where(some, low, 0).float(), high.float()
