"""Boxes of masks against shapes drawn from their own description."""

from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.boxes import corners, upright
from stm_tracker_ros.core.types import Box, RotatedBox
from stm_tracker_ros.parts.mask_box import fit

pytestmark = pytest.mark.pure

CENTER = (128.3, 120.7)


def along_and_across(theta: float, center: tuple[float, float] = CENTER, shape: tuple[int, int] = (240, 256)):
    """Of the centre of every pixel: how far it lies along theta, and across."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    x, y = columns - center[0], rows - center[1]
    return x * np.cos(theta) + y * np.sin(theta), -x * np.sin(theta) + y * np.cos(theta)


def rectangle(width: float, height: float, theta: float, **where) -> np.ndarray:
    along, across = along_and_across(theta, **where)
    return ((abs(along) <= width / 2) & (abs(across) <= height / 2)).astype(np.uint8) * 255


def fitted(mask: np.ndarray):
    found = fit(mask)
    assert found is not None
    return found


def test_an_upright_rectangle_is_found_to_the_pixel_and_not_turned():
    mask = np.zeros((60, 80), np.uint8)
    mask[10:30, 22:62] = 1
    found = fitted(mask)
    assert found.box == Box(22, 10, 40, 20)
    assert found.rotated == pytest.approx(RotatedBox(42, 20, 40, 20, 0))
    assert found.area == 800


@pytest.mark.parametrize("size", [(120, 60), (60, 120), (90, 84), (180, 12)])
@pytest.mark.parametrize("degrees", [-44, -30, -5, 5, 20, 44])
def test_a_turned_rectangle_keeps_centre_sides_and_theta_from_x_towards_y(size, degrees):
    found = fitted(rectangle(*size, np.radians(degrees))).rotated
    assert np.degrees(found.theta) == pytest.approx(degrees, abs=1.5)
    assert found[:2] == pytest.approx(CENTER, abs=0.7)
    assert (found.size_x, found.size_y) == pytest.approx(size, abs=2)


def test_beyond_45_degrees_the_other_side_is_size_x():
    found = fitted(rectangle(120, 60, np.radians(70))).rotated
    assert np.degrees(found.theta) == pytest.approx(-20, abs=1)
    assert (found.size_x, found.size_y) == pytest.approx((60, 120), abs=2)


def test_the_corners_of_the_fit_enclose_what_was_drawn_and_little_more():
    mask = rectangle(100, 40, np.radians(25))
    found = fitted(mask)
    x, y = corners(found.rotated).T
    assert 0.5 * abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) == pytest.approx(4000, rel=0.06)
    assert upright(found.rotated) == pytest.approx(found.box, abs=2.5)


def test_an_ellipse_is_turned_like_its_long_axis():
    along, across = along_and_across(np.radians(-35))
    found = fitted(((along / 70) ** 2 + (across / 30) ** 2 <= 1).astype(np.uint8)).rotated
    assert np.degrees(found.theta) == pytest.approx(-35, abs=2)
    assert found[:2] == pytest.approx(CENTER, abs=1)
    # The ends of an ellipse are thin: a box that leaves them out fits better, and it keeps at least nine tenths.
    assert 120 < found.size_x <= 142
    assert 52 < found.size_y <= 62


def test_an_arm_is_cut_off_the_rotated_box_and_stays_in_the_upright_one():
    theta = np.radians(20)
    along, across = along_and_across(theta)
    body = rectangle(160, 90, theta)
    arm = (abs(along) <= 2) & (across < 0) & (across > -105)
    found = fitted(np.where(arm, 255, body).astype(np.uint8))
    assert np.degrees(found.rotated.theta) == pytest.approx(20, abs=2)
    assert (found.rotated.size_x, found.rotated.size_y) == pytest.approx((160, 90), abs=4)
    assert found.box.y < fitted(body).box.y - 10


def test_holes_count_as_target():
    mask = rectangle(100, 60, np.radians(15))
    along, across = along_and_across(np.radians(15))
    holed = np.where((abs(along) < 44) & (abs(across) < 24), 0, mask).astype(np.uint8)
    assert holed.sum() < 0.4 * mask.sum()
    assert fitted(holed) == fitted(mask)


def test_the_largest_component_counts_by_pixels_not_by_length():
    mask = np.zeros((100, 200), np.uint8)
    mask[5, 2:198] = 1  # 196 pixels in a line
    mask[40:60, 50:70] = 1  # 400 in a block
    mask[80:90, 100:105] = 1
    assert fitted(mask).box == Box(50, 40, 20, 20)
    assert fitted(mask).area == 400


def test_among_many_specks_the_largest_is_found():
    rng = np.random.default_rng(0)
    mask = (rng.random((128, 128)) > 0.97).astype(np.uint8)
    mask[30:60, 40:90] = 1
    found = fitted(mask)
    assert found.box.x <= 40
    assert found.box.x + found.box.width >= 90
    assert 1500 <= found.area < 1600


def test_parts_that_touch_by_a_corner_are_one():
    mask = np.zeros((20, 20), np.uint8)
    mask[4:8, 4:8] = mask[8:12, 8:12] = 1
    assert fitted(mask).box == Box(4, 4, 8, 8)
    assert fitted(mask).area == 32


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 1), (1, 7), (3, 3), (6, 4)])
def test_a_tiny_target_has_boxes_of_its_pixels(width, height):
    mask = np.zeros((30, 30), np.uint8)
    mask[7 : 7 + height, 11 : 11 + width] = 1
    found = fitted(mask)
    assert found.box == Box(11, 7, width, height)
    assert found.rotated == pytest.approx((11 + width / 2, 7 + height / 2, width, height, 0))
    assert found.area == width * height


def test_a_diagonal_line_of_one_pixel():
    found = fitted(np.eye(200, dtype=np.uint8))
    assert abs(np.degrees(found.rotated.theta)) == pytest.approx(45, abs=0.5)
    assert found.rotated[:2] == pytest.approx((100, 100), abs=1)
    assert max(found.rotated.size_x, found.rotated.size_y) == pytest.approx(200 * 2**0.5, rel=0.12)
    assert min(found.rotated.size_x, found.rotated.size_y) < 4
    assert found.area == 200


@pytest.mark.parametrize("mask", [np.zeros((9, 9), np.uint8), np.zeros((1, 1), bool)])
def test_an_empty_mask_is_a_state(mask):
    assert fit(mask) is None


def test_specks_below_the_area_asked_for_are_none():
    mask = np.zeros((30, 30), bool)
    mask[3:8, 3:8] = True
    assert fit(mask, min_area_px=26) is None
    assert fit(mask, min_area_px=25) is not None


@pytest.mark.parametrize("shape", [(24, 40), (1, 1), (1, 300)])
def test_the_whole_image(shape):
    found = fitted(np.full(shape, 255, np.uint8))
    assert found.box == Box(0, 0, shape[1], shape[0])
    assert found.rotated == pytest.approx((shape[1] / 2, shape[0] / 2, shape[1], shape[0], 0))


def test_a_target_cut_off_by_the_border_has_boxes_inside_it():
    mask = rectangle(60, 60, 0, center=(5.0, 239.0))
    assert fitted(mask).box == Box(0, 209, 35, 31)
    assert fitted(mask).rotated == pytest.approx((17.5, 224.5, 35, 31, 0))


def test_any_value_but_zero_is_target_and_the_mask_is_left_alone():
    mask = rectangle(50, 30, 0.3)
    before = mask.copy()
    assert fit(mask) == fit(mask > 0) == fit(mask // 255) == fit(mask[:, ::1])
    assert (mask == before).all()


def test_a_large_image_is_fitted_on_the_same_grid():
    small, large = rectangle(120, 60, 0.4), rectangle(480, 240, 0.4, center=(513.2, 482.8), shape=(960, 1024))
    found = [fitted(mask).rotated for mask in (small, large)]
    np.testing.assert_allclose(np.array(found[1]) / np.array(found[0]), [4, 4, 4, 4, 1], rtol=0.02)
