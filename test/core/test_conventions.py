"""The conventions of boxes, each on a picture drawn by hand (`#` = target)."""

from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.boxes import clip_to_image, from_mask, iou
from stm_tracker_ros.core.types import Box, Frame

pytestmark = pytest.mark.pure


def drawn(picture: str) -> np.ndarray:
    rows = picture.split()
    return np.array([[character == "#" for character in row] for row in rows], np.uint8)


def test_pixel_i_covers_i_to_i_plus_1_so_width_counts_pixels():
    mask = drawn("""
        ........
        ..###...
        ..###...
        ........
    """)
    assert from_mask(mask) == Box(2, 1, 3, 2)


def test_center_is_x_plus_half_the_width():
    one = drawn("""
        ....
        .#..
    """)
    assert from_mask(one).center == (1.5, 1.5)
    two = drawn("""
        ....
        .##.
    """)
    assert from_mask(two).center == (2.0, 1.5)


def test_boxes_side_by_side_share_nothing():
    left, right = drawn("##.."), drawn("..##")
    assert iou(from_mask(left), from_mask(right)) == 0


def test_the_box_of_the_whole_image_starts_at_0_and_is_as_long_as_the_image():
    mask = drawn("""
        ######
        ######
    """)
    assert from_mask(mask) == Box(0, 0, 6, 2) == clip_to_image(Box(-5, -5, 50, 50), 6, 2)


def test_a_box_cuts_out_just_its_pixels():
    mask = drawn("""
        ......
        .##...
        .##...
        .##...
    """)
    frame = Frame(image=np.repeat(mask[..., None] * np.uint8(255), 3, axis=2), stamp_ns=0)
    x, y, width, height = from_mask(mask)
    assert (frame.region(x, y, x + width, y + height) == 255).all()
    assert frame.bgr().sum() == 255 * 3 * width * height


def test_x_runs_along_columns_and_y_down_the_rows():
    mask = drawn("""
        ...#
        ....
    """)
    assert from_mask(mask)[:2] == (3, 0)
