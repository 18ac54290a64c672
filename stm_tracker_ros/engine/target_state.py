"""From scores and stamps to TRACKING, UNCERTAIN or LOST, with hysteresis in score and in time."""

from __future__ import annotations

from enum import IntEnum

from stm_tracker_ros.engine.config import StateConfig

NS_PER_MS = 1_000_000


class State(IntEnum):
    """What the node says of itself; the numbers are those of TrackerStatus.msg."""

    UNCONFIGURED = 0
    INACTIVE = 1
    NO_TARGET = 2
    TRACKING = 3
    UNCERTAIN = 4
    LOST = 5
    PAUSED = 6
    FAULT = 7

    @property
    def has_valid_box(self) -> bool:
        """Whether a box may be published in this state."""
        return self in (State.TRACKING, State.UNCERTAIN)


class TargetState:
    """Where the target stands: TRACKING, UNCERTAIN or LOST. Pure: the same scores and stamps give the same states.

    A score is good from `tracking_score` on, poor under `uncertain_score`, bad under `lost_score`; NaN is bad.

    - TRACKING -> UNCERTAIN: at once when the score is poor.
    - UNCERTAIN -> TRACKING: good without a break for `confirm_after_ms`.
    - UNCERTAIN -> LOST: bad without a break for `lost_after_ms`, or out of TRACKING for `unseen_after_ms`.
    - LOST -> TRACKING: good without a break for `found_after_ms`, and in at least two frames.

    Stamps are in nanoseconds and never fall. `config` may be replaced at any time.
    """

    def __init__(self, config: StateConfig, stamp_ns: int) -> None:
        """A target just named on the frame of `stamp_ns`: TRACKING."""
        self.config = config
        self.state = State.TRACKING
        self.seen_ns = stamp_ns
        """Stamp of the last frame in TRACKING."""
        self._good_since_ns: int | None = None
        self._bad_since_ns: int | None = None

    @property
    def has_valid_box(self) -> bool:
        """Whether the box of the last frame may be published."""
        return self.state.has_valid_box

    def update(self, score: float, stamp_ns: int) -> State:
        """The state after a frame with this score in [0, 1] and this stamp."""
        self._good_since_ns = _since(score >= self.config.tracking_score, self._good_since_ns, stamp_ns)
        self._bad_since_ns = _since(not score >= self.config.lost_score, self._bad_since_ns, stamp_ns)
        if self.state is State.LOST:
            self.state = self._from_lost(stamp_ns)
        elif self.state is State.UNCERTAIN or not score >= self.config.uncertain_score:
            self.state = self._from_uncertain(stamp_ns)
        if self.state is State.TRACKING:
            self.seen_ns = stamp_ns
        return self.state

    def _from_lost(self, stamp_ns: int) -> State:
        once = self._good_since_ns == stamp_ns
        found = not once and _lasts(self._good_since_ns, stamp_ns, self.config.found_after_ms)
        return State.TRACKING if found else State.LOST

    def _from_uncertain(self, stamp_ns: int) -> State:
        if _lasts(self._good_since_ns, stamp_ns, self.config.confirm_after_ms):
            return State.TRACKING
        unseen = _lasts(self.seen_ns, stamp_ns, self.config.unseen_after_ms)
        bad = _lasts(self._bad_since_ns, stamp_ns, self.config.lost_after_ms)
        return State.LOST if bad or unseen else State.UNCERTAIN


def _since(holds: bool, since_ns: int | None, stamp_ns: int) -> int | None:
    """Stamp from which on something holds without a break."""
    if not holds:
        return None
    return stamp_ns if since_ns is None else since_ns


def _lasts(since_ns: int | None, stamp_ns: int, duration_ms: float) -> bool:
    return since_ns is not None and stamp_ns - since_ns >= duration_ms * NS_PER_MS
