from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.errors import TargetError, TargetFault
from stm_tracker_ros.core.named_target import on_image
from stm_tracker_ros.core.types import Box, Target

pytestmark = pytest.mark.pure

WIDTH, HEIGHT = 384, 216


def refused(box):
    with pytest.raises(TargetError) as error:
        on_image(Target(box=Box(*box)), WIDTH, HEIGHT)
    return error.value


@pytest.mark.parametrize(
    ("given", "followed"),
    [
        ((285.25, 100.75, 19.75, 39.25), (285.25, 100.75, 19.75, 39.25)),
        ((-5, 100, 20, 40), (0, 100, 15, 40)),
        ((375, 100, 60, 40), (375, 100, 9, 40)),
        ((10, 10, 400, 300), (10, 10, 374, 206)),
        ((0, 0, 384, 216), (0, 0, 384, 216)),
        ((0.5, 0.5, 3, 3), (0.5, 0.5, 3, 3)),
    ],
)
def test_boxes_are_cut_at_the_image(given, followed):
    assert on_image(Target(box=Box(*given)), WIDTH, HEIGHT).box == Box(*followed)


@pytest.mark.parametrize(
    ("box", "fault", "text"),
    [
        ((285, 100, 0, 0), TargetFault.TOO_SMALL, "box (285, 100, 0, 0) is 0 x 0 px; allowed is at least 3 px a side"),
        ((285, 100, -19, 39), TargetFault.TOO_SMALL, "box (285, 100, -19, 39) is -19 x 39 px; allowed is at least 3"),
        ((383, 100, 20, 40), TargetFault.TOO_SMALL, "inside the image of 384 x 216 px is 1 x 40 px"),
        ((400, 100, 20, 40), TargetFault.OUTSIDE_IMAGE, "box (400, 100, 20, 40) lies outside the image of 384 x 216"),
    ],
)
def test_what_cannot_be_followed_is_refused(box, fault, text):
    error = refused(box)
    assert error.fault is fault
    assert text in str(error)
    assert "if these are" not in str(error)


@pytest.mark.parametrize(
    ("box", "pixels"), [((0.5, 0.25, 0.25, 0.5), "(192, 54, 96, 108)"), ((0, 0, 1, 1), "(0, 0, 384, 216)")]
)
def test_shares_of_the_image_are_refused_with_their_pixels(box, pixels):
    error = refused(box)
    assert error.fault is TargetFault.TOO_SMALL
    assert f"if these are shares of the image's sides, give {pixels}" in str(error)


@pytest.mark.parametrize(
    ("corners", "box"),
    [((285, 100, 305, 140), "(285, 100, 20, 40)"), ((300, 10, 384, 216), "(300, 10, 84, 206)")],
)
def test_corners_are_refused_with_their_box(corners, box):
    error = refused(corners)
    assert error.fault is TargetFault.OUTSIDE_IMAGE
    assert "far beyond the image of 384 x 216 px" in str(error)
    assert f"if these are two corners, give {box}" in str(error)


@pytest.mark.parametrize("box", [(250, 90, 140, 100), (-30, 10, 60, 20)], ids=["mostly inside", "no corners"])
def test_a_target_at_the_edge_is_not_taken_for_corners(box):
    assert on_image(Target(box=Box(*box)), WIDTH, HEIGHT).box.width > 0


def test_a_mask_is_judged_by_its_box_and_stays_as_it_is():
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    drawn[10:12, 20:60] = 255
    with pytest.raises(TargetError, match="mask covers 40 x 2 px; allowed is at least 3 px a side"):
        on_image(Target(mask=drawn), WIDTH, HEIGHT)
    drawn[10:13, 20:60] = 255
    assert on_image(Target(mask=drawn), WIDTH, HEIGHT).mask is drawn
    with pytest.raises(TargetError, match="mask is 384 x 216 px; the image is 216 x 384 px"):
        on_image(Target(mask=drawn), HEIGHT, WIDTH)


def test_nan_in_a_mask_is_not_the_target():
    drawn = np.full((HEIGHT, WIDTH), np.nan, np.float32)
    drawn[10:30, 20:60] = 1
    assert np.count_nonzero(on_image(Target(mask=drawn), WIDTH, HEIGHT).mask) == 800
