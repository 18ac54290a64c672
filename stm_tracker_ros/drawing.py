"""The picture that people look at: box, mask, state and score drawn over an image."""

from __future__ import annotations

import cv2
import numpy as np

from stm_tracker_ros.core.boxes import corners
from stm_tracker_ros.core.types import Box, Pixels, RotatedBox

GREEN, AMBER, RED, GREY = (80, 220, 80), (0, 190, 255), (60, 60, 255), (200, 200, 200)
STATE_COLORS = {"TRACKING": GREEN, "UNCERTAIN": AMBER, "LOST": RED, "FAULT": RED}
MASK_OPACITY = 0.4


def draw_overlay(
    image_bgr: Pixels,
    *,
    box: Box | None = None,
    state: str = "",
    score: float | None = None,
    mask: Pixels | None = None,
    rotated: RotatedBox | None = None,
    note: str = "",
) -> Pixels:
    """A copy of `image_bgr` (height x width x 3 uint8) with what is known of the target drawn over it.

    box: in pixels of the image; None draws none. state: its name chooses the colour (green TRACKING, amber UNCERTAIN,
    red LOST). score: in [0, 1], written beside the state. mask: height x width, non-zero = target, tinted. rotated:
    drawn in place of the box, where there is a box. note: a second line of text.
    """
    canvas: Pixels = np.ascontiguousarray(image_bgr).copy()
    color = STATE_COLORS.get(state, GREY)
    if mask is not None:
        _tint(canvas, mask, color)
    if box is not None:
        x, y, width, height = box
        upright = RotatedBox(x + width / 2, y + height / 2, width, height, 0.0)
        _draw_box(canvas, upright if rotated is None else rotated, color)
    headline = state if score is None else f"{state} {score:.2f}".strip()
    for line, text in enumerate(text for text in (headline, note) if text):
        _write(canvas, text, line, color)
    return canvas


def _tint(canvas: Pixels, mask: Pixels, color: tuple[int, int, int]) -> None:
    inside = mask > 0
    canvas[inside] = (canvas[inside] * (1 - MASK_OPACITY) + np.array(color) * MASK_OPACITY).astype(np.uint8)


def _draw_box(canvas: Pixels, box: RotatedBox, color: tuple[int, int, int]) -> None:
    height, width = canvas.shape[:2]
    # Pixel i covers [i, i + 1): the edges run through the centres of the outermost covered pixels.
    drawn = box._replace(size_x=max(box.size_x - 1, 0), size_y=max(box.size_y - 1, 0))
    # Far outside boxes would overflow OpenCV's 32-bit corners: one picture's size beyond the edge is enough.
    limits = np.array([width, height])
    points = np.round(corners(drawn).clip(-limits, 2 * limits) - 0.5).astype(np.int32)
    cv2.polylines(canvas, [points], True, color, max(1, round(min(height, width) / 240)))


def _write(canvas: Pixels, text: str, line: int, color: tuple[int, int, int]) -> None:
    scale = max(0.35, min(canvas.shape[:2]) / 640)
    thickness = max(1, round(scale * 1.5))
    (_, text_height), baseline = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    margin = baseline + 2
    origin = (margin, margin + text_height + line * (text_height + baseline + margin // 2))
    # A dark rim keeps the words readable on a bright sky.
    cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, color, thickness, cv2.LINE_AA)
