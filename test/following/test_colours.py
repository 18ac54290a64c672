"""The colours of a target: what has them may be it, what has not is something else."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_matcher import PERIOD_NS

from stm_tracker_ros.core.matching import Crop, Look
from stm_tracker_ros.core.types import Box, Frame
from stm_tracker_ros.following.colours import Colours

pytestmark = pytest.mark.pure

SIZE, SCALE = 120, 2.0  # of the look, pixels; image pixels each of them spans
RED, BLUE, GREEN, GREY = (30, 40, 200), (200, 60, 30), (60, 200, 60), (110, 110, 110)
SAME, OTHER = 0.8, 0.75  # likeness
PLACE, ELSEWHERE = Box(60.0, 60.0, 60.0, 40.0), Box(150.0, 160.0, 40.0, 60.0)


def look(*things: tuple[Box, tuple[int, int, int]], light: float = 1.0) -> Look:
    """A grey look with things of one colour each: boxes in image pixels."""
    patch = np.full((SIZE, SIZE, 3), GREY, np.float64)
    patch += np.random.default_rng(0).normal(0, 4, patch.shape)
    for box, colour in things:
        x, y, width, height = (round(value / SCALE) for value in box)
        patch[y : y + height, x : x + width] = colour
    pixels = np.clip(patch * light, 0, 255).astype(np.uint8)
    frame = Frame(image=pixels, stamp_ns=round(PERIOD_NS))
    crop = Crop(left=0.0, top=0.0, scale=SCALE)
    return Look(frame=frame, number=1, crop=crop, patch=pixels, fill=(0, 0, 0), expected=PLACE)


def test_the_same_elsewhere_and_of_another_size_has_them() -> None:
    colours = Colours(look((PLACE, RED)), PLACE)
    assert colours.likeness(look((ELSEWHERE, RED)), ELSEWHERE) > SAME


def test_another_thing_and_the_background_have_not() -> None:
    colours = Colours(look((PLACE, RED)), PLACE)
    assert colours.likeness(look((ELSEWHERE, BLUE)), ELSEWHERE) < OTHER
    assert colours.likeness(look(), ELSEWHERE) < OTHER


def test_what_was_learned_counts_beside_the_first_view() -> None:
    colours = Colours(look((PLACE, RED)), PLACE)
    for _ in range(9):
        colours.learn(look((PLACE, BLUE)), PLACE)
    assert colours.likeness(look((ELSEWHERE, BLUE)), ELSEWHERE) > SAME
    assert colours.likeness(look((ELSEWHERE, RED)), ELSEWHERE) > SAME
    assert colours.likeness(look((ELSEWHERE, GREEN)), ELSEWHERE) < OTHER


def test_what_it_was_lately_is_not_outvoted_by_a_long_time_before() -> None:
    colours = Colours(look((PLACE, RED)), PLACE)
    for colour, frames in ((BLUE, 900), (GREEN, 30)):
        for _ in range(frames):
            colours.learn(look((PLACE, colour)), PLACE)
    assert colours.likeness(look((ELSEWHERE, BLUE)), ELSEWHERE) > SAME
    assert colours.likeness(look((ELSEWHERE, GREEN)), ELSEWHERE) > SAME


@pytest.mark.parametrize(("step", "known"), [(1.0, True), (0.1, False)])
def test_a_fast_camera_makes_lately_no_shorter(step: float, known: bool) -> None:
    colours = Colours(look((PLACE, RED)), PLACE)
    for colour, frames in ((BLUE, 300), (GREEN, 30)):
        for _ in range(frames):
            colours.learn(look((PLACE, colour)), PLACE, step)
    assert (colours.likeness(look((ELSEWHERE, GREEN)), ELSEWHERE) > OTHER) == known


def test_where_all_is_grey_they_tell_light_from_dark_alone() -> None:
    colours = Colours(look(), PLACE)
    assert colours.likeness(look(), ELSEWHERE) > SAME
    assert colours.likeness(look(light=0.4), ELSEWHERE) < OTHER


def test_only_what_is_inside_the_ellipse_of_the_box_counts() -> None:
    corner = PLACE._replace(width=6.0, height=4.0)
    colours = Colours(look((PLACE, RED), (corner, BLUE)), PLACE)
    known = Colours(look((PLACE, RED)), PLACE)
    assert colours._first == pytest.approx(known._first)


@pytest.mark.parametrize(
    "box", [Box(-500, -500, 10, 10), Box(900, 10, 0, 0), Box(30, 30, 0.1, 0.1), Box(-9, -9, 999, 999)]
)
def test_no_box_is_an_error(box: Box) -> None:
    colours = Colours(look((PLACE, RED)), PLACE)
    assert colours.likeness(look((PLACE, RED)), box) < OTHER
    colours.learn(look((PLACE, RED)), box)
    assert colours.likeness(look((PLACE, RED)), PLACE) > SAME
