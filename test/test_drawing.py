from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.types import Box
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
