"""What of a frame is the target, from the network's logits of a crop."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from stm_tracker_ros.core import masks as core_masks
from stm_tracker_ros.core.matching import Crop
from stm_tracker_ros.core.types import Box, Frame, Pixels, RotatedBox
from stm_tracker_ros.parts.mask_box import fit
from stm_tracker_ros.trackers.dmb import masks
from stm_tracker_ros.trackers.dmb.lite_network import MASK_STRIDE
from stm_tracker_ros.trackers.dmb.masks import Share


class Found(NamedTuple):
    """Mask of the image, box in crop pixels and rotated box in the image (None: nothing), area of the largest part.

    The boxes come from the finer crop, so that small ones are not cut to whole pixels.
    """

    pixels: Pixels
    box: Box | None
    rotated: RotatedBox | None
    area: float


def found_in(logit: Share, crop: Crop, crop_size: int, frame: Frame, threshold: float) -> Found:
    """logit: of each cell of the crop; threshold: probability from which a pixel is target."""
    level = math.log(threshold / (1 - threshold))
    pixels = masks.in_image(logit, crop, float(MASK_STRIDE), level, frame.height, frame.width)
    inside = fit(masks.enlarged(logit, crop, crop_size, frame.height, frame.width) > level)
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
