"""What an operator asks for and is answered: request, codes, and the judgement of a target on its image."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from stm_tracker_ros.core.boxes import clip_to_image, from_mask
from stm_tracker_ros.core.errors import TargetError
from stm_tracker_ros.core.types import Box, Frame, Pixels, Result, Target
from stm_tracker_ros.engine.names import MOST_BYTES
from stm_tracker_ros.engine.place import Place

MIN_SIDE_PX = 3
ROUNDING_PX = 1e-6


class Code(IntEnum):
    """Outcome of set_target; the numbers are those of SetTarget.srv."""

    OK = 0
    NO_IMAGE = 1
    OUTSIDE_IMAGE = 2
    TOO_SMALL = 3
    NOT_FINITE = 4
    STAMP_TOO_OLD = 5
    BOX_OR_MASK = 6
    MASK_SIZE = 7
    TIMEOUT = 8
    INACTIVE = 9
    INTERNAL = 10
    BAD_REQUEST = 11


@dataclass(frozen=True, kw_only=True)
class TargetRequest:
    """What the operator named, unjudged.

    box: as given, may be anything; None where none was given (the node's rule: every field of the message is 0).
    mask: height x width, non-zero = target; None where none was given (the node's rule: an image without data).
    stamp_ns: stamp of the image on which the target was named; 0 = the newest received.
    id, class_id: empty = `target-N`, `object`.
    """

    box: Box | None = None
    mask: Pixels | None = None
    stamp_ns: int = 0
    id: str = ""
    class_id: str = ""


@dataclass(frozen=True, kw_only=True)
class TargetAnswer:
    """The answer to a TargetRequest; everything but code and message is empty in a refusal.

    message: for a human; says what was wrong and what is allowed.
    stamp_used_ns: stamp of the image that was used; age_s: its age by the node's clock when the answer was made.
    frames_replayed: frames tracked between that image and now.
    image: the message of that image (its header is the header of the answer's detection).
    result: what the tracker found on that image. place: of it, what may be published.
    """

    code: Code
    message: str
    id: str = ""
    class_id: str = ""
    stamp_used_ns: int = 0
    age_s: float = 0.0
    frames_replayed: int = 0
    image: object | None = None
    result: Result | None = None
    place: Place | None = None

    @property
    def success(self) -> bool:
        """Whether the target is being followed from now on."""
        return self.code is Code.OK


class RefusalError(TargetError):
    """A request that cannot be followed, with its code."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def check_request(request: TargetRequest) -> None:
    """What can be judged without an image. Raises RefusalError (BOX_OR_MASK, NOT_FINITE, BAD_REQUEST)."""
    for what, name in (("id", request.id), ("class_id", request.class_id)):
        length = len(name.encode(errors="replace"))
        if length > MOST_BYTES:
            raise RefusalError(Code.BAD_REQUEST, f"{what} has {length} bytes; allowed are at most {MOST_BYTES}")
    if (request.box is None) == (request.mask is None):
        given = "neither" if request.box is None else "both"
        raise RefusalError(Code.BOX_OR_MASK, f"{given} of box and mask given; give exactly one")
    if request.box is not None and not np.isfinite(request.box).all():
        raise RefusalError(Code.NOT_FINITE, f"box {_text(request.box)} is not finite; allowed are finite numbers")


def target_on(request: TargetRequest, frame: Frame) -> Target:
    """The target on its image; a box is cut at the image's edge, for nothing is known of what lies beyond.

    Both sides must be at least 3 px long inside the image. Raises RefusalError (OUTSIDE_IMAGE, TOO_SMALL, MASK_SIZE).
    """
    if request.mask is not None:
        return _masked(request.mask, frame)
    assert request.box is not None, "check_request comes first"
    return Target(box=_inside(request.box, frame))


def _masked(mask: Pixels, frame: Frame) -> Target:
    if mask.shape != (frame.height, frame.width):
        size = " x ".join(str(side) for side in reversed(mask.shape))
        raise RefusalError(Code.MASK_SIZE, f"mask is {size} px; the image is {frame.width} x {frame.height} px")
    if not mask.any():
        raise RefusalError(Code.TOO_SMALL, "mask is empty; allowed is one with a target in it")
    _check_sides(from_mask(mask), "mask covers")
    return Target(mask=mask)


def _inside(box: Box, frame: Frame) -> Box:
    _check_sides(box, "box is")
    visible = clip_to_image(box, frame.width, frame.height)
    if min(visible.width, visible.height) <= 0:
        image = f"{frame.width} x {frame.height} px"
        raise RefusalError(Code.OUTSIDE_IMAGE, f"box {_text(box)} lies outside the image of {image}")
    _check_sides(visible, "inside the image the box is")
    return visible


def _check_sides(box: Box, what: str) -> None:
    if min(box.width, box.height) < MIN_SIDE_PX - ROUNDING_PX:
        size = f"{box.width:g} x {box.height:g} px"
        raise RefusalError(Code.TOO_SMALL, f"{what} {size}; allowed is at least {MIN_SIDE_PX} px a side")


def _text(box: Box) -> str:
    return "(" + ", ".join(f"{value:g}" for value in box) + ")"
