from __future__ import annotations

import cv2
import numpy as np
import pytest

from stm_tracker_ros import lettering
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.lettering import Line, write_plate

pytestmark = pytest.mark.pure

INK = (0, 255, 255)
LONG = "the name that an operator gave to the red car beside the bridge, as he likes it " * 3


def plate(width, height, text="UNCERTAIN 0.31", background=255, **where):
    image = np.full((height, width, 3), background, np.uint8)
    write_plate(image, [Line(text, INK)], **where)
    return image


def covered(image, background=255):
    """Left, top, right and bottom of what was changed."""
    rows, columns = np.nonzero((image != background).any(2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def letters(image):
    """Where the ink is."""
    return (image[..., 0] < 60) & (image[..., 1] > 150)


@pytest.mark.parametrize("background", [0, 128, 255])
def test_letters_are_seen_on_any_picture(background):
    image = plate(640, 480, background=background)
    ink = letters(image)
    assert ink.sum() > 100
    around = cv2.dilate(ink.astype(np.uint8), np.ones((9, 9))) > 0
    assert image[around & ~ink].max(axis=-1).mean() < 130


@pytest.mark.parametrize("size", [(160, 120), (320, 240), (240, 426), (640, 480), (1280, 720), (3840, 2160)])
@pytest.mark.parametrize("text", ["UNCERTAIN 0.31", LONG])
def test_a_text_lies_inside_the_picture_and_covers_little_of_it(size, text):
    width, height = size
    image = plate(width, height, text)
    left, top, right, bottom = covered(image)
    assert 0 < left < right < width
    assert bottom - top < max(24, height / 7)
    rows, columns = np.nonzero(letters(image))
    assert left < columns.min() <= columns.max() < right - 1
    assert top < rows.min() <= rows.max() < bottom - 1


@pytest.mark.parametrize("height", [240, 720, 2160])
def test_letters_grow_with_the_picture_and_never_get_too_small(height):
    rows = np.nonzero(letters(plate(height * 4 // 3, height, "HHHH")))[0]
    letter_px = rows.max() - rows.min() + 1
    assert max(8, height / 60) <= letter_px <= max(14, height / 25)


def test_a_name_that_is_too_long_keeps_its_two_ends(monkeypatch):
    texts = []
    monkeypatch.setattr(cv2, "putText", lambda canvas, text, *rest: texts.append(text))
    plate(320, 240, LONG.strip() + " 13 ms")
    assert texts[0].startswith("the name")
    assert texts[0].endswith(" 13 ms")
    assert "..." in texts[0]


@pytest.mark.parametrize(
    ("avoid", "horizontal", "vertical"),
    [
        (None, "left", "top"),
        (Box(300, 200, 40, 40), "left", "top"),
        (Box(0, 0, 60, 60), "right", "top"),
        (Box(0, 0, 640, 100), "left", "bottom"),
        (Box(-100, -100, 1000, 1000), "left", "top"),
    ],
)
def test_the_plate_leaves_the_target_alone_where_it_can(avoid, horizontal, vertical):
    left, top, right, bottom = covered(plate(640, 480, avoid=avoid))
    assert ("left" if left < 640 - right else "right") == horizontal
    assert ("top" if top < 480 - bottom else "bottom") == vertical


def test_what_the_font_has_no_letter_for_is_a_question_mark(monkeypatch):
    texts = []
    monkeypatch.setattr(cv2, "putText", lambda canvas, text, *rest: texts.append(text))
    monkeypatch.setattr(lettering, "ONLY_ASCII", True)
    plate(640, 480, "caf\u00e9\n2")
    monkeypatch.setattr(lettering, "ONLY_ASCII", False)
    plate(640, 480, "caf\u00e9\n2")
    assert texts == ["caf??2", "caf\u00e9?2"]


def test_no_line_no_plate():
    image = np.full((60, 60, 3), 255, np.uint8)
    write_plate(image, [])
    assert (image == 255).all()
