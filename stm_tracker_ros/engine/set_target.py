"""What an operator asks for and is answered: request, codes, refusals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from stm_tracker_ros.core.errors import TargetError
from stm_tracker_ros.core.named_target import on_image
from stm_tracker_ros.core.types import Box, Frame, Pixels, Result, Target
from stm_tracker_ros.engine.names import unfit
from stm_tracker_ros.engine.place import Place


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
    result: what the tracker found on that image. place: of it, what may be published. uncertain: the state is UNCERTAIN
        there: the place may be where the target is expected, and not where it was seen.
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
    uncertain: bool = False

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
    """What can be checked without an image. Raises RefusalError (BOX_OR_MASK, NOT_FINITE, TOO_SMALL, BAD_REQUEST)."""
    for what, name in (("id", request.id), ("class_id", request.class_id)):
        if reason := unfit(what, name):
            raise RefusalError(Code.BAD_REQUEST, reason)
    _target(request)


def target_on(request: TargetRequest, frame: Frame) -> Target:
    """The target on its image, see core.named_target. Raises RefusalError (OUTSIDE_IMAGE, TOO_SMALL, MASK_SIZE)."""
    try:
        return on_image(_target(request), frame.width, frame.height)
    except TargetError as error:
        raise refusal_of(error) from None


def refusal_of(error: TargetError) -> RefusalError:
    """The same as an answer of the service."""
    return RefusalError(Code[error.fault.name], str(error))


def _target(request: TargetRequest) -> Target:
    try:
        return Target(box=request.box, mask=request.mask)
    except TargetError as error:
        raise refusal_of(error) from None
