"""Where a crop lies: drawn squares land where `Crop` says, and the way back is exact."""

from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.types import Box, Frame, Pixels
from stm_tracker_ros.parts.crop import Crop, cut, mean_colour

pytestmark = pytest.mark.pure

BLACK = (0.0, 0.0, 0.0)
SQUARE = Box(120, 90, 40, 24)


def drawn(box: Box = SQUARE, width: int = 320, height: int = 240) -> Frame:
    """Black with a white box on whole pixels."""
    image = np.zeros((height, width, 3), np.uint8)
    image[int(box.y) : int(box.y + box.height), int(box.x) : int(box.x + box.width)] = 255
    return Frame(image=image, stamp_ns=0)


def edges(profile: Pixels) -> tuple[float, float]:
    """Where brightness rises through the half and falls again; sample i is the centre of [i, i + 1)."""
    values = profile.astype(float) - 127.5
    crossings = np.flatnonzero(np.diff(np.sign(values)) != 0)
    places = [i + 0.5 + values[i] / (values[i] - values[i + 1]) for i in (crossings[0], crossings[-1])]
    return places[0], places[1]


def box_seen(patch: Pixels, center: tuple[float, float]) -> np.ndarray:
    """Left, right, top and bottom edge of the white box in the crop."""
    row, column = int(center[1]), int(center[0])
    return np.array([*edges(patch[row, :, 0]), *edges(patch[:, column, 0])])


def errors(frame: Frame, box: Box, side: float, size: int) -> np.ndarray:
    """Edges seen minus edges computed in crop pixels, for crops about sixteen places near the box's centre."""
    result = []
    for step in range(16):
        center = (box.center[0] + 0.31 * step - 2, box.center[1] - 0.23 * step + 2)
        patch, crop = cut(frame, center, side, size, BLACK)
        expected = crop.to_crop(box)
        wanted = [expected.x, expected.x + expected.width, expected.y, expected.y + expected.height]
        result.append(box_seen(patch, expected.center) - wanted)
    return np.array(result)


@pytest.mark.parametrize("side", [60.0, 97.3, 128.0, 200.0])
@pytest.mark.parametrize("size", [256, 289])
def test_a_drawn_box_lands_where_the_crop_says(side: float, size: int) -> None:
    off = errors(drawn(), SQUARE, side, size)
    assert np.abs(off).max() < 0.12  # warpAffine works in 32nds of a source pixel
    assert np.abs(off.mean(0)).max() < 0.02


@pytest.mark.parametrize("side", [300.0, 700.0, 1500.0])
def test_no_bias_where_the_crop_is_reduced(side: float) -> None:
    """A single edge between two samples is seen to a quarter of a pixel only; the mean tells the convention."""
    box = Box(400, 300, 240, 160)
    off = errors(drawn(box, 1280, 960), box, side, 256)
    assert np.abs(off).max() < 0.3
    assert np.abs(off.mean(0)).max() < 0.06


def test_whole_pixels_are_copied_as_they_are() -> None:
    image = np.random.default_rng(0).integers(0, 256, (100, 120, 3), np.uint8)
    patch, crop = cut(Frame(image=image, stamp_ns=0), (60.0, 50.0), 64.0, 64, BLACK)
    assert crop == Crop(left=28.0, top=18.0, scale=1.0)
    np.testing.assert_array_equal(patch, image[18:82, 28:92])


def test_the_way_back_is_exact() -> None:
    crop = Crop(left=-13.25, top=88.4, scale=0.731)
    box = Box(17.3, 0.4, 61.0, 2.5)
    np.testing.assert_allclose(crop.to_crop(crop.to_image(box)), box, rtol=1e-12)
    np.testing.assert_allclose(crop.to_image(crop.to_crop(box)), box, rtol=1e-12)


def test_the_middle_of_the_crop_is_the_centre_that_was_asked_for() -> None:
    _, crop = cut(drawn(), (101.3, 77.7), 90.0, 289, BLACK)
    assert crop.to_crop(Box(101.3, 77.7, 0, 0))[:2] == pytest.approx((144.5, 144.5))


def test_beyond_the_border_is_the_colour_given() -> None:
    white = Frame(image=np.full((50, 60, 3), 255, np.uint8), stamp_ns=0)
    patch, _ = cut(white, (0.0, 25.0), 40.0, 80, (10.0, 20.0, 30.0))
    np.testing.assert_array_equal(patch[40, :38], np.tile((10, 20, 30), (38, 1)))
    assert (patch[40, 42:] == 255).all()


def test_a_crop_wholly_outside_is_the_colour_given() -> None:
    patch, crop = cut(drawn(), (-500.0, 1000.0), 50.0, 32, (9.6, 0.0, 255.0))
    assert patch.shape == (32, 32, 3)
    assert (patch == (10, 0, 255)).all()
    assert crop.scale == 50 / 32


class Watched:
    """An image that remembers what was asked of it."""

    def __init__(self, image: Pixels) -> None:
        self.image, self.asked = image, [0, 0, 0, 0]

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width, _ = self.image.shape
        return height, width, 3

    def region(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        self.asked = [left, top, right, bottom]
        return self.image[top:bottom, left:right]


def test_only_what_the_crop_needs_is_read() -> None:
    image = np.random.default_rng(1).integers(0, 256, (2160, 3840, 3), np.uint8)
    view = Watched(image)
    patch, _ = cut(Frame(image=view, stamp_ns=0), (2000.0, 1000.0), 200.0, 256, BLACK)
    left, top, right, bottom = view.asked
    assert right - left <= 204
    assert bottom - top <= 204
    np.testing.assert_array_equal(patch, cut(Frame(image=image, stamp_ns=0), (2000.0, 1000.0), 200.0, 256, BLACK)[0])


def test_mean_colour_counts_what_lies_inside() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, :20] = (10, 20, 30)
    assert mean_colour(Frame(image=image, stamp_ns=0), (0.0, 20.0), 20.0) == pytest.approx((10, 20, 30))
    assert mean_colour(Frame(image=image, stamp_ns=0), (-100.0, 20.0), 20.0) == (127.0, 127.0, 127.0)
