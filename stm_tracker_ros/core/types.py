"""What travels between the rooms: a frame in, a target to start from, a result out.

Boxes are x, y, width, height in float pixels of the image; pixel i covers [i, i + 1), so the centre of a box is
x + width / 2. All types are frozen; arrays in them are not to be written to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, Union, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import FrameError, TargetError, TargetFault

Pixels = NDArray[np.uint8]
MOST_CANDIDATES = 5
LEAST_FPS, HIGHEST_FPS = 1e-3, 1e5
"""Of a recording, frames a second: their stamps differ, and fit into 64 bits of nanoseconds."""


class Box(NamedTuple):
    """Axis-aligned box: left edge, top edge, width, height, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def center(self) -> tuple[float, float]:
        """Centre (x, y) in pixels."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def words(self) -> str:
        """The four numbers for an operator to read."""
        return "(" + ", ".join(f"{value:g}" for value in self) + ")"


class RotatedBox(NamedTuple):
    """Rotated box: centre, `size_x` along `theta`, `size_y` across it; theta in rad from image x towards image y.

    In pixels; theta 0 is the axis-aligned box with `size_x` as its width.
    """

    center_x: float
    center_y: float
    size_x: float
    size_y: float
    theta: float


@runtime_checkable
class ImageView(Protocol):
    """An image that is converted to BGR only where somebody looks (a 4K message costs as much as its crop)."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, 3."""

    def region(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        """BGR uint8 pixels of columns [left, right) and rows [top, bottom), which lie inside the image."""


_MOST_NS = np.iinfo(np.int64).max


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One image of the stream.

    image: height x width x 3 uint8 BGR, or a view that converts on demand.
    stamp_ns: time of exposure in nanoseconds, any epoch; drives everything that the trackers do "every n frames".
    gap: frames of the stream lost or dropped since the frame that was handed over before this one.
    Raises FrameError if the image is not height x width x 3 uint8, or is empty.
    """

    image: Union[Pixels, ImageView]
    stamp_ns: int
    gap: int = 0

    def __post_init__(self) -> None:
        shape = getattr(self.image, "shape", None)
        if not isinstance(shape, tuple):
            raise FrameError(
                f"image is a {type(self.image).__name__}; allowed is a height x width x 3 array of uint8, BGR"
            )
        if not isinstance(self.stamp_ns, (int, np.integer)) or abs(self.stamp_ns) > _MOST_NS:
            raise FrameError(f"stamp_ns is {self.stamp_ns!r}; allowed are whole nanoseconds, of 64 bits")
        if len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise FrameError(f"image has shape {shape}; allowed is height x width x 3, none of them 0")
        if isinstance(self.image, np.ndarray) and self.image.dtype != np.uint8:
            raise FrameError(f"image has type {self.image.dtype}; allowed is uint8 (BGR, 0 to 255)")
        if self.gap < 0:
            raise FrameError(f"gap is {self.gap}; allowed is 0 or more")

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.image.shape[0])

    def region(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        """BGR pixels of columns [left, right) and rows [top, bottom); the caller keeps them inside the image."""
        if isinstance(self.image, np.ndarray):
            return self.image[top:bottom, left:right]
        return self.image.region(left, top, right, bottom)

    def bgr(self) -> Pixels:
        """The whole image, height x width x 3 uint8 BGR."""
        return self.region(0, 0, self.width, self.height)


@dataclass(frozen=True, kw_only=True)
class Target:
    """What to follow: a box, or a mask of the image's size (non-zero = target). Exactly one of the two."""

    box: Box | None = None
    mask: Pixels | None = None

    def __post_init__(self) -> None:
        if (self.box is None) == (self.mask is None):
            given = "both" if self.box is not None else "neither"
            raise TargetError(f"{given} of box and mask given; allowed is exactly one", TargetFault.BOX_OR_MASK)
        if self.box is not None and not isinstance(self.box, Box):
            object.__setattr__(self, "box", _box(self.box))
        if self.box is not None and not np.isfinite(self.box).all():
            raise TargetError(f"box {self.box.words} is not finite; allowed are finite numbers", TargetFault.NOT_FINITE)
        if self.mask is not None and not isinstance(self.mask, np.ndarray):
            raise TargetError(f"mask is {self.mask!r}; allowed is an array, height x width", TargetFault.MASK_SIZE)
        if self.mask is not None and self.mask.ndim != 2:
            raise TargetError(f"mask has shape {self.mask.shape}; allowed is height x width", TargetFault.MASK_SIZE)
        if self.mask is not None and not self.mask.any():
            height, width = self.mask.shape
            text = f"mask of {width} x {height} px is empty; allowed is one with a target in it"
            raise TargetError(text, TargetFault.TOO_SMALL)


def _box(given: object) -> Box:
    """Any four numbers as a box. Raises TargetError."""
    try:
        x, y, width, height = (float(value) for value in given)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise TargetError(f"box is {given!r}; allowed are four numbers: x, y, width, height") from None
    return Box(x, y, width, height)


class Candidate(NamedTuple):
    """Something that looks like the target: its box in pixels of the image, how much, in [0, 1].

    That is what the network says, no probability, also where the score of a `Result` is one.
    """

    box: Box
    score: float


class Lead(NamedTuple):
    """What may be the target that is away, and is looked at closely: box in pixels of the image, score in [0, 1].

    frames: nominal ones, 30 a second, for which it has been the same; times: how many looks running have found that it
    scores as the target usually does.
    """

    box: Box
    score: float
    frames: float
    times: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """A tracker's answer for one frame.

    box: the best axis-aligned box, in pixels of the image, finite; also while the score says that it is not to be
        trusted.
    score: confidence in [0, 1]: of a tracker whose weights hold a calibration, the probability that `box` overlaps with
        the true one by half or more (IoU), 0 standing for a target out of sight; of others, what the network says,
        as far as the tracker trusts it. 1 in the answer of `init`.
    mask: height x width uint8, 0 or 255, of the image's size; all zero where a tracker with masks finds nothing: a
        state, not an error. None from trackers without masks, and from these always.
    rotated: the rotated box that fits the mask best, in pixels of the image; None without a mask, of an empty one, and
        of one too small for the tracker's taste.
    found: whether the tracker takes what it answers for the target; False while it only waits for it.
    expected: where the target was expected before the frame was looked at; it may lie outside the image. None where
        there is nothing to expect: in the answer of `init`, and from trackers that expect nothing.
    region: what was searched, a box that may reach beyond the image; None in the answer of `init`.
    candidates: what else looked like the target, the best first, `box` among them if it was found; at most
        MOST_CANDIDATES, each apart from the others.
    lead: of a target that is away: what elsewhere may be it; None where there is nothing, or where it is found.
    trouble: why this frame cannot show the target whatever is in it, in words: LOST at once. Empty otherwise.
    doubt: why what was found may be something else however it scores, and what cures that, in words. Empty otherwise.
    """

    box: Box
    score: float
    mask: Pixels | None = None
    rotated: RotatedBox | None = None
    found: bool = True
    expected: Box | None = None
    region: Box | None = None
    candidates: tuple[Candidate, ...] = ()
    lead: Lead | None = None
    trouble: str = ""
    doubt: str = ""
