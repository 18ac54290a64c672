"""A virtual camera: the window of a recording that it shows, moment by moment, and the truth seen through it.

Edge coordinates throughout: pixel i covers [i, i + 1). A window is x, y, width, height in pixels of the recording; it
is shown as a picture of one size, whatever its own: that is its zoom.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.types import Pixels

Values = NDArray[np.float64]
SMOOTH = 0.9
"""Correlation of the camera's jitter from frame to frame."""


def windows_of(centers: Values, sizes: Values, frame_size: Values) -> Values:
    """Windows (N x 4) about these centres, moved as little as needed to lie inside; sizes: N x 2, or one of 2."""
    corners = np.clip(centers - sizes / 2, 0, frame_size - sizes)
    return np.concatenate([corners, np.broadcast_to(sizes, corners.shape)], axis=1)


def to_picture(boxes: Values, windows: Values, picture_size: Values) -> Values:
    """Boxes (N x 4) of the recording as they lie in the picture, also outside of it."""
    scale = picture_size / windows[:, 2:]
    return np.concatenate([(boxes[:, :2] - windows[:, :2]) * scale, boxes[:, 2:] * scale], axis=1)


def clipped(boxes: Values, picture_size: Values) -> Values:
    """The parts of boxes (N x 4) inside the picture; of zero size where there is none."""
    low = np.clip(boxes[:, :2], 0, picture_size)
    high = np.clip(boxes[:, :2] + boxes[:, 2:], 0, picture_size)
    return np.concatenate([low, high - low], axis=1)


def shares(boxes: Values, picture_size: Values) -> Values:
    """Which share of each box (N x 4) lies inside the picture, in [0, 1]."""
    share = clipped(boxes, picture_size)[:, 2:].prod(1) / boxes[:, 2:].prod(1)
    return np.round(share, 9)  # a whole box is 1, whatever its corners were rounded to


def grown(boxes: Values, share: float) -> Values:
    """Boxes (N x 4) with a margin on every side, a share of the square root of their area, at least a pixel."""
    margin = np.maximum(share * np.sqrt(boxes[:, 2:].prod(1, keepdims=True)), 1.0)
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + 2 * margin], axis=1)


def lagging(points: Values, gain: float) -> Values:
    """What follows points (N x 2) as a gimbal does: each step a share `gain` of the way to them."""
    followed = points.copy()
    for index in range(1, len(points)):
        followed[index] = followed[index - 1] + gain * (points[index] - followed[index - 1])
    return followed


def jitter(rng: np.random.Generator, count: int, deviation: float) -> Values:
    """A smooth random walk (count x 2) about 0 of that standard deviation."""
    noise = rng.normal(0, deviation * np.sqrt(1 - SMOOTH**2), (count, 2))
    for index in range(1, count):
        noise[index] += SMOOTH * noise[index - 1]
    return noise


def eased(count: int) -> Values:
    """From 0 to 1, both excluded, in `count` steps: slow, fast, slow."""
    part = np.arange(1, count + 1) / (count + 1)
    return part * part * (3 - 2 * part)


def seen_through(pictures: Iterator[Pixels], windows: Values, picture_size: Values) -> Iterator[Pixels]:
    """What the camera shows of each picture of the recording."""
    width, height = (int(side) for side in picture_size)
    for picture, (left, top, window_width, window_height) in zip(pictures, windows, strict=True):
        x, y = window_width / width, window_height / height
        to_world = np.array([[x, 0.0, left + 0.5 * x - 0.5], [0.0, y, top + 0.5 * y - 0.5]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        shown = cv2.warpAffine(picture, to_world, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        yield np.asarray(shown, np.uint8)
