"""The first frame, varied: what the filter learns from before it has seen anything else (as ATOM, section 3.2)."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from stm_tracker_ros.core.types import Frame, Pixels
from stm_tracker_ros.parts.crop import cut

SHIFTS = ((0.0, 0.0), (-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))  # over the side of the crop
ANGLES_DEG = (-20.0, 20.0)
BLUR_SIGMA_PX = 2.0


class Variation(NamedTuple):
    """A crop of the first frame and where the target's centre is in it, pixels."""

    patch: Pixels
    x: float
    y: float


def variations(
    frame: Frame, center: tuple[float, float], side: float, size: int, fill: tuple[float, ...]
) -> list[Variation]:
    """Shifted, turned, mirrored and blurred crops of `side` image pixels about the target; the plain one first."""
    middle = size / 2
    result = []
    for across, down in SHIFTS:
        patch, _ = cut(frame, (center[0] + across * side, center[1] + down * side), side, size, fill)
        result.append(Variation(patch, middle - across * size, middle - down * size))
    plain = result[0].patch
    result.append(Variation(np.ascontiguousarray(plain[:, ::-1]), middle, middle))
    result.append(Variation(np.asarray(cv2.GaussianBlur(plain, (0, 0), BLUR_SIGMA_PX), np.uint8), middle, middle))
    for angle in ANGLES_DEG:
        turn = cv2.getRotationMatrix2D((middle - 0.5, middle - 0.5), angle, 1.0)
        turned = cv2.warpAffine(plain, turn, (size, size), borderMode=cv2.BORDER_REPLICATE)
        result.append(Variation(np.asarray(turned, np.uint8), middle, middle))
    return result
