from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.types import Box, RotatedBox
from stm_tracker_ros.drawing import AMBER, GREEN, RED, draw_overlay

pytestmark = pytest.mark.pure


@pytest.fixture
def image():
    return np.full((120, 160, 3), 90, np.uint8)


def test_the_image_itself_is_left_alone(image):
    picture = draw_overlay(image, box=Box(10, 20, 30, 40), state="TRACKING", score=0.5)
    assert (image == 90).all()
    assert picture.shape == image.shape
    assert (picture != image).any()


def test_the_box_runs_along_the_pixels_that_it_covers(image):
    changed = (draw_overlay(image, box=Box(50, 60, 30, 40)) != 90).any(2)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert (columns[0], columns[-1], rows[0], rows[-1]) == (50, 79, 60, 99)


@pytest.mark.parametrize(("state", "color"), [("TRACKING", GREEN), ("UNCERTAIN", AMBER), ("LOST", RED)])
def test_the_state_gives_the_color(image, state, color):
    picture = draw_overlay(image, box=Box(50, 60, 30, 40), state=state)
    assert tuple(picture[60, 65]) == color


def test_a_mask_is_tinted_and_nothing_else_is(image):
    mask = np.zeros((120, 160), np.uint8)
    mask[40:50, 40:50] = 255
    changed = (draw_overlay(image, mask=mask) != 90).any(2)
    assert np.array_equal(changed, mask > 0)


def test_a_box_far_outside_and_an_image_that_is_a_view_are_drawn(image):
    drawn = draw_overlay(image[:, ::-1], box=Box(-1e12, 1e12, 1e15, 5.0), state="LOST", score=0.0, note="far away")
    assert drawn.shape == image.shape
    assert (drawn != 90).any()
    assert (image == 90).all()


def test_a_rotated_box_is_drawn_in_place_of_the_upright_one(image):
    rotated = RotatedBox(80, 60, 60, 20, np.radians(30))
    changed = (draw_overlay(image, box=Box(40, 30, 80, 60), rotated=rotated) != 90).any(2)
    rows, columns = np.nonzero(changed)
    along = (columns + 0.5 - 80) * np.cos(rotated.theta) + (rows + 0.5 - 60) * np.sin(rotated.theta)
    across = (rows + 0.5 - 60) * np.cos(rotated.theta) - (columns + 0.5 - 80) * np.sin(rotated.theta)
    assert abs(along).max() == pytest.approx(29.5, abs=1)
    assert abs(across).max() == pytest.approx(9.5, abs=1)
    assert not changed[30, 45:115].any()
    # The lower right end lies below the middle: theta turns from x towards y.
    assert rows[columns.argmax()] > 65


def test_a_rotated_box_of_theta_0_runs_along_the_same_pixels(image):
    upright = draw_overlay(image, box=Box(50, 60, 30, 40))
    assert (draw_overlay(image, box=Box(50, 60, 30, 40), rotated=RotatedBox(65, 80, 30, 40, 0)) == upright).all()


def test_without_a_box_no_rotated_one_is_drawn(image):
    assert (draw_overlay(image, rotated=RotatedBox(80, 60, 60, 20, 1)) == image).all()
