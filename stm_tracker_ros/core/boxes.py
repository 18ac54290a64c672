"""Arithmetic on boxes x, y, width, height; all functions broadcast over leading axes of (..., 4) arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_tracker_ros.core.errors import TargetError, TargetFault
from stm_tracker_ros.core.types import Box, Pixels, RotatedBox, Target

Boxes = NDArray[np.float64]


def iou(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union in [0, 1]; 0 where either box has no area; NaN where a coordinate is NaN."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    corner_low = np.maximum(a[..., :2], b[..., :2])
    corner_high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    overlap = _area(corner_high - corner_low)
    union = _area(a[..., 2:]) + _area(b[..., 2:]) - overlap
    ratio = np.divide(overlap, union, out=np.zeros_like(union), where=union != 0)
    return np.asarray(np.minimum(ratio, 1))  # corners are rounded, so that equal boxes may overlap by more than all


def _area(sides: Boxes) -> Boxes:
    """Of sides (..., 2), 0 where one is negative."""
    sides = np.maximum(sides, 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def centers(boxes: ArrayLike) -> Boxes:
    """Centres (..., 2) in pixels."""
    b = np.asarray(boxes, np.float64)
    return b[..., :2] + b[..., 2:] / 2


def from_center(center_x: float, center_y: float, width: float, height: float) -> Box:
    """Box of that size about a centre."""
    return Box(center_x - width / 2, center_y - height / 2, width, height)


def from_mask(mask: Pixels) -> Box:
    """Smallest box that holds every non-zero pixel. Raises TargetError if there is none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        height, width = mask.shape
        text = f"mask of {width} x {height} px is empty; allowed is one with a target in it"
        raise TargetError(text, TargetFault.TOO_SMALL)
    left, top = int(columns[0]), int(rows[0])
    return Box(left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)


def of_target(target: Target, width: int, height: int) -> Box:
    """The target's box, or that of its mask.

    Raises TargetError if the mask is not width x height, or if no part of the box lies in an image of that size.
    """
    if target.mask is not None and target.mask.shape != (height, width):
        rows, columns = target.mask.shape
        text = f"mask is {columns} x {rows} px; the image is {width} x {height} px"
        raise TargetError(text, TargetFault.MASK_SIZE)
    box = target.box if target.mask is None else from_mask(target.mask)
    assert box is not None  # a Target has exactly one of the two
    inside = clip_to_image(box, width, height)
    if inside.width <= 0 or inside.height <= 0:
        text = f"box {box.words} lies outside the image of {width} x {height} px"
        raise TargetError(text, TargetFault.OUTSIDE_IMAGE)
    return box


def clip_to_image(box: Box, width: int, height: int) -> Box:
    """The part of the box inside a width x height image; of zero size where there is none."""
    left, top = min(max(box.x, 0.0), float(width)), min(max(box.y, 0.0), float(height))
    right = min(max(box.x + box.width, 0.0), float(width))
    bottom = min(max(box.y + box.height, 0.0), float(height))
    return Box(left, top, right - left, bottom - top)


def corners(rotated: RotatedBox) -> Boxes:
    """Its four corners (x, y), 4 x 2, in order round the box; of theta 0 from the upper left to the upper right on."""
    cos, sin = np.cos(rotated.theta), np.sin(rotated.theta)
    halves = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (rotated.size_x / 2, rotated.size_y / 2)
    turned: Boxes = halves @ np.array([[cos, sin], [-sin, cos]]) + (rotated.center_x, rotated.center_y)
    return turned


def upright(rotated: RotatedBox) -> Box:
    """The smallest axis-aligned box that holds a rotated one."""
    cos, sin = abs(float(np.cos(rotated.theta))), abs(float(np.sin(rotated.theta)))
    width, height = rotated.size_x * cos + rotated.size_y * sin, rotated.size_x * sin + rotated.size_y * cos
    return from_center(rotated.center_x, rotated.center_y, width, height)
