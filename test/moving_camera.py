"""A made world and a camera that looks at a part of it."""

from __future__ import annotations

import cv2
import numpy as np

from stm_tracker_ros.core.types import Frame, Pixels

MARGIN = 200


def scenery(height: int, width: int, seed: int = 0) -> Pixels:
    """Patches of many sizes, as pictures have them, larger than the image by the margin on every side."""
    random, shape = np.random.default_rng(seed), (height + 2 * MARGIN, width + 2 * MARGIN, 3)
    picture = np.zeros(shape, np.float32)
    for cell in (128, 64, 32, 16, 8, 4, 2):
        coarse = random.normal(0, 1, (shape[0] // cell + 1, shape[1] // cell + 1, 3)).astype(np.float32)
        picture += cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX), np.uint8)  # type: ignore[call-overload]


def seen(world: Pixels, x: float, y: float, stamp_ns: int = 0) -> Frame:
    """What a camera sees that has moved right by x and down by y."""
    height, width = world.shape[0] - 2 * MARGIN, world.shape[1] - 2 * MARGIN
    moved = np.float32([[1, 0, -MARGIN - x], [0, 1, -MARGIN - y]])  # type: ignore[arg-type]
    return Frame(image=np.asarray(cv2.warpAffine(world, moved, (width, height)), np.uint8), stamp_ns=stamp_ns)
