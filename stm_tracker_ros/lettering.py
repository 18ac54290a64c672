"""Words on a picture: on a dark plate, as large as the picture allows, where they cover the least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2

from stm_tracker_ros.core.types import Box, Pixels

Color = tuple[int, int, int]
FONT = cv2.FONT_HERSHEY_SIMPLEX
# OpenCV 5 draws the same fonts from outlines, other widths and all of Unicode; older ones know ASCII only.
ONLY_ASCII = int(cv2.__version__.split(".")[0]) < 5
PLATE_OPACITY = 0.65
LETTERS_TO_PICTURE = 1 / 40
# Share of the height that OpenCV measures for a capital which the capital itself takes.
CAPITAL = 1.0 if ONLY_ASCII else 0.75
LOWEST_PX, SMALLEST_PX = 9, 7
NOTE = 0.8  # letters of a note over those of a plate
ELLIPSIS = "..."


class Line(NamedTuple):
    """One line of text and its colour (blue, green, red)."""

    text: str
    color: Color


@dataclass(frozen=True)
class _Set:
    """A text as it is drawn: `width` of all, `above` and `below` the base line, in pixels."""

    text: str
    scale: float
    thickness: int
    width: int
    above: int
    below: int


def write_plate(
    canvas: Pixels, lines: Sequence[Line], avoid: Box | None = None, letters_px: float | None = None
) -> None:
    """Write `lines` onto `canvas` (height x width x 3 uint8, changed), on one dark plate in a corner.

    letters_px: height of a capital; by default 1/40 of the picture's shorter side, LOWEST_PX at least. A line that is
    wider than the picture is made smaller, then shortened. avoid: what is not to be covered, in pixels; the first
    corner that is clear of it is taken, the upper left one first, or else the one that covers the least.
    """
    height, width = canvas.shape[:2]
    letters_px = letters_px or max(LOWEST_PX, min(height, width) * LETTERS_TO_PICTURE)
    margin = max(2, round(letters_px / 2))
    sets = [_fitted(line.text, letters_px, width - 4 * margin) for line in lines]
    if not sets:
        return
    heights = [text.above + text.below for text in sets]
    plate_width = max(text.width for text in sets) + 2 * margin
    plate_height = sum(heights) + margin
    left, top = _corner(width, height, plate_width, plate_height, margin, avoid)
    _darken(canvas, left, top, plate_width, plate_height)
    base = top + margin // 2
    for line, text, text_height in zip(lines, sets, heights, strict=True):
        origin = (left + margin, base + text.above)
        cv2.putText(canvas, text.text, origin, FONT, text.scale, line.color, text.thickness, cv2.LINE_AA)
        base += text_height


def write_below(canvas: Pixels, line: Line, box: Box) -> None:
    """Write a line beneath a box, in pixels, on a dark plate; above it where the picture ends, and always inside."""
    if not line.text:
        return
    height, width = canvas.shape[:2]
    text = _fitted(line.text, max(SMALLEST_PX, min(height, width) * LETTERS_TO_PICTURE * NOTE), width)
    tall, gap = text.above + text.below, text.below
    top = round(box.y + box.height) + gap
    top = top if top + tall <= height else round(box.y) - gap - tall
    left, top = (max(0, min(round(box.x), width - text.width)), max(0, min(top, height - tall)))
    _darken(canvas, left, top, text.width, tall)
    cv2.putText(canvas, text.text, (left, top + text.above), FONT, text.scale, line.color, text.thickness, cv2.LINE_AA)


def _fitted(text: str, letters_px: float, room_px: int) -> _Set:
    """The text as large as asked for, or smaller, or shortened in its middle until it fits into `room_px`."""
    text = _drawable(text)
    size = _set(text, letters_px)
    if size.width > room_px:
        size = _set(text, max(SMALLEST_PX, letters_px * room_px / size.width))
    kept = len(text)
    while size.width > room_px and kept > 2:
        kept -= 1
        size = _set(text[: (kept + 1) // 2] + ELLIPSIS + text[len(text) - kept // 2 :], SMALLEST_PX)
    return size


def _drawable(text: str) -> str:
    return "".join(one if one.isprintable() and (one.isascii() or not ONLY_ASCII) else "?" for one in text)


def _set(text: str, letters_px: float) -> _Set:
    """Measured, not computed: the fonts of OpenCV 4 and 5 differ in size and in width."""
    scale = letters_px / (CAPITAL * cv2.getTextSize("H", FONT, 1.0, 1)[0][1])
    thickness = max(1, round(letters_px / 11))
    (width, above), below = cv2.getTextSize(text, FONT, scale, thickness)
    return _Set(text, scale, thickness, width, above + max(2, above // 3), below)


def _corner(
    width: int, height: int, plate_width: int, plate_height: int, margin: int, avoid: Box | None
) -> tuple[int, int]:
    """Left and top of the plate."""
    right, bottom = max(margin, width - margin - plate_width), max(margin, height - margin - plate_height)
    corners = [(margin, margin), (right, margin), (margin, bottom), (right, bottom)]
    if avoid is None:
        return corners[0]
    return min(corners, key=lambda corner: _covered(Box(corner[0], corner[1], plate_width, plate_height), avoid))


def _covered(one: Box, other: Box) -> float:
    """Area that both cover, in square pixels."""
    wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(0.0, wide) * max(0.0, high)


def _darken(canvas: Pixels, left: int, top: int, width: int, height: int) -> None:
    plate = canvas[top : top + height, left : left + width]
    cv2.convertScaleAbs(plate, dst=plate, alpha=1 - PLATE_OPACITY)
