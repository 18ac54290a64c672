"""Heads and their losses: what is decoded, what is labelled, and that the right answer costs the least."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from stm_tracker_ros.trackers.siamstm.head import KINDS, Head, Prediction, branch, lite_branch
from stm_tracker_ros.trackers.siamstm.loss import Loss, Target, heatmap_loss, loss, mask_loss, target_of

pytestmark = pytest.mark.torch

COUNT, FIRST, STRIDE = 25, 31.0, 8
BOX = torch.tensor([[100.0, 60.0, 164.0, 108.0]])  # its centre, 132, 84, is 12.6 and 6.6 cells from the first point


def head(kind: str = "center") -> Head:
    torch.manual_seed(0)
    parts = (2, 2) if kind == "center" else (4,)
    return Head(kind, partial(branch, 8, 8), parts, count=COUNT, first=FIRST, stride=STRIDE)


def ideal(made: Head, target: Target) -> Prediction:
    """The answer that is right in every cell."""
    whole = torch.cat([target.center, target.sides], -1).expand(-1, COUNT * COUNT, -1)
    logit = torch.logit(target.label.clamp(1e-4, 1 - 1e-4))
    return Prediction(logit, whole, None if made.kind == "center" else torch.full_like(logit, 9.0))


def test_the_label_lies_in_the_cell_whose_point_is_nearest() -> None:
    target = target_of(head(), BOX, torch.tensor([1]))
    assert target.cell.tolist() == [[13, 7]]
    assert int(target.label.argmax()) == 7 * COUNT + 13
    assert float(target.label.max()) == 1
    point = head().points[7 * COUNT + 13]
    assert ((target.center[0, 0] - point) / STRIDE).tolist() == [-0.375, -0.375]


@pytest.mark.parametrize(("state", "counted"), [(0, 1.0), (-1, 0.0)])
def test_without_a_target_there_is_no_label_and_what_is_unclear_does_not_count(state: int, counted: float) -> None:
    target = target_of(head(), BOX, torch.tensor([state]))
    assert float(target.label.max()) == 0
    logit = torch.full((1, COUNT * COUNT), 2.0)
    assert (float(heatmap_loss(logit, target)) > 0) == bool(counted)


def test_the_focal_loss_is_cornernets() -> None:
    target = target_of(head(), BOX, torch.tensor([1]))
    logit = torch.randn(1, COUNT * COUNT)
    expected = 0.0
    for p, y in zip(torch.sigmoid(logit[0]).tolist(), target.label[0].tolist(), strict=True):
        best = torch.tensor(p).log() * (1 - p) ** 2
        expected -= float(best if y == 1 else (1 - y) ** 4 * p**2 * torch.tensor(1 - p).log())
    assert float(heatmap_loss(logit, target)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_answer_costs_the_least(kind: str) -> None:
    made = head(kind)
    target = target_of(made, BOX, torch.tensor([1]))
    right = ideal(made, target)
    best = loss(right, made, target)
    assert float(best.iou) == pytest.approx(1)
    assert float(best.size) == pytest.approx(0, abs=1e-4)
    off = right.box + torch.tensor([4.0, -4.0, 8.0, 16.0])
    wrong = loss(right._replace(box=off), made, target)
    assert float(wrong.size) > 0.1
    assert float(wrong.iou) < 0.9
    elsewhere = right._replace(logit=right.logit.roll(60, 1))
    assert float(loss(elsewhere, made, target).heat) > float(best.heat) + 1
    if kind == "center":
        assert float(wrong.offset) == pytest.approx(0.5)
        assert float(wrong.size) == pytest.approx(1.5)


def learning_cells(reach: float) -> Tensor:
    made = head()
    target = target_of(made, BOX, torch.tensor([1]))
    right = ideal(made, target)
    box = (right.box + 1).requires_grad_()
    (grad,) = torch.autograd.grad(loss(right._replace(box=box), made, target, reach).size, box)
    return (grad[0].abs().sum(-1) > 0).nonzero()[:, 0]


def test_the_box_is_learned_in_the_targets_cell_or_around_it() -> None:
    middle = 7 * COUNT + 13
    assert learning_cells(1.0).tolist() == [middle]
    near = set(learning_cells(0.3).tolist())
    assert {middle, middle - 1, middle + 1, middle - COUNT, middle + COUNT} <= near
    assert len(near) < 30


@pytest.mark.parametrize("kind", KINDS)
def test_heads_begin_at_a_usual_target_and_learn_a_box(kind: str) -> None:
    made = head(kind)
    x = torch.randn(1, 8, COUNT, COUNT)
    first = made(x)
    assert first.logit.shape == (1, COUNT * COUNT)
    assert first.box[0, :, 2:].mean().item() == pytest.approx(56, abs=6)
    assert first.score.max().item() < 0.3
    target = target_of(made, BOX, torch.tensor([1]))
    optimiser = torch.optim.Adam(made.parameters(), 0.02)
    for _ in range(160):
        found: Loss = loss(made(x), made, target)
        optimiser.zero_grad()
        (found.heat + found.offset + found.size).backward()
        optimiser.step()
    answer = made(x)
    best = int(answer.score.argmax())
    assert divmod(best, COUNT) == (7, 13)
    assert answer.box[0, best].tolist() == pytest.approx([132, 84, 64, 48], abs=4)


def test_a_lite_branch_gives_as_many_channels_as_asked_for() -> None:
    assert lite_branch(8, 4)(torch.zeros(2, 8, 5, 5)).shape == (2, 4, 5, 5)


def test_masks_cost_what_they_miss() -> None:
    truth = torch.zeros(1, 8, 8)
    truth[:, 2:6, 2:6] = 1
    right = (truth * 2 - 1) * 20
    assert [float(part) for part in mask_loss(right, truth)] == pytest.approx([0, 0], abs=1e-4)
    entropy, overlap = mask_loss(right.roll(2, 2), truth)
    assert float(overlap) == pytest.approx(1 - 8 / 24, abs=1e-3)
    assert float(entropy) > 1
