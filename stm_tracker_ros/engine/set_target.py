"""What an operator asks for and is answered: request, codes, and the judgement of a target on its image."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from stm_tracker_ros.core.types import Box, Pixels, Result


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
    result: what the tracker found on that image.
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

    @property
    def success(self) -> bool:
        """Whether the target is being followed from now on."""
        return self.code is Code.OK
