"""Label maps: fractions and pixel centres, counted by hand and against area."""

from __future__ import annotations

import pytest
import torch

from stm_tracker_ros.parts.label_map import coverage, inside

pytestmark = pytest.mark.torch


def test_cells_hold_the_fraction_that_the_box_covers() -> None:
    (label,) = coverage(torch.tensor([[4.0, 0.0, 14.0, 6.0]]), 4, 16.0)[0]
    rows = torch.tensor([1.0, 0.5, 0.0, 0.0])
    columns = torch.tensor([0.0, 1.0, 1.0, 0.5])
    torch.testing.assert_close(label, rows[:, None] * columns[None])


def test_the_whole_map_has_the_area_of_the_box() -> None:
    boxes = torch.tensor([[3.3, 70.1, 180.7, 90.9], [100.0, 100.0, 101.5, 102.0]])
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    cell_area = (256 / 64) ** 2
    torch.testing.assert_close(coverage(boxes, 64, 256.0).sum((1, 2, 3)) * cell_area, area)


def test_what_leaves_the_crop_is_cut_off() -> None:
    box = torch.tensor([[-50.0, 8.0, 500.0, 16.0]])
    expected = torch.zeros(1, 1, 4, 4)
    expected[:, :, 2:] = 1
    torch.testing.assert_close(coverage(box, 4, 16.0), expected)
    torch.testing.assert_close(inside(box, 16)[..., 8:, :], torch.ones(1, 1, 8, 16))
    assert inside(box, 16)[..., :8, :].sum() == 0


def test_pixels_count_by_their_centres() -> None:
    label = inside(torch.tensor([[2.4, 1.6, 5.5, 3.4], [0.0, 0.0, 8.0, 8.0]]), 8)
    assert label.shape == (2, 1, 8, 8)
    expected = torch.zeros(8, 8)
    expected[2, 2:5] = 1  # centres 2.5, 3.5, 4.5 across; 2.5 down
    torch.testing.assert_close(label[0, 0], expected)
    assert label[1].min() == 1


def test_the_rule_of_the_paper_gives_72_pixels_for_a_target_of_72() -> None:
    size, crop = 72.25, 289
    low = crop / 2 - size / 2
    label = inside(torch.tensor([[low, low, low + size, low + size]]), crop)[0, 0]
    columns = label.amax(0).nonzero()
    assert (int(columns.min()), int(columns.max())) == (108, 180)
