"""From a mask to boxes: the upright one, and the rotated one that fits best.

The rotated box is fitted as D3S does it (Lukezic et al., CVPR 2020): it is turned like the target, starts around all of
it and shrinks while its modified IoU with the mask grows, so that an arm or a tail does not blow it up. What is
ours: the angle is that of the ellipse of the same moments or of the minimum-area rectangle, whichever ends with the
better IoU, where D3S decides by the size of the ellipse's axes; and the fit runs on a grid turned like the box, of at
most GRID cells a side, so that its time does not depend on the size of the image.
Coordinates are those of the mask given, pixel i covering [i, i + 1); theta turns from x towards y.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.types import Box, RotatedBox

GRID = 128
MOST_CELLS_A_PIXEL = 8.0
OUTSIDE_WEIGHT = 0.25
"""Alpha of the modified IoU: how much a cell of the box without target counts against one with it."""
KEPT_SHARE = 0.9
SAME_ANGLE_RAD = np.radians(0.5)

Points = NDArray[np.float64]
Mask = NDArray[Any]  # height x width
Contour = NDArray[Any]  # points x 1 x 2, int32: OpenCV's own


class MaskFit(NamedTuple):
    """Boxes of the largest component of a mask; `area` is its pixels, holes filled."""

    box: Box
    rotated: RotatedBox
    area: float


class _Edges(NamedTuple):
    """A box in cells of the grid, [left, right) and [top, bottom), and its modified IoU with the target."""

    left: int
    top: int
    right: int
    bottom: int
    score: float


def fit(mask: Mask, min_area_px: float = 1) -> MaskFit | None:
    """The boxes of the largest component of `mask` (uint8 or bool; corners connect, holes count).

    theta lies in (-pi/4, pi/4], so that 0 is the upright box and size_x its width. None if no component has
    `min_area_px` pixels: an empty mask is a state, not an error.
    """
    contour = _largest_contour(mask)
    if contour is None or (area := _pixels_within(contour)) < min_area_px:
        return None
    x, y, width, height = cv2.boundingRect(contour)
    filled = cv2.drawContours(np.zeros((height, width), np.uint8), [contour], 0, 1, cv2.FILLED, offset=(-x, -y))
    points = contour[:, 0, :].astype(np.float64) - (x, y) + 0.5
    best, _ = max((_fit_at(filled, points, angle) for angle in _angles(filled, contour)), key=lambda found: found[1])
    rotated = best._replace(center_x=best.center_x + x, center_y=best.center_y + y)
    return MaskFit(Box(float(x), float(y), float(width), float(height)), rotated, area)


def _largest_contour(mask: Mask) -> Contour | None:
    """The outline of the component with most pixels, through the centres of its outer pixels."""
    # OpenCV takes any value but 0 for target, and bytes only.
    data = mask.view(np.uint8) if mask.dtype == bool else mask
    contours, _ = cv2.findContours(np.ascontiguousarray(data), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest, pixels = None, 0.0
    for contour in sorted(contours, key=len, reverse=True):
        # No outline of that many points, each at most sqrt(2) from the next, holds more; nor does any that follows.
        if len(contour) ** 2 / (2 * np.pi) + len(contour) < pixels:
            break
        if (within := _pixels_within(contour)) > pixels:
            largest, pixels = contour, within
    return largest  # type: ignore[return-value]


def _pixels_within(contour: Contour) -> float:
    """Pick's theorem for the polygon through the centres of the outer pixels; holds for lines and points as well."""
    return cv2.contourArea(contour) + len(contour) / 2 + (1 if len(contour) > 1 else 0.5)


def _angles(filled: Mask, contour: Contour) -> list[float]:
    """The one or two angles worth a fit, each in (-pi/4, pi/4]."""
    ellipse, rectangle = _upright_turn(_ellipse_angle(filled)), _upright_turn(_rectangle_angle(contour))
    same = abs(_upright_turn(ellipse - rectangle)) < SAME_ANGLE_RAD
    return [rectangle] if same else [ellipse, rectangle]


def _ellipse_angle(filled: Mask) -> float:
    moments = cv2.moments(filled, binaryImage=True)
    return 0.5 * float(np.arctan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"]))


def _rectangle_angle(contour: Contour) -> float:
    return float(np.radians(cv2.minAreaRect(contour)[2]))


def _upright_turn(angle: float) -> float:
    """The angle of the same box in (-pi/4, pi/4]: a box turned by a quarter is the same box, its sides exchanged."""
    quarter = np.pi / 2
    return float(angle - quarter * np.ceil(angle / quarter - 0.5))


def _fit_at(filled: Mask, points: Points, angle: float) -> tuple[RotatedBox, float]:
    """The box of that angle after shrinking, and its modified IoU; `points` N x 2 are centres of outer pixels."""
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    turned = points @ turn
    # A turned pixel reaches this far from its centre.
    reach = 0.5 * (abs(cos) + abs(sin))
    low, high = turned.min(0) - reach, turned.max(0) + reach
    counts = np.maximum(1, np.round((high - low) * min(GRID / float((high - low).max()), MOST_CELLS_A_PIXEL)))
    cell = (high - low) / counts
    # OpenCV counts from the centre of the first cell to the centre of the first pixel.
    shift = turn @ (low + cell / 2) - 0.5
    grid = cv2.warpAffine(
        filled,
        np.column_stack([turn * cell, shift]),
        (int(counts[0]), int(counts[1])),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
    )
    edges = _shrunk(grid)  # type: ignore[arg-type]
    first, last = np.array([edges.left, edges.top]), np.array([edges.right, edges.bottom])
    center, size = turn @ (low + cell * (first + last) / 2), cell * (last - first)
    (center_x, center_y), (size_x, size_y) = center.tolist(), size.tolist()
    return RotatedBox(center_x, center_y, size_x, size_y, angle), edges.score


def _shrunk(grid: Mask) -> _Edges:
    """The box around the whole grid, each side in turn moved in by a cell while the modified IoU grows."""
    rows, columns = grid.shape
    # A memoryview is read cell by cell at a tenth of an array's time.
    sums = memoryview(cv2.integral(grid))  # type: ignore[arg-type]
    total = sums[rows, columns]
    left, top, right, bottom = 0, 0, columns, rows
    score = _modified_iou(total, rows * columns, total)
    moved = True
    while moved:
        moved = False
        for d_left, d_top, d_right, d_bottom in ((0, 1, 0, 0), (1, 0, 0, 0), (0, 0, 0, -1), (0, 0, -1, 0)):
            x1, y1, x2, y2 = left + d_left, top + d_top, right + d_right, bottom + d_bottom
            if x2 <= x1 or y2 <= y1:
                continue
            inside = sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1]
            grown = _modified_iou(inside, (x2 - x1) * (y2 - y1), total)
            if grown > score and inside >= KEPT_SHARE * total:
                left, top, right, bottom, score, moved = x1, y1, x2, y2, grown, True
    return _Edges(left, top, right, bottom, score)


def _modified_iou(inside: int, area: int, total: int) -> float:
    """Of a box with `area` cells, `inside` of them of the target, which has `total`."""
    return inside / (OUTSIDE_WEIGHT * (area - inside) + total)
