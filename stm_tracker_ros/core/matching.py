"""What travels between the following stage and a paper's tracker: looks in, candidates out.

Coordinates of a crop are edge coordinates in its pixels, as those of an image: pixel i covers [i, i + 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.types import Box, Frame, Pixels, RotatedBox

Floats = NDArray[np.float64]

NOMINAL_PERIOD_NS = 1_000_000_000 / 30
"""From one frame's number to the next."""


@dataclass(frozen=True, kw_only=True)
class Crop:
    """Where a crop lies: its left and top edge in the image and the image pixels that one crop pixel spans."""

    left: float
    top: float
    scale: float

    def region(self, size: int) -> Box:
        """The square that a crop of size x size pixels shows, in image pixels."""
        return Box(self.left, self.top, size * self.scale, size * self.scale)

    def to_image(self, box: Box) -> Box:
        """Box in crop pixels -> image pixels."""
        s = self.scale
        return Box(self.left + box.x * s, self.top + box.y * s, box.width * s, box.height * s)

    def to_crop(self, box: Box) -> Box:
        """Box in image pixels -> crop pixels."""
        s = self.scale
        return Box((box.x - self.left) / s, (box.y - self.top) / s, box.width / s, box.height / s)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One crop of a frame, to be searched.

    number: of the frame, in nominal frame periods (30 a second) since the target was named, whose frame is 1;
        never less than before, and the same for images that are closer to each other.
    crop, patch: where the crop lies, and its pixels, size x size x 3 BGR.
    fill: BGR colour of what lies outside the image.
    expected: where the target is expected, in image pixels, its centre in the image.
    search_factor: side of the crop over the usual one.
    """

    frame: Frame
    number: int
    crop: Crop
    patch: Pixels
    fill: tuple[float, float, float]
    expected: Box
    search_factor: float = 1.0


class Segment(NamedTuple):
    """What of the image is the target: pixels height x width, 0 or 255, and the rotated box that fits them best.

    All zero, and without a box, where nothing is.
    """

    pixels: Pixels
    rotated: RotatedBox | None


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What may be the target in one look.

    crop: the one that `boxes` are measured in; a tracker with a crop of its own within the look gives that.
    boxes: N x 4 float64, x, y, width, height in crop pixels. scores: N float64 in [0, 1], as the network gives them.
    grid: rows, columns, anchors; N is their product, row-major.
    trust: factor of the scores by what the tracker knows of itself, in [0, 1].
    segment: of trackers whose one candidate is a mask, and of the first look of those with `outline`.
    outline: of trackers that can give each candidate a mask: makes that of one number; asked for the target's alone.
    peaks: places x, y in image pixels, the best first, where to look next if no candidate is the target.
    payload: what else the tracker knows of this look, for itself.
    """

    crop: Crop
    boxes: Floats
    scores: Floats
    grid: tuple[int, int, int]
    trust: float = 1.0
    segment: Segment | None = None
    outline: Callable[[int], Segment] | None = None
    peaks: tuple[tuple[float, float], ...] = ()
    payload: Any = None


class Evidence(NamedTuple):
    """How good the answer is, by the following stage: its score in [0, 1], and that over the target's usual one."""

    score: float
    share_of_usual: float
