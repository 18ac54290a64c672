"""Masks on their way between the image, the crop and the network's grid."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.matching import Crop
from stm_tracker_ros.core.types import Box, Pixels

Share = NDArray[np.float32]  # cells x cells in [0, 1]
OVERSAMPLING = 4
SIDE_SLACK = 2  # cells


def in_crop(mask: Pixels, crop: Crop, side: float, cells: int) -> Share:
    """A mask of the image -> the share of it in each cell of a crop of `side` image pixels."""
    fine = cells * OVERSAMPLING
    step = side / fine
    to_image = np.array([[step, 0.0, crop.left + 0.5 * step - 0.5], [0.0, step, crop.top + 0.5 * step - 0.5]])
    found = cv2.warpAffine(
        (mask != 0).astype(np.float32), to_image, (fine, fine), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return np.asarray(cv2.resize(found, (cells, cells), interpolation=cv2.INTER_AREA), np.float32)


def filled(box: Box, cells: int, cell_px: float) -> Share:
    """A box in crop pixels -> 1 in the cells whose centres it holds, as the network was trained on."""
    centers = (np.arange(cells) + 0.5) * cell_px
    across = (centers >= box.x) & (centers < box.x + box.width)
    down = (centers >= box.y) & (centers < box.y + box.height)
    return (down[:, None] & across[None]).astype(np.float32)


def dilated(share: Share) -> Share:
    """Two cells wider on every side."""
    return np.asarray(cv2.dilate(share, np.ones((5, 5), np.uint8)), np.float32)


def reaching(found: NDArray[np.bool_], box: NDArray[np.bool_]) -> Share:
    """1 but on those parts of `found` that come near no side of the filled `box`, if others do.

    A box is drawn around its target: what lies in the middle of it and is no part of what reaches its sides is
    more likely background. Both are cells x cells.
    """
    kept = np.ones(found.shape, np.float32)
    inside = found & (dilated(box.astype(np.float32)) > 0)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    x, y, width, height = cv2.boundingRect(box.astype(np.uint8))
    near = [
        min(left - x, top - y, x + width - left - across, y + height - top - down) <= SIDE_SLACK
        for left, top, across, down, _ in stats[1:].tolist()
    ]
    if any(near):
        kept[np.isin(parts, 1 + np.flatnonzero(~np.array(near)))] = 0.0
    return kept


def probability(logit: Share) -> Share:
    """Logits -> [0, 1]."""
    return np.asarray(1 / (1 + np.exp(-logit)), np.float32)
