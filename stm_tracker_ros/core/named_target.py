"""What an operator may name as the target on an image: one check, one set of words, for command, library and node."""

from __future__ import annotations

from stm_tracker_ros.core.boxes import clip_to_image, of_target
from stm_tracker_ros.core.errors import TargetError, TargetFault
from stm_tracker_ros.core.masks import binary
from stm_tracker_ros.core.types import Box, Target

MIN_SIDE_PX = 3
ROUNDING_PX = 1e-6
# Four numbers are taken for corners where those lie in the image, and less than this of their box does.
_LEAST_INSIDE = 0.75


def on_image(target: Target, width: int, height: int) -> Target:
    """The target as it is followed from an image of width x height; a box is cut at the edge, nothing is known beyond.

    Both sides must be at least 3 px long inside the image. Raises TargetError, with a hint where the numbers look like
    a box of another convention: shares of the image's sides, or two corners.
    """
    if target.mask is not None and target.mask.dtype.kind == "f":
        target = Target(mask=binary(target.mask))  # NaN is not target
    if target.box is None:
        _check_sides(of_target(target, width, height), "mask covers")
        return target
    return Target(box=_inside(target.box, width, height))


def _inside(box: Box, width: int, height: int) -> Box:
    _check_sides(box, f"box {box.words} is", _if_shares(box, width, height))
    visible = clip_to_image(box, width, height)
    if visible.width * visible.height < _LEAST_INSIDE * box.width * box.height:
        _refuse_corners(box, width, height)
    of_target(Target(box=box), width, height)
    _check_sides(visible, f"of box {box.words} inside the image of {width} x {height} px is")
    return visible


def _check_sides(box: Box, what: str, hint: str = "") -> None:
    if min(box.width, box.height) < MIN_SIDE_PX - ROUNDING_PX:
        size = f"{box.width:g} x {box.height:g} px"
        text = f"{what} {size}; allowed is at least {MIN_SIDE_PX} px a side{hint}"
        raise TargetError(text, TargetFault.TOO_SMALL)


def _if_shares(box: Box, width: int, height: int) -> str:
    if not (min(box) >= 0 and max(box) <= 1 and min(box.width, box.height) > 0):
        return ""
    pixels = Box(box.x * width, box.y * height, box.width * width, box.height * height)
    return f"; boxes are in pixels: if these are shares of the image's sides, give {pixels.words}"


def _refuse_corners(box: Box, width: int, height: int) -> None:
    left, top, right, bottom = box
    sides = Box(left, top, right - left, bottom - top)
    if min(left, top) < 0 or right > width or bottom > height or min(sides.width, sides.height) < MIN_SIDE_PX:
        return
    end = f"({left + right:g}, {top + bottom:g})"
    text = f"box {box.words} reaches to {end}, far beyond the image of {width} x {height} px"
    hint = f"allowed is x, y, width, height: if these are two corners, give {sides.words}"
    raise TargetError(f"{text}; {hint}", TargetFault.OUTSIDE_IMAGE)
