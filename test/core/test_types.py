from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stm_tracker_ros.core.errors import FrameError, TargetError
from stm_tracker_ros.core.types import Box, Frame, ImageView, Result, Target

pytestmark = pytest.mark.pure

IMAGE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


class Lazy:
    """A view that says which regions were asked for."""

    shape = (4, 6, 3)

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int, int]] = []

    def region(self, left: int, top: int, right: int, bottom: int) -> np.ndarray:
        self.asked.append((left, top, right, bottom))
        return IMAGE[top:bottom, left:right]


def test_frame_has_width_and_height_of_its_image():
    frame = Frame(image=IMAGE, stamp_ns=7)
    assert (frame.width, frame.height, frame.gap) == (6, 4, 0)


def test_region_is_the_same_of_array_and_of_view():
    lazy = Lazy()
    assert isinstance(lazy, ImageView)
    of_array = Frame(image=IMAGE, stamp_ns=0).region(1, 2, 4, 4)
    np.testing.assert_array_equal(of_array, IMAGE[2:4, 1:4])
    np.testing.assert_array_equal(Frame(image=lazy, stamp_ns=0).region(1, 2, 4, 4), of_array)
    assert lazy.asked == [(1, 2, 4, 4)]


def test_bgr_is_the_whole_image():
    np.testing.assert_array_equal(Frame(image=Lazy(), stamp_ns=0).bgr(), IMAGE)


@pytest.mark.parametrize(
    ("image", "named"),
    [
        (np.zeros((4, 6), np.uint8), r"shape \(4, 6\)"),
        (np.zeros((4, 6, 4), np.uint8), r"shape \(4, 6, 4\)"),
        (np.zeros((0, 6, 3), np.uint8), r"shape \(0, 6, 3\)"),
        (np.zeros((4, 6, 3), np.float32), "type float32"),
    ],
)
def test_unusable_image_is_refused_by_name(image, named):
    with pytest.raises(FrameError, match=named):
        Frame(image=image, stamp_ns=0)


def test_negative_gap_is_refused():
    with pytest.raises(FrameError, match="gap is -1"):
        Frame(image=IMAGE, stamp_ns=0, gap=-1)


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ({}, "neither"),
        ({"box": Box(0, 0, 3, 3), "mask": np.ones((4, 6), np.uint8)}, "both"),
        ({"box": Box(0, 0, float("nan"), 3)}, "not finite"),
        ({"mask": np.zeros((4, 6), np.uint8)}, "a target in it"),
        ({"mask": np.ones((4, 6, 3), np.uint8)}, "height x width"),
    ],
)
def test_impossible_target_is_refused(target, named):
    with pytest.raises(TargetError, match=named):
        Target(**target)


def test_what_travels_is_frozen():
    for thing in (Frame(image=IMAGE, stamp_ns=0), Target(box=Box(0, 0, 3, 3)), Result(box=Box(0, 0, 3, 3), score=1)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            thing.gap = 3


def test_any_four_numbers_are_a_box():
    target = Target(box=[1, 2, 30, 40])
    assert target.box == Box(1, 2, 30, 40)
    assert target.box.width == 30
    with pytest.raises(TargetError, match="allowed are four numbers"):
        Target(box=(1, 2, 3))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"image": None, "stamp_ns": 0}, "image is a NoneType"),
        ({"image": [[1]], "stamp_ns": 0}, "image is a list"),
        ({"image": np.zeros((4, 4, 3), np.uint8), "stamp_ns": float("nan")}, "stamp_ns is nan; allowed are whole"),
    ],
)
def test_frames_of_other_things_are_refused(fields, words):
    with pytest.raises(FrameError, match=words):
        Frame(**fields)
