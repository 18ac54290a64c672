"""Geometry and appearance of training crops, all on BGR uint8 arrays; random numbers come from the caller."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Affine = NDArray[np.float64]
OTHER_SIDES, OTHER_SHIFT = 0.22, 0.08  # of a box that is not the object's: log of each side; offset over the side


def crop_affine(center_x: float, center_y: float, side: float, size: int) -> Affine:
    """Picture -> crop, 2 x 3, edge coordinates: a square of `side` about the centre becomes size x size."""
    scale = size / side
    return np.array([[scale, 0.0, size / 2 - scale * center_x], [0.0, scale, size / 2 - scale * center_y]])


def motion_affine(center_x: float, center_y: float, scale_x: float, scale_y: float, angle_rad: float) -> Affine:
    """Rotation and scale about a point, 2 x 3, edge coordinates."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([scale_x, scale_y])
    shift = np.array([center_x, center_y]) - linear @ [center_x, center_y]
    return np.column_stack([linear, shift])


def compose(outer: Affine, inner: Affine) -> Affine:
    """The affine that applies `inner`, then `outer`."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def apply(affine: Affine, points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Points P x 2 through an affine."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2])


def warp(picture: Picture, affine: Affine, size: int, border: tuple[float, ...] | None) -> Picture:
    """Picture -> size x size; outside of it `border`, or its own mirror image where that is None.

    Edge coordinates become pixel centres for OpenCV; strong reductions are averaged first against aliasing.
    """
    scale = np.sqrt(abs(np.linalg.det(affine[:, :2])))
    if scale < 0.5:
        shrink = max(2 * scale, 8.0 / min(picture.shape[:2]))
        height, width = picture.shape[:2]
        target = (max(round(width * shrink), 2), max(round(height * shrink), 2))
        picture = np.asarray(cv2.resize(picture, target, interpolation=cv2.INTER_AREA), np.uint8)
        affine = affine @ np.diag([width / target[0], height / target[1], 1.0])
    centred = affine.copy()
    centred[:, 2] += affine[:, :2] @ [0.5, 0.5] - 0.5
    mode = cv2.BORDER_REFLECT_101 if border is None else cv2.BORDER_CONSTANT
    fill = border if border is not None else (0.0, 0.0, 0.0)
    return np.asarray(cv2.warpAffine(picture, centred, (size, size), borderMode=mode, borderValue=fill), np.uint8)


def turned(picture: Picture, mask: Picture, angle_rad: float) -> Picture:
    """As if what `mask` outlines were round and turned about an upright axis: the outline stays, its surface slides.

    What comes into view mirrors what has left it.
    """
    inside = mask > 127
    height, width = inside.shape
    left = inside.argmax(1)[:, None]
    wide = np.maximum(width - inside[:, ::-1].argmax(1)[:, None] - left, 1)
    across = np.clip((np.arange(width) + 0.5 - left) / wide * 2 - 1, -1, 1)  # the sine of where it is on the round
    slid = across * np.cos(angle_rad) + np.sqrt(1 - across**2) * np.sin(angle_rad)
    columns = (left + (slid + 1) / 2 * wide - 0.5).astype(np.float32)
    rows = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, 1)
    surface = cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.where(inside[..., None], surface, picture)


def paste(crop: Picture, picture: Picture, alpha: Picture) -> Picture:
    """Lay `picture` over `crop` where `alpha` (0..255, same size) says so."""
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    if not rows.size:
        return crop
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    weight = alpha[part][..., None].astype(np.uint16)
    result = crop.copy()
    result[part] = ((picture[part] * weight + crop[part] * (255 - weight)) // 255).astype(np.uint8)
    return result


def feather(mask: Picture) -> Picture:
    """Soft edge, one to two pixels wide and inside the mask, so that no background comes along."""
    return np.asarray(cv2.blur(cv2.erode(mask, np.ones((3, 3), np.uint8)), (3, 3)), np.uint8)


def colour(crop: Picture, gain: NDArray[np.float64], shift: float, gamma: float) -> Picture:
    """Per-channel gain, a shift, and a gamma, by one look-up table a channel."""
    ramp = (np.arange(256) / 255.0) ** gamma * 255.0
    tables = np.clip(ramp[:, None] * gain + shift, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(crop, tables[None]), np.uint8)


def motion_blur(crop: Picture, length: int, angle_rad: float) -> Picture:
    """Blur along a line of `length` pixels."""
    kernel = np.zeros((length, length), np.float32)
    half = (length - 1) / 2
    reach = np.array([np.cos(angle_rad), np.sin(angle_rad)]) * half
    start, end = (half - reach).round().astype(int), (half + reach).round().astype(int)
    cv2.line(kernel, start.tolist(), end.tolist(), 1.0)
    return np.asarray(cv2.filter2D(crop, -1, kernel / kernel.sum()), np.uint8)


def low_resolution(crop: Picture, share: float) -> Picture:
    """As if the target had been small: reduce to `share` of the size and back."""
    size = crop.shape[0]
    small = cv2.resize(crop, (max(int(size * share), 8),) * 2, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def ellipse_mask(box: NDArray[np.float64], size: int) -> Picture:
    """The ellipse in a box (corners x0, y0, x1, y1) on size x size, for want of an outline: corners are background."""
    mask = np.zeros((size, size), np.uint8)
    center, half = ((box[:2] + box[2:]) / 2).round().astype(int), ((box[2:] - box[:2]) / 2).round().astype(int)
    cv2.ellipse(mask, center.tolist(), half.tolist(), 0, 0, 360, 255, -1)
    return mask


def other_box(random: np.random.Generator) -> NDArray[np.float64]:
    """4 x 4: times corners x0, y0, x1, y1 a box that is larger or smaller, or of another part of the object."""
    grown = np.exp(random.normal(0, OTHER_SIDES, 2)) / 2
    shift = random.normal(0, OTHER_SHIFT, 2)
    low, high = np.diag(0.5 + grown - shift), np.diag(0.5 - grown + shift)
    return np.block([[low, high], [np.diag(0.5 - grown - shift), np.diag(0.5 + grown + shift)]])


def box_mask(box: NDArray[np.float64], size: int, margin: float = 0.0) -> Picture:
    """Filled box x0, y0, x1, y1, `margin` pixels larger to all sides, size x size uint8."""
    mask = np.zeros((size, size), np.uint8)
    x0, y0, x1, y1 = np.clip(np.concatenate([box[:2] - margin, box[2:] + margin]), 0, size).round().astype(int)
    mask[y0:y1, x0:x1] = 255
    return mask
