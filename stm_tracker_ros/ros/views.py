"""Pixels as they came, seen as BGR where somebody looks: cropping comes first, colour second."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from stm_tracker_ros.core.stretch import Limits, spread
from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.ros.encodings import Encoding, Raw, TwoPlanes

LimitsOf = Callable[[Raw], Limits]
"""Gives the values that become black and white in an image that has no fixed white, from the whole of its pixels."""


class PixelView:
    """An image of one plane as BGR; a core.types.ImageView.

    raw: height x width [x channels] of the encoding's type, not copied. limits_of: asked once, when somebody looks.
    """

    def __init__(self, raw: Raw, encoding: Encoding, limits_of: LimitsOf) -> None:
        self._encoding, self._limits_of = encoding, limits_of
        self._raw = raw[..., :3] if encoding.stretch and encoding.channels == 4 else raw
        self._limits: Limits | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, 3."""
        return int(self._raw.shape[0]), int(self._raw.shape[1]), 3

    def region(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        """BGR uint8 pixels of columns [left, right) and rows [top, bottom), which lie inside the image."""
        encoding, (height, width, _) = self._encoding, self.shape
        column, column_end = _widen(left, right, encoding.grid[0], encoding.margin, width)
        row, row_end = _widen(top, bottom, encoding.grid[1], encoding.margin, height)
        raw = self._raw[row:row_end, column:column_end]
        bgr = encoding.to_bgr(self._stretched(raw) if encoding.stretch else raw)
        return bgr[top - row : bottom - row, left - column : right - column]

    def _stretched(self, raw: Raw) -> Pixels:
        if self._limits is None:
            self._limits = self._limits_of(self._raw)
        return spread(raw, self._limits)


class TwoPlaneView:
    """An image of a plane of luma and one of chroma as BGR; a core.types.ImageView.

    luma: height x width uint8. chroma: height / rows x width / columns x 2 uint8, for the cells of the encoding's grid.
    """

    def __init__(self, luma: Pixels, chroma: Pixels, encoding: TwoPlanes) -> None:
        self._luma, self._chroma, self._encoding = luma, chroma, encoding

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, 3."""
        return int(self._luma.shape[0]), int(self._luma.shape[1]), 3

    def region(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        """BGR uint8 pixels of columns [left, right) and rows [top, bottom), which lie inside the image."""
        height, width, _ = self.shape
        column, column_end = _widen(left, right, 2, 0, width)
        row, row_end = _widen(top, bottom, 2, 0, height)
        luma = np.ascontiguousarray(self._luma[row:row_end, column:column_end])
        chroma = self._halved(row, row_end, column, column_end)
        bgr = np.asarray(cv2.cvtColorTwoPlane(_even(luma), chroma, self._encoding.order), np.uint8)
        return bgr[top - row : bottom - row, left - column : right - column]

    def _halved(self, row: int, row_end: int, column: int, column_end: int) -> Pixels:
        """Chroma for cells of 2 x 2 pixels, which is all that OpenCV takes, and the eye."""
        columns, rows = self._encoding.grid
        part = self._chroma[row // rows : -(-row_end // rows), column // columns : -(-column_end // columns)]
        return np.ascontiguousarray(part[:: 2 // rows, :: 2 // columns])


def _even(luma: Pixels) -> Pixels:
    """With sides that OpenCV takes in cells of 2 x 2: the image's last row or column is repeated for that."""
    height, width = luma.shape
    return np.pad(luma, ((0, height % 2), (0, width % 2)), mode="edge") if height % 2 or width % 2 else luma


def _widen(low: int, high: int, grid: int, margin: int, size: int) -> tuple[int, int]:
    """[low, high) with a margin, on the grid, inside [0, size)."""
    low, high = low - margin, high + margin
    return max(low // grid * grid, 0), min(-(-high // grid) * grid, size)
