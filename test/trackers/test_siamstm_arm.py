"""ARM against plain loops; what its two divergences punish; Algorithm 1 on made heatmaps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from stm_tracker_ros.trackers.siamstm.arm import (
    DIVERGENCES,
    Past,
    arm_loss,
    divergence,
    followed,
    highest,
    moved,
    repress,
    top_cells,
)
from stm_tracker_ros.trackers.siamstm.label import gaussian_labels, radius

pytestmark = pytest.mark.torch

SIDE = 25


def bump(row: int, column: int, height: float = 1.0, sides: tuple[float, float] = (7.0, 7.0)) -> Tensor:
    label = gaussian_labels(torch.tensor([[column, row]]), torch.tensor([sides], dtype=torch.float64), SIDE)[0]
    return label * height


def plain_divergence(label: np.ndarray, heatmap: np.ndarray, form: str) -> float:
    total = 0.0
    if form == "normalised":
        label, heatmap = label / label.sum(), heatmap / heatmap.sum()
    for y, x in zip(label.ravel(), heatmap.ravel(), strict=True):
        total += y * math.log(y + 1e-12) - y * math.log(x + 1e-12)
    return total


def plain_shift(heatmap: np.ndarray, rows: int, columns: int) -> np.ndarray:
    out = np.zeros_like(heatmap)
    for r in range(heatmap.shape[0]):
        for c in range(heatmap.shape[1]):
            out[(r + rows) % heatmap.shape[0], (c + columns) % heatmap.shape[1]] = heatmap[r, c]
    return out


@pytest.mark.parametrize("form", DIVERGENCES)
def test_the_loss_is_what_plain_loops_give(form: str) -> None:
    torch.manual_seed(0)
    labels = tuple(torch.rand(3, 6, 5).double() for _ in range(2))
    heatmaps = tuple(torch.rand(3, 6, 5).double() for _ in range(2))
    found = arm_loss(labels, heatmaps, form)  # type: ignore[arg-type]
    for index in range(3):
        (y, z), (a, b) = ([part[index].numpy() for part in pair] for pair in (labels, heatmaps))
        p, q = (np.unravel_index(part.argmax(), part.shape) for part in (a, b))
        rows, columns = int(q[0] - p[0]), int(q[1] - p[1])
        expected = plain_divergence(z * z, plain_shift(a, rows, columns) * b, form)
        expected += plain_divergence(y * y, plain_shift(b, -rows, -columns) * a, form)
        assert float(found[index]) == pytest.approx(expected, rel=1e-9)


def test_maps_are_moved_round_the_edges() -> None:
    maps = torch.rand(2, 4, 5)
    by = torch.tensor([[1, -2], [-3, 4]])
    for index in range(2):
        assert torch.equal(moved(maps, by)[index], torch.roll(maps[index], tuple(by[index].tolist()), (0, 1)))
    assert highest(maps).tolist() == [list(np.unravel_index(int(one.argmax()), (4, 5))) for one in maps]


def figures(form: str) -> tuple[float, float, float]:
    """The largest gradient where predictions are their labels; what a second peak, and a map of ones, cost more."""
    label = bump(12, 12)
    maps = label.clone().requires_grad_()
    arm_loss((label[None], label[None]), (maps[None], label[None]), form).backward()
    assert maps.grad is not None
    best = float(divergence(label * label, label * label, form))
    second = torch.maximum(label, bump(5, 19, 0.8))
    both = float(divergence(label * label, second * second, form)) - best
    ones = float(divergence(label * label, torch.ones_like(label), form)) - best
    return float(maps.grad.abs().max()), both, ones


def test_only_the_normalised_loss_is_least_at_the_label() -> None:
    gradient, second, ones = figures("normalised")
    assert gradient < 1e-6
    assert second > 0.3
    assert ones > 1


def test_the_printed_loss_is_no_distance() -> None:
    """It goes on falling as a prediction equal to its label grows, and a second peak lowers it."""
    gradient, second, ones = figures("printed")
    assert gradient > 0.9
    assert second <= 0
    assert ones < 0


def two_peaks() -> tuple[Tensor, Past]:
    """The target at (12, 10), as broad as it was, and a higher distractor of another shape at (12, 18)."""
    past = Past(bump(8, 8), bump(8, 8, 0.9), (8, 8))
    return torch.maximum(bump(12, 10, 0.6), bump(12, 18, 0.8, (5.0, 10.0))), past


def test_with_it_the_target_wins_and_without_it_the_higher_distractor() -> None:
    heatmap, past = two_peaks()
    assert highest(heatmap[None]).tolist() == [[12, 18]]
    found = repress(heatmap, past, 3, "maxima", "normalised")
    assert (found.peak, found.is_aberrant) == ((12, 10), True)
    assert highest(found.heatmap[None]).tolist() == [[12, 10]]
    aligned = torch.roll(past.heatmap, (4, 2), (0, 1))
    assert torch.allclose(found.heatmap, (1 + aligned) * heatmap)
    alone = repress(heatmap, past, 1, "maxima", "normalised")
    assert (alone.peak, alone.is_aberrant) == ((12, 18), False)
    assert alone.heatmap is heatmap
    assert repress(heatmap, past, 3, "maxima", "printed").peak == (12, 18)  # it asks for height


def test_the_highest_cells_are_one_peaks_and_maxima_are_not() -> None:
    heatmap = torch.maximum(bump(12, 18), bump(3, 4, 0.2))
    assert top_cells(heatmap, 2, "maxima") == [(12, 18), (3, 4)]
    cells = top_cells(heatmap, 5, "cells")
    assert cells[0] == (12, 18)
    assert sorted(cells[1:]) == [(11, 18), (12, 17), (12, 19), (13, 18)]
    flat = torch.zeros(3, 3)
    flat[1, 1] = 1
    assert top_cells(flat, 3, "maxima") == [(1, 1)]


def test_what_is_kept_moves_only_to_another_peak() -> None:
    heatmap, past = two_peaks()
    found = repress(heatmap, past, 3, "maxima", "normalised")
    after = followed(past, found)
    assert after.peak == (12, 10)
    for kept, before in ((after.label, past.label), (after.heatmap, past.heatmap)):
        assert torch.equal(kept, torch.roll(before, (4, 2), (0, 1)))
    assert followed(past, repress(heatmap, past, 1, "maxima", "normalised")) is past


def test_labels_are_gaussians_of_centernets_width() -> None:
    sides = torch.tensor([[7.0, 7.0], [3.0, 12.0]])
    label = gaussian_labels(torch.tensor([[4, 9], [20, 2]]), sides, SIDE)
    assert [list(np.unravel_index(int(one.argmax()), (SIDE, SIDE))) for one in label] == [[9, 4], [2, 20]]
    assert label.flatten(1).amax(1).tolist() == [1, 1]
    for (width, height), one, row, column in zip(sides.tolist(), label, (9, 2), (4, 20), strict=True):
        b, c = -2 * 0.7 * (width + height), (0.7 - 1) * width * height
        reach = (b + math.sqrt(b * b - 4 * (4 * 0.7) * c)) / 2
        assert float(radius(torch.tensor([[width, height]]))) == pytest.approx(reach)
        sigma = (2 * reach + 1) / 6
        assert float(one[row + 1, column - 2]) == pytest.approx(math.exp(-5 / (2 * sigma**2)), rel=1e-4)


def test_a_map_of_no_numbers_is_left_as_it_is() -> None:
    """Whoever asks for its best score refuses it; here nothing is found in it."""
    past = Past(torch.zeros(5, 5), torch.zeros(5, 5), (2, 3))
    repressed = repress(torch.full((5, 5), torch.nan), past, 3, "maxima", "normalised")
    assert (repressed.peak, repressed.is_aberrant) == ((2, 3), False)
    assert repressed.heatmap.isnan().all()
