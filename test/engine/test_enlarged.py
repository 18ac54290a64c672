"""A smaller version of an image in the size that it had."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.types import ImageView
from stm_tracker_ros.engine.enlarged import EnlargedView

pytestmark = pytest.mark.pure

SIZE = (121, 90)


def ramp(width, height, full_width, full_height):
    """As if an image with these colours at the centres of its pixels had been made smaller."""
    x = (np.arange(width) + 0.5) * full_width / width - 0.5
    y = (np.arange(height) + 0.5) * full_height / height - 0.5
    x, y = np.meshgrid(x, y)
    return np.stack([x, y * 2, x + y], axis=-1)


@pytest.mark.parametrize("size", [(60, 44), (61, 45), (30, 22), SIZE])
def test_places_keep_their_meaning(size):
    """A pixel of a smooth image is where it was, to a fraction of one."""
    view = EnlargedView(ramp(*size, *SIZE).round().astype(np.uint8), *SIZE)
    assert isinstance(view, ImageView)
    assert view.shape == (90, 121, 3)
    whole, true = view.region(0, 0, *SIZE), ramp(*SIZE, *SIZE)
    inner = slice(3, -3), slice(3, -3)
    assert np.abs(whole.astype(float) - true)[inner].max() <= 1.5


@pytest.mark.parametrize("region", [(0, 0, 121, 90), (0, 0, 1, 1), (120, 89, 121, 90), (17, 5, 80, 63), (1, 80, 3, 90)])
def test_a_part_is_that_of_the_whole(region):
    left, top, right, bottom = region
    pixels = np.random.default_rng(0).integers(0, 255, (45, 61, 3), np.uint8)
    view = EnlargedView(cv2.GaussianBlur(pixels, (5, 5), 0), *SIZE)
    part, whole = view.region(*region), view.region(0, 0, *SIZE)
    assert part.shape == (bottom - top, right - left, 3)
    assert part.dtype == np.uint8
    assert np.abs(part.astype(int) - whole[top:bottom, left:right]).max() <= 4, "but for the rounding of places"


def test_only_what_is_needed_is_asked_for():
    asked = []

    class Small:
        shape = 45, 60, 3

        def region(self, left, top, right, bottom):
            asked.append((left, top, right, bottom))
            return np.zeros((bottom - top, right - left, 3), np.uint8)

    EnlargedView(Small(), 120, 90).region(40, 20, 60, 40)
    EnlargedView(Small(), 120, 90).region(0, 0, 120, 90)
    assert asked == [(19, 9, 31, 21), (0, 0, 60, 45)]
