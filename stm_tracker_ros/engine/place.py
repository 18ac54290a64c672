"""Where a target may be published: inside the image, or nowhere."""

from __future__ import annotations

from typing import NamedTuple

from stm_tracker_ros.core.boxes import clip_to_image, corners
from stm_tracker_ros.core.types import Box, Frame, Result, RotatedBox


class Place(NamedTuple):
    """The part of a box that lies inside the image; rotated: None where the upright box is all that can be said."""

    box: Box
    rotated: RotatedBox | None


def place_of(result: Result, frame: Frame) -> Place | None:
    """What of an answer lies inside the image; None if nothing does.

    A rotated box that reaches beyond the image cannot be cut and stay one: the upright box stands for it there.
    """
    box = clip_to_image(result.box, frame.width, frame.height)
    if box.width <= 0 or box.height <= 0:
        return None
    return Place(box, result.rotated if result.rotated is not None and _inside(result.rotated, frame) else None)


def _inside(rotated: RotatedBox, frame: Frame) -> bool:
    points = corners(rotated)
    return bool((points >= 0).all() and (points <= (frame.width, frame.height)).all())
