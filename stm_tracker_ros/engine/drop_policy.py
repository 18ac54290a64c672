"""Which frames are tracked: decided by stamps alone, without a clock of its own, so that a simulation can use it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Union

JUMP_BACK_NS = 1_000_000_000
JUMP_FORWARD_NS = 10_000_000_000
CLOCK_SET_NS = 1_000_000_000
LATE_FRAMES = 5
OFFSET_FRAMES = 300


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
    """Decides about frames in the order in which they reach the engine.

    max_age_ms: frames older than this are too old; 0 = never. May be changed at any time.
    A stamp that falls by more than a second, or lies before the newest one for the fifth time in a row, is a jump
    back; one that rises ten seconds further than the steady clock is a jump forward. Stamps that rise with that are no
    jump, however far: the camera was silent. A jump makes the policy forget what it learned of the clocks, and so does
    a node's clock that was set, or begins to run: it moves otherwise than the steady one, by a second, or by half of
    what a frame may be old.
    """

    def __init__(self, max_age_ms: float = 0.0) -> None:
        self.max_age_ms = max_age_ms
        self._stamp_ns: int | None = None
        self._arrival_ns = self._steady_ns = 0
        self._late = 0
        self._offsets_ns: deque[int] = deque(maxlen=OFFSET_FRAMES)

    @property
    def offset_ns(self) -> int | None:
        """Smallest recent (arrival - stamp): fastest transport plus the difference of the two clocks; None at first."""
        return min(self._offsets_ns, default=None)

    def decide(self, *, stamp_ns: int, arrival_ns: int, now_ns: int, steady_ns: int | None = None) -> Verdict:
        """The verdict on a frame exposed at `stamp_ns` (camera's clock), received at `arrival_ns`, looked at `now_ns`.

        steady_ns: the arrival by a clock that nobody sets; by default `arrival_ns` is one.

        Its age is (now - stamp) - offset_ns, so that a constant difference of the clocks drops nothing.
        """
        steady_ns = arrival_ns if steady_ns is None else steady_ns
        steady_step = steady_ns - self._steady_ns
        if abs(arrival_ns - self._arrival_ns - steady_step) > self._clock_set_ns:
            self._offsets_ns.clear()
        step = None if self._stamp_ns is None else stamp_ns - self._stamp_ns
        self._late = self._late + 1 if step is not None and step < 0 else 0
        jump = None if step is None else self._jump(step, steady_step)
        if step is not None and step <= 0 and jump is None:
            return Skip(DropReason.DUPLICATE if step == 0 else DropReason.OUT_OF_ORDER)
        if jump is not None:
            self._offsets_ns.clear()
        self._steady_ns = steady_ns
        return self._accept(jump, stamp_ns, arrival_ns, now_ns)

    @property
    def _clock_set_ns(self) -> float:
        """By how much the node's clock must move otherwise than the steady one to have been set."""
        return min(CLOCK_SET_NS, self.max_age_ms * 1e6 / 2) if self.max_age_ms > 0 else CLOCK_SET_NS

    def _jump(self, step_ns: int, steady_step_ns: int) -> Jump | None:
        if step_ns < -JUMP_BACK_NS or self._late >= LATE_FRAMES:
            return Jump.BACK
        return Jump.FORWARD if step_ns > 0 and step_ns - steady_step_ns > JUMP_FORWARD_NS else None

    def _accept(self, jump: Jump | None, stamp_ns: int, arrival_ns: int, now_ns: int) -> Verdict:
        self._stamp_ns, self._arrival_ns, self._late = stamp_ns, arrival_ns, 0
        self._offsets_ns.append(arrival_ns - stamp_ns)
        if jump is not None:
            return Reset(jump)
        age_ns = now_ns - stamp_ns - min(self._offsets_ns)
        too_old = 0 < self.max_age_ms < age_ns / 1e6
        return Skip(DropReason.TOO_OLD) if too_old else Track()
