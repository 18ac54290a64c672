from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.types import Box
from stm_tracker_ros.demo.contact_sheet import GAP_PX, LEGEND_PX, TILE_WIDTH_PX, Moment, contact_sheet
from stm_tracker_ros.demo.pictures import Standing, standing_at
from stm_tracker_ros.drawing import GREEN

pytestmark = pytest.mark.pure

RED = (0, 0, 255)
SMALL = Box(40, 100, 30, 20)
TILE_HEIGHT_PX = TILE_WIDTH_PX * 3 // 4


def moment(target=SMALL, **known):
    """A grey picture of 640 x 480 with a red target."""
    image = np.full((480, 640, 3), 90, np.uint8)
    x, y, width, height = (int(value) for value in target)
    image[y : y + height, x : x + width] = RED
    return Moment(image=image, frame=7, state="TRACKING", **known)


def tile(sheet, index):
    left = GAP_PX + index * (TILE_WIDTH_PX + GAP_PX)
    return sheet[LEGEND_PX : LEGEND_PX + TILE_HEIGHT_PX, left : left + TILE_WIDTH_PX]


def count(picture, color):
    return int((picture == color).all(2).sum())


def test_a_small_target_is_enlarged_where_it_is_not():
    left, right = (tile(contact_sheet([moment(box, box=box)]), 0) for box in (SMALL, SMALL._replace(x=570)))
    as_filmed = SMALL.width * SMALL.height * (TILE_WIDTH_PX / 640) ** 2
    for lower in (left[180:, 240:], right[180:, :240]):
        assert count(lower, RED) > 4 * as_filmed
    assert count(left[180:, :240], RED) == count(right[180:, 240:], RED) == 0


def test_a_large_target_is_large_enough():
    box = Box(100, 100, 200, 300)
    assert (tile(contact_sheet([moment(box, box=box)]), 0)[270:, 300:] == 90).all()


def test_answer_and_truth_are_both_seen_and_the_answer_lies_above():
    apart = tile(contact_sheet([moment(box=SMALL, true_box=SMALL._replace(x=80))]), 0)[60:130, :120]
    assert count(apart, GREEN) > 20
    assert count(apart, (255, 255, 255)) > 10
    same = tile(contact_sheet([moment(box=SMALL, true_box=SMALL)]), 0)[60:130, :120]
    assert count(same, GREEN) > 20
    assert count(same, (255, 255, 255)) == 0


def test_rows_of_four_in_order():
    sheet = contact_sheet([moment(box=SMALL)] * 4 + [moment()])
    assert sheet.shape[1] == 4 * (TILE_WIDTH_PX + GAP_PX) + GAP_PX
    assert sheet.shape[0] == LEGEND_PX + 2 * (TILE_HEIGHT_PX + GAP_PX)
    assert all(count(tile(sheet, index), GREEN) for index in range(4))
    assert not count(sheet[LEGEND_PX + TILE_HEIGHT_PX + GAP_PX :, :TILE_WIDTH_PX][30:], GREEN)


def test_a_moment_without_anything_is_a_tile():
    assert contact_sheet([moment()]).shape[0] == LEGEND_PX + TILE_HEIGHT_PX + GAP_PX


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (0, ("TRACKING", 0)),
        (4, ("TRACKING", 0)),
        (5, ("UNCERTAIN", 1)),
        (9, ("LOST", 5)),
        (11, ("TRACKING", 0)),
        (20, ("LOST", 1)),
    ],
)
def test_unseen_counts_from_the_last_tracking(frame, expected):
    states = [(0, "TRACKING"), (5, "UNCERTAIN"), (8, "LOST"), (10, "TRACKING"), (20, "LOST")]
    assert standing_at(frame, states) == Standing(*expected)


def test_before_the_first_state_there_is_none():
    assert standing_at(3, [(4, "TRACKING")]) == Standing("", 0)
