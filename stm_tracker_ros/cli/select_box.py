"""Naming the target with the mouse, in OpenCV's own window."""

from __future__ import annotations

import os
import sys

import cv2

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box, Pixels

WINDOW = "Draw a box around the target; Enter takes it, c cancels"
_INSTEAD = "name the target with --box X,Y,W,H or --mask instead"


def selected(image_bgr: Pixels) -> Box:
    """The box that somebody draws on the image, in its pixels.

    Raises DataError where there is no window to draw in, or nothing was drawn.
    """
    # Qt does not raise without a display, it ends the process.
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise DataError(f"--select needs a display, and DISPLAY is not set; {_INSTEAD}")
    try:
        cv2.namedWindow(WINDOW, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        x, y, width, height = cv2.selectROI(WINDOW, image_bgr, showCrosshair=False)
        cv2.destroyWindow(WINDOW)
    except cv2.error:
        raise DataError(f"--select needs a window, which this build of OpenCV does not have; {_INSTEAD}") from None
    if not (width and height):
        raise DataError("no box was drawn; allowed is one around the target, then Enter")
    print(f"selected: --box {x},{y},{width},{height}")
    return Box(x, y, width, height)
