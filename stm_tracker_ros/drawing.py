"""The picture that people look at: target, state and what the tracker waits for, drawn over an image."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.boxes import corners, iou
from stm_tracker_ros.core.types import Box, Pixels, Result, RotatedBox
from stm_tracker_ros.lettering import Color, Line, write_below, write_plate

GREEN, AMBER, RED, GREY, BLUE = (80, 220, 80), (0, 190, 255), (80, 80, 255), (200, 200, 200), (255, 170, 60)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
STATE_COLORS = {"TRACKING": GREEN, "UNCERTAIN": AMBER, "LOST": RED, "FAULT": RED}
MASK_OPACITY = 0.4
DASH_TO_LINE = 5
SAME_PLACE_IOU = 0.9
CROSS_TO_PICTURE = 1 / 40


def draw_overlay(
    image_bgr: Pixels,
    *,
    box: Box | None = None,
    state: str = "",
    score: float | None = None,
    mask: Pixels | None = None,
    rotated: RotatedBox | None = None,
    note: str = "",
    target_id: str = "",
    latency_ms: float | None = None,
    unseen_s: float = 0.0,
    expected: Box | None = None,
    region: Box | None = None,
    candidates: Sequence[tuple[Box, str]] = (),
    center_cross: bool = False,
    words: bool = True,
) -> Pixels:
    """A copy of `image_bgr` (height x width x 3 uint8) with what is known of the target drawn over it.

    box: in pixels of the image; None draws none. state: its name chooses the colour (green TRACKING, amber UNCERTAIN,
    red LOST). score: in [0, 1], written beside the state. mask: height x width, non-zero = target, tinted. rotated:
    drawn in place of the box, where there is a box. note: more text, after `target_id` and the latency.
    latency_ms: from image to answer. unseen_s: seconds since the target was last seen, written from 0.1 on. expected:
    where the target is waited for, dashed. region: what was searched, a thin line. candidates: what may be the
    target, dashed in blue with its words beneath. center_cross: mark the middle of the image, which a gimbal holds on
    the target. words: False leaves all text out.
    """
    canvas: Pixels = np.ascontiguousarray(image_bgr).copy()
    color = STATE_COLORS.get(state, GREY)
    if mask is not None:
        _tint(canvas, mask, color)
    if region is not None:
        cv2.polylines(canvas, [_outline(canvas, _upright(region))], True, GREY, 1)
    if center_cross:
        _draw_cross(canvas)
    if expected is not None:
        draw_dashed(canvas, expected, color)
    for place, text in candidates:
        draw_dashed(canvas, place, BLUE)
        write_below(canvas, Line(text if words else "", BLUE), place)
    # A box that is published while it is waited for is dashed: a full line beneath would hide that.
    if box is not None and (expected is None or iou(box, expected) < SAME_PLACE_IOU):
        outline = _outline(canvas, _upright(box) if rotated is None else rotated)
        cv2.polylines(canvas, [outline], True, color, line_width(canvas))
    if words:
        lines = _lines(color, state, score, target_id, latency_ms, unseen_s, note)
        write_plate(canvas, lines, avoid=expected if box is None else box)
    return canvas


def waited_for(result: Result, valid: bool) -> Box | None:
    """The box to draw dashed: where the tracker waits for the target; None while it has it.

    valid: whether the state allows a box to be shown.
    """
    return None if result.found and valid else result.expected


def draw_dashed(canvas: Pixels, box: Box, color: Color, *, rim: bool = True) -> None:
    """Draw a dashed box onto `canvas` (changed); rim: a dark one around each dash, so that any picture shows it."""
    points = _outline(canvas, _upright(box)).astype(np.float64)
    dashes = [dash for side in zip(points, np.roll(points, -1, axis=0), strict=True) for dash in _dashes(canvas, *side)]
    width = line_width(canvas)
    for ink, thickness in [(BLACK, width + 2)] * rim + [(color, width)]:
        cv2.polylines(canvas, dashes, False, ink, thickness)


def _dashes(canvas: Pixels, start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.int32]:
    """N x 2 x 2: dashes and gaps of one length, a dash at either end, so that the corners stand."""
    dash_px = max(4, DASH_TO_LINE * line_width(canvas))
    parts = 1 + 2 * round(float(np.linalg.norm(end - start)) / dash_px / 2)
    shares = np.arange(0, parts, 2)[:, None, None] + np.array([[0.0], [0.8]])
    return np.round(start + (end - start) * np.minimum(shares / parts, 1)).astype(np.int32)


def line_width(canvas: Pixels) -> int:
    """Width in pixels of a line that is seen on a picture of this size."""
    return max(1, round(min(canvas.shape[:2]) / 240))


def _lines(
    color: Color, state: str, score: float | None, target_id: str, latency_ms: float | None, unseen_s: float, note: str
) -> list[Line]:
    headline = [state, "" if score is None else f"{score:.2f}"]
    unseen = f"unseen {unseen_s:.1f} s" if unseen_s >= 0.1 else ""
    details = [target_id, "" if latency_ms is None else f"{latency_ms:.0f} ms", note]
    texts = [("  ".join(filter(None, [" ".join(filter(None, headline)), unseen])), color)]
    texts.append(("  ".join(filter(None, details)), WHITE))
    return [Line(text, ink) for text, ink in texts if text]


def _tint(canvas: Pixels, mask: Pixels, color: Color) -> None:
    left, top, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    if not width:
        return
    window = canvas[top : top + height, left : left + width]
    inside = (mask[top : top + height, left : left + width] > 0).astype(np.uint8)
    tinted = cv2.addWeighted(window, 1 - MASK_OPACITY, np.full_like(window, color), MASK_OPACITY, 0)
    cv2.copyTo(tinted, inside, window)


def _draw_cross(canvas: Pixels) -> None:
    height, width = canvas.shape[:2]
    arm = max(4, round(min(height, width) * CROSS_TO_PICTURE))
    for ink, thickness in ((BLACK, line_width(canvas) + 2), (WHITE, line_width(canvas))):
        for x, y in ((arm, 0), (0, arm)):
            cv2.line(canvas, (width // 2 - x, height // 2 - y), (width // 2 + x, height // 2 + y), ink, thickness)


def _upright(box: Box) -> RotatedBox:
    return RotatedBox(box.x + box.width / 2, box.y + box.height / 2, box.width, box.height, 0.0)


def _outline(canvas: Pixels, box: RotatedBox) -> NDArray[np.int32]:
    """4 x 2 corners for OpenCV."""
    height, width = canvas.shape[:2]
    # Pixel i covers [i, i + 1): the edges run through the centres of the outermost covered pixels.
    drawn = box._replace(size_x=max(box.size_x - 1, 0), size_y=max(box.size_y - 1, 0))
    # Far outside boxes would overflow OpenCV's 32-bit corners: one picture's size beyond the edge is enough.
    limits = np.array([width, height])
    return np.round(corners(drawn).clip(-limits, 2 * limits) - 0.5).astype(np.int32)
