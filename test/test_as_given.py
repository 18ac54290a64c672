"""What users hand over: taken for what it can only be, or refused with the way to the right form."""

from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros import as_given
from stm_tracker_ros.core.errors import FrameError, TargetError
from stm_tracker_ros.core.types import Box, Target

pytestmark = pytest.mark.pure

BOX = Box(40, 30, 24, 20)
COLOUR = np.zeros((12, 16, 3), np.uint8)


class Pillow:
    """An image of Pillow, as far as it is recognised."""


Pillow.__module__ = "PIL.Image"


@pytest.mark.parametrize("given", [tuple(BOX), list(BOX), np.array(BOX), np.array([BOX]), np.array([BOX]).T, [BOX]])
def test_four_numbers_are_a_box_however_they_lie(given: object) -> None:
    assert as_given.target(given).box == BOX  # type: ignore[arg-type]


def test_masks_and_targets_are_taken() -> None:
    mask = np.zeros((12, 16), bool)
    mask[2:6, 3:9] = True
    for given in (mask, mask[..., None], mask * 0.5, Target(mask=mask * np.uint8(255))):
        taken = as_given.target(given).mask
        assert taken is not None
        assert (taken == mask * 255).all()


def test_a_mask_of_one_row_is_no_box() -> None:
    assert as_given.target(np.ones((1, 4), bool)).mask is not None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "target is None; allowed are a box of 4 numbers or"),
        ("40,30,24,20", "target is '40,30,24,20'; allowed"),
        (["40", "30", "24", "20"], r"target is \['40', .*; allowed"),
        ({"x": 1}, "target is {'x': 1}; allowed"),
        ([1, [2, 3]], "target is a list that makes no array"),
        (5, "target is 5; allowed"),
        ((1, 2, 3), r"target is of shape \(3,\); allowed"),
        (np.ones((3, 4)), "target is 3 rows of 4 numbers; .*: give one row"),
        (np.zeros((2, 2, 2)), "target is of shape"),
    ],
)
def test_other_targets_are_refused_as_what_they_are(given: object, words: str) -> None:
    with pytest.raises(TargetError, match=words):
        as_given.target(given)  # type: ignore[arg-type]


def test_an_image_is_taken_as_it_is() -> None:
    assert as_given.image(COLOUR) is COLOUR


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "image is None; .*: cv2.imread gives None"),
        ("flight.png", "image is 'flight.png'; allowed is"),
        (b"\xff\xd8", "image is b'.*; allowed is"),
        (Pillow(), r"of Pillow, which are RGB; .*\.convert\('RGB'\)"),
        (COLOUR[..., 0], r"shape \(12, 16\) and type uint8; .*: .*COLOR_GRAY2BGR"),
        (COLOUR[..., :1], "COLOR_GRAY2BGR"),
        (np.zeros((12, 16, 4), np.uint8), "drop the fourth channel"),
        (COLOUR[None], "not a batch"),
        (COLOUR.transpose(2, 0, 1), "channels come last"),
        (COLOUR / 255.0, r"type float64; .*\* 255"),
        (COLOUR.astype(np.uint16), "type uint16; .*bring it to 0 to 255"),
        (COLOUR.tolist(), "type int64; .*astype"),
        ([[1, 2], [3]], "is a list that makes no array"),
    ],
)
def test_other_images_are_refused_with_what_to_do(given: object, words: str) -> None:
    with pytest.raises(FrameError, match=words):
        as_given.image(given)
