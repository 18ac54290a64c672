"""Which frames are tracked: judged by stamps alone, without a clock of its own, so that a simulation can use it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Union


class DropReason(str, Enum):
    """Why a received frame was not tracked."""

    SUPERSEDED = "superseded"
    QUEUE_FULL = "queue_full"
    TOO_OLD = "too_old"
    OUT_OF_ORDER = "out_of_order"
    DUPLICATE = "duplicate"
    BAD_IMAGE = "bad_image"
    TRACKER_ERROR = "tracker_error"
    NO_TARGET = "no_target"
    PAUSED = "paused"
    INACTIVE = "inactive"
    FAULT = "fault"


class Jump(str, Enum):
    """Which way the stamps jumped."""

    BACK = "back"
    FORWARD = "forward"


@dataclass(frozen=True)
class Track:
    """Track this frame."""


@dataclass(frozen=True)
class Skip:
    """Do not track this frame."""

    reason: DropReason


@dataclass(frozen=True)
class Reset:
    """Track this frame, but time has jumped before it (a bag that loops, a clock that was set)."""

    jump: Jump


Verdict = Union[Track, Skip, Reset]


class DropPolicy:
    """Judges frames in the order in which they reach the engine.

    max_age_ms: frames older than this are too old; 0 = never. May be changed at any time.
    """

    def __init__(self, max_age_ms: float = 0.0) -> None:
        self.max_age_ms = max_age_ms
        self._offsets_ns: deque[int] = deque(maxlen=300)

    @property
    def offset_ns(self) -> int | None:
        """Smallest recent (arrival - stamp): fastest transport plus the difference of the two clocks; None at first."""
        return min(self._offsets_ns, default=None)

    def judge(self, *, stamp_ns: int, arrival_ns: int, now_ns: int) -> Verdict:
        """The verdict on a frame exposed at `stamp_ns` (camera's clock), received at `arrival_ns`, looked at `now_ns`.

        Its age is (now - stamp) - offset_ns, so that a constant difference of the clocks drops nothing.
        """
        return Track()
