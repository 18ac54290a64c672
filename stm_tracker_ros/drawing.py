"""The picture that people look at: box, state and score drawn over an image."""

from __future__ import annotations

import cv2
import numpy as np

from stm_tracker_ros.core.types import Box, Pixels

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
    note: str = "",
) -> Pixels:
    """A copy of `image_bgr` (height x width x 3 uint8) with what is known of the target drawn over it.

    box: in pixels of the image; None draws none. state: its name chooses the colour (green TRACKING, amber UNCERTAIN,
    red LOST). score: in [0, 1], written beside the state. mask: height x width, non-zero = target, tinted. note: a
    second line of text.
    """
    canvas: Pixels = np.ascontiguousarray(image_bgr).copy()
    color = STATE_COLORS.get(state, GREY)
    if mask is not None:
        _tint(canvas, mask, color)
    if box is not None:
        _draw_box(canvas, box, color)
    headline = state if score is None else f"{state} {score:.2f}".strip()
    for line, text in enumerate(text for text in (headline, note) if text):
        _write(canvas, text, line, color)
    return canvas


def _tint(canvas: Pixels, mask: Pixels, color: tuple[int, int, int]) -> None:
    inside = mask > 0
    canvas[inside] = (canvas[inside] * (1 - MASK_OPACITY) + np.array(color) * MASK_OPACITY).astype(np.uint8)


def _draw_box(canvas: Pixels, box: Box, color: tuple[int, int, int]) -> None:
    height, width = canvas.shape[:2]
    # Far outside boxes would overflow OpenCV's 32-bit corners: one picture's size beyond the edge is enough.
    limits = np.array([width, height, width, height])
    corners = np.array([box.x, box.y, box.x + box.width, box.y + box.height]).clip(-limits, 2 * limits)
    # Pixel i covers [i, i + 1): the right and bottom edges run along the last covered pixel.
    left, top, right, bottom = (int(v) for v in np.round(corners - [0, 0, 1, 1]))
    thickness = max(1, round(min(height, width) / 240))
    cv2.rectangle(canvas, (left, top), (right, bottom), color, thickness)


def _write(canvas: Pixels, text: str, line: int, color: tuple[int, int, int]) -> None:
    scale = max(0.35, min(canvas.shape[:2]) / 640)
    thickness = max(1, round(scale * 1.5))
    (_, text_height), baseline = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    margin = baseline + 2
    origin = (margin, margin + text_height + line * (text_height + baseline + margin // 2))
    # A dark rim keeps the words readable on a bright sky.
    cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, color, thickness, cv2.LINE_AA)
