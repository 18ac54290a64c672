"""The loss of DMB by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from stm_tracker_ros.trackers.dmb.loss import Loss, loss

pytestmark = pytest.mark.torch
SURE = 12.0


def of(prediction: Tensor, truth: Tensor, *, is_mask: bool = True, score: float = 0.0) -> Loss:
    logit = torch.where(prediction > 0, SURE, -SURE)
    return loss(logit[None], torch.tensor([score]), truth[None], torch.tensor([is_mask]))


def square(left: int, top: int, right: int, bottom: int, size: int = 10) -> Tensor:
    mask = torch.zeros(size, size)
    mask[top:bottom, left:right] = 1
    return mask


def test_a_right_mask_costs_nothing_and_a_shifted_one_its_share() -> None:
    truth = square(2, 2, 6, 6)
    right, shifted = of(truth, truth), of(square(4, 2, 8, 6), truth)
    assert right.entropy < 1e-4
    assert right.overlap < 1e-4
    assert right.jaccard == 1
    # 16 px each, 8 shared: 8 / 24
    assert shifted.overlap.item() == pytest.approx(1 - 8 / 24, abs=1e-3)
    assert shifted.jaccard.item() == pytest.approx(8 / 24)
    # 16 wrong pixels of the hardest 40 of 100
    assert shifted.entropy.item() == pytest.approx(16 * SURE / 40, abs=1e-3)


def test_a_target_that_is_not_shown_wants_an_empty_mask_and_a_low_score() -> None:
    nothing = torch.zeros(10, 10)
    assert of(nothing, nothing, score=-9.0).score < 1e-3
    wrong = of(square(2, 2, 6, 6), nothing, score=9.0)
    assert wrong.score > 8
    assert wrong.entropy > 1
    assert wrong.overlap == 0


def test_the_score_learns_whether_half_of_the_target_is_found() -> None:
    truth = square(2, 2, 6, 6)
    found, missed = (of(prediction, truth).score.item() for prediction in (truth, square(5, 2, 9, 6)))
    assert found == pytest.approx(math.log(2), abs=1e-3)
    low = of(square(5, 2, 9, 6), truth, score=-4.0).score
    assert low < 0.1 < missed
    assert of(truth, truth, score=-4.0).score > 3


def test_within_a_mere_box_any_mask_that_reaches_its_sides_is_right() -> None:
    box = square(2, 2, 8, 8)
    cross = square(4, 2, 6, 8) + square(2, 4, 8, 6)
    fits, small, outside = (of(m, box, is_mask=False) for m in (cross, square(3, 3, 6, 6), square(2, 2, 10, 10)))
    assert fits.projection < 1e-4
    assert fits.entropy < 1e-4
    assert fits.score.item() == pytest.approx(math.log(2), abs=1e-3)
    # each side: 3 of 6 cells reached: 1 - 2 * 3 / 9
    assert small.projection.item() == pytest.approx(1 - 2 * 3 / 9, abs=1e-3)
    assert small.entropy < 1e-4
    assert outside.entropy > 1
    assert fits.overlap == 0


def test_gradients_flow_and_are_finite() -> None:
    logit = torch.zeros(2, 10, 10, requires_grad=True)
    terms = loss(logit, torch.zeros(2), torch.stack([square(1, 1, 5, 5)] * 2), torch.tensor([True, False]))
    (terms.entropy + terms.overlap + terms.projection).backward()
    assert logit.grad is not None
    assert torch.isfinite(logit.grad).all()
    assert (logit.grad.abs().amax((1, 2)) > 0).all()
