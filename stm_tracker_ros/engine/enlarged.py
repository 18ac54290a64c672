"""A smaller version of an image, seen in the size that it had: boxes named on the image keep their meaning."""

from __future__ import annotations

import math
from typing import Union

import cv2
import numpy as np

from stm_tracker_ros.core.types import ImageView, Pixels


class EnlargedView:
    """An image as if it were width x height pixels, enlarged where somebody looks; a core.types.ImageView."""

    def __init__(self, image: Union[Pixels, ImageView], width: int, height: int) -> None:
        self._image, self._width, self._height = image, width, height

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, 3."""
        return self._height, self._width, 3

    def region(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        """BGR uint8 pixels of columns [left, right) and rows [top, bottom), which lie inside the image."""
        rows, columns = int(self._image.shape[0]), int(self._image.shape[1])
        column, column_end, x, x_from = _needed(left, right, columns, self._width)
        row, row_end, y, y_from = _needed(top, bottom, rows, self._height)
        pixels = self._part(column, row, column_end, row_end)
        matrix = np.array([[x, 0, x_from], [0, y, y_from]])
        size, how = (right - left, bottom - top), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(pixels, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE), np.uint8)

    def _part(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        if isinstance(self._image, np.ndarray):
            return np.ascontiguousarray(self._image[top:bottom, left:right])
        return np.ascontiguousarray(self._image.region(left, top, right, bottom))


def _needed(low: int, high: int, have: int, seen: int) -> tuple[int, int, float, float]:
    """Along one axis: the pixels [first, end) of the smaller image that [low, high) is made of, and how.

    Pixel n of the region lies at `step` * n + `start` of them, both measured between centres of pixels.
    """
    step = have / seen
    first = max(math.floor((low + 0.5) * step - 0.5), 0)
    end = min(math.floor((high - 0.5) * step - 0.5) + 2, have)
    return first, end, step, (low + 0.5) * step - 0.5 - first
