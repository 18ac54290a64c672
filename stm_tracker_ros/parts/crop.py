"""The square region around the target, as the network sees it, and the way back.

Edge coordinates throughout: pixel i of the image, and of the crop, covers [i, i + 1). Only the part of the image
that the crop needs is ever touched, so that a 4K image costs as much as its crop.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.matching import Crop
from stm_tracker_ros.core.types import Frame, Pixels
from stm_tracker_ros.parts.stages import stage

STRONGEST_PLAIN_REDUCTION = 2.0


def cut(
    frame: Frame, center: tuple[float, float], side: float, size: int, fill: tuple[float, ...]
) -> tuple[Pixels, Crop]:
    """Cut a square of `side` image pixels about `center` and scale it to size x size.

    fill: BGR colour outside the image. Returns the crop, size x size x 3 uint8 BGR, and where it lies. Bilinear;
    what is reduced more than twofold is averaged first, against aliasing.
    """
    with stage("crop"):
        return _cut(frame, center, side, size, fill)


def _cut(
    frame: Frame, center: tuple[float, float], side: float, size: int, fill: tuple[float, ...]
) -> tuple[Pixels, Crop]:
    crop = Crop(left=center[0] - side / 2, top=center[1] - side / 2, scale=side / size)
    region, left, top = _region(frame, crop, side)
    if not region.size:
        return np.full((size, size, 3), np.round(fill), np.uint8), crop
    shrink_x = shrink_y = 1.0
    if crop.scale > STRONGEST_PLAIN_REDUCTION:
        region, shrink_x, shrink_y = _reduce(region, crop.scale / STRONGEST_PLAIN_REDUCTION)
    # crop pixel u samples image position left + (u + 0.5) * scale; in the (reduced) region, pixel centres are at + 0.5
    to_region = np.array(
        [
            [crop.scale / shrink_x, 0.0, (crop.left - left + 0.5 * crop.scale) / shrink_x - 0.5],
            [0.0, crop.scale / shrink_y, (crop.top - top + 0.5 * crop.scale) / shrink_y - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(
        region, to_region, (size, size), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=fill
    )
    return np.asarray(patch, np.uint8), crop


def mean_colour(frame: Frame, center: tuple[float, float], side: float) -> tuple[float, float, float]:
    """Mean BGR of the part of the square that lies inside the image; mid-grey where there is none."""
    crop = Crop(left=center[0] - side / 2, top=center[1] - side / 2, scale=1.0)
    region, _, _ = _region(frame, crop, side)
    if not region.size:
        return 127.0, 127.0, 127.0
    blue, green, red = region.reshape(-1, 3).mean(0)
    return float(blue), float(green), float(red)


def _region(frame: Frame, crop: Crop, side: float) -> tuple[Pixels, int, int]:
    """The pixels of the image that the crop can touch, and their left and top."""
    left = min(max(math.floor(crop.left) - 1, 0), frame.width)
    top = min(max(math.floor(crop.top) - 1, 0), frame.height)
    right = min(max(math.ceil(crop.left + side) + 1, left), frame.width)
    bottom = min(max(math.ceil(crop.top + side) + 1, top), frame.height)
    if right == left or bottom == top:
        return np.zeros((0, 0, 3), np.uint8), left, top
    return frame.region(left, top, right, bottom), left, top


def _reduce(region: Pixels, factor: float) -> tuple[Pixels, float, float]:
    """Area-average by about `factor`; returns the exact factors in x and y."""
    height, width = region.shape[:2]
    target: NDArray[np.int64] = np.maximum(np.round(np.array([width, height]) / factor), 1).astype(np.int64)
    reduced = cv2.resize(region, (int(target[0]), int(target[1])), interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, np.uint8), width / int(target[0]), height / int(target[1])
