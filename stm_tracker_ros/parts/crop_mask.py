"""From a network's mask of a crop to the mask of the image and its boxes."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core import masks as core_masks
from stm_tracker_ros.core.matching import Crop
from stm_tracker_ros.core.types import Box, Frame, Pixels, RotatedBox
from stm_tracker_ros.parts.mask_box import fit

Share = NDArray[np.float32]  # cells x cells
NOTHING_LOGIT = -20.0


class Found(NamedTuple):
    """Mask of the image, box in crop pixels and rotated box in the image (None: nothing), area of the largest part.

    The boxes come from the finer crop, so that small ones are not cut to whole pixels.
    """

    pixels: Pixels
    box: Box | None
    rotated: RotatedBox | None
    area: float


def found_in(logit: Share, crop: Crop, cell_px: int, frame: Frame, threshold: float) -> Found:
    """logit: of each cell of the crop, a square of cell_px crop pixels; threshold: probability of a target's pixel."""
    level = math.log(threshold / (1 - threshold))
    pixels = in_image(logit, crop, float(cell_px), level, frame.height, frame.width)
    inside = fit(enlarged(logit, crop, len(logit) * cell_px, frame.height, frame.width) > level)
    if inside is None or not pixels.any():
        return nothing_of(pixels)
    x, y, width, height, theta = inside.rotated
    x, y = crop.to_image(Box(x, y, 0.0, 0.0)).center
    rotated = RotatedBox(x, y, width * crop.scale, height * crop.scale, theta)
    return Found(pixels, inside.box, rotated, inside.area * crop.scale**2)


def nothing_of(pixels: Pixels) -> Found:
    """An empty mask of that size."""
    return Found(np.zeros_like(pixels), None, None, 0.0)


def of_mask(given: Pixels) -> Found:
    """The mask that the operator gave; its box is not asked for."""
    pixels = core_masks.binary(given)
    whole = fit(pixels)
    return nothing_of(pixels) if whole is None else Found(pixels, None, whole.rotated, whole.area)


def in_image(logit: Share, crop: Crop, cell_px: float, threshold_logit: float, height: int, width: int) -> Pixels:
    """Logits of a crop -> mask of the image, height x width, 255 where they exceed the threshold."""
    mask = np.zeros((height, width), np.uint8)
    extent = logit.shape[0] * cell_px * crop.scale
    left, top = max(int(np.floor(crop.left)), 0), max(int(np.floor(crop.top)), 0)
    right = min(int(np.ceil(crop.left + extent)), width)
    bottom = min(int(np.ceil(crop.top + extent)), height)
    if right <= left or bottom <= top:
        return mask
    # image pixel centre -> position in the logits, whose cell centres are at + 0.5
    step = 1 / (crop.scale * cell_px)
    to_cells = np.array(
        [
            [step, 0.0, (left + 0.5 - crop.left) * step - 0.5],
            [0.0, step, (top + 0.5 - crop.top) * step - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (right - left, bottom - top)
    fine = cv2.warpAffine(logit, to_cells, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mask[top:bottom, left:right] = (fine > threshold_logit) * np.uint8(255)
    return mask


def enlarged(logit: Share, crop: Crop, size: int, height: int, width: int) -> Share:
    """Logits in every pixel of the crop, size x size; far below zero where it lies outside the image."""
    fine = np.asarray(cv2.resize(logit, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    for axis, (start, extent) in enumerate(((crop.top, height), (crop.left, width))):
        low, high = np.clip(np.round([-start / crop.scale, (extent - start) / crop.scale]), 0, size).astype(int)
        lines = np.moveaxis(fine, axis, 0)
        lines[:low] = lines[high:] = NOTHING_LOGIT
    return fine
