from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.boxes import (
    centers,
    clip_to_image,
    corners,
    from_center,
    from_mask,
    iou,
    of_target,
    upright,
)
from stm_tracker_ros.core.errors import TargetError
from stm_tracker_ros.core.types import Box, RotatedBox, Target

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 10, 10), 50 / 150),
        ((0, 0, 4, 4), (1, 1, 2, 2), 4 / 16),
        ((0, 0, 10, 10), (20, 20, 5, 5), 0.0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0.0),
        ((0, 0, -5, 10), (0, 0, 10, 10), 0.0),
    ],
)
def test_iou_by_hand(first, second, expected):
    assert iou(first, second) == pytest.approx(expected)
    assert iou(second, first) == pytest.approx(expected)


def test_iou_of_equal_boxes_is_never_above_1():
    boxes = np.random.default_rng(0).random((1000, 4)) * 100 + 1
    assert (iou(boxes, boxes) <= 1).all()
    np.testing.assert_allclose(iou(boxes, boxes), 1)


def test_iou_broadcasts_and_passes_nan_on():
    found = iou([[0, 0, 2, 2], [1, 0, 2, 2], [np.nan, 0, 2, 2]], [0, 0, 2, 2])
    np.testing.assert_allclose(found, [1, 2 / 6, np.nan])


def test_iou_against_counted_pixels():
    rng = np.random.default_rng(3)
    for _ in range(50):
        boxes = rng.integers(1, 12, (2, 4))
        drawn = np.zeros((2, 30, 30), bool)
        for canvas, (x, y, w, h) in zip(drawn, boxes, strict=True):
            canvas[y : y + h, x : x + w] = True
        assert iou(*boxes) == pytest.approx((drawn[0] & drawn[1]).sum() / (drawn[0] | drawn[1]).sum())


def test_center_and_back():
    box = Box(3, 5, 4, 7)
    assert box.center == (5, 8.5)
    np.testing.assert_array_equal(centers([box, (0, 0, 1, 1)]), [[5, 8.5], [0.5, 0.5]])
    assert from_center(*box.center, box.width, box.height) == box


def test_box_of_a_mask_holds_every_pixel_of_it():
    mask = np.zeros((20, 30), np.uint8)
    mask[4, 7] = mask[11, 9] = 1
    assert from_mask(mask) == Box(7, 4, 3, 8)


def test_box_of_an_empty_mask_is_refused():
    with pytest.raises(TargetError, match="empty"):
        from_mask(np.zeros((3, 3), np.uint8))


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Box(1, 2, 3, 4), Box(1, 2, 3, 4)),
        (Box(-2, -1, 5, 4), Box(0, 0, 3, 3)),
        (Box(28, 18, 10, 10), Box(28, 18, 2, 2)),
        (Box(-1e300, -1e300, 2e300, 2e300), Box(0, 0, 30, 20)),
        (Box(40, 5, 5, 5), Box(30, 5, 0, 5)),
    ],
)
def test_clip_to_image(box, expected):
    assert clip_to_image(box, 30, 20) == expected


def test_the_box_of_a_target_is_given_or_around_its_mask_and_touches_the_image():
    mask = np.zeros((20, 30), np.uint8)
    mask[4:9, 10:16] = 1
    assert of_target(Target(mask=mask), 30, 20) == (10, 4, 6, 5)
    assert of_target(Target(box=Box(-5, 2, 8, 4)), 30, 20) == (-5, 2, 8, 4)
    with pytest.raises(TargetError, match="lies outside the image of 30 x 20 px"):
        of_target(Target(box=Box(31, 2, 8, 4)), 30, 20)


def test_a_mask_of_another_size_than_the_image_names_no_target():
    with pytest.raises(TargetError, match="mask is 20 x 30 px; the image is 30 x 20 px"):
        of_target(Target(mask=np.ones((30, 20), np.uint8)), 30, 20)


def test_corners_go_round_from_the_upper_left_and_theta_turns_x_towards_y():
    flat = RotatedBox(10, 20, 6, 2, 0)
    np.testing.assert_allclose(corners(flat), [(7, 19), (13, 19), (13, 21), (7, 21)])
    # A quarter turn from x towards y: the side along x now runs down.
    np.testing.assert_allclose(corners(flat._replace(theta=np.pi / 2)), [(11, 17), (11, 23), (9, 23), (9, 17)])
    eighth = corners(RotatedBox(0, 0, 2, 0, np.pi / 4))
    np.testing.assert_allclose(eighth[1], (0.5**0.5, 0.5**0.5))


@pytest.mark.parametrize("theta", [0, 0.3, -1.2, np.pi / 2, 4])
def test_the_upright_box_holds_the_corners_and_no_more(theta):
    rotated = RotatedBox(10, 20, 7, 3, theta)
    low, high = corners(rotated).min(0), corners(rotated).max(0)
    assert upright(rotated) == pytest.approx((*low, *(high - low)))


def test_the_upright_box_of_an_upright_one_is_itself():
    assert upright(RotatedBox(12, 22, 4, 3, 0)) == Box(10, 20.5, 4, 3)
