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

    A score is good from `tracking_score` on, poor under `uncertain_score`, bad under `lost_score`.

    - TRACKING -> UNCERTAIN: at once when the score is poor.
    - UNCERTAIN -> TRACKING: good without a break for `confirm_after_ms`.
    - UNCERTAIN -> LOST: bad without a break for `lost_after_ms`, or not one good score for `unseen_after_ms`.
    - LOST -> TRACKING: good without a break for `found_after_ms`, and in at least two frames.

    Stamps are in nanoseconds and never fall.
    """

    def __init__(self, config: StateConfig, stamp_ns: int) -> None:
        """A target just named on the frame of `stamp_ns`: TRACKING."""
        self.config = config
        self.state = State.TRACKING
        self.seen_ns = stamp_ns
        """Stamp of the last frame in TRACKING."""

    @property
    def has_valid_box(self) -> bool:
        """Whether the box of the last frame may be published."""
        return self.state.has_valid_box

    def update(self, score: float, stamp_ns: int) -> State:
        """The state after a frame with this score in [0, 1] and this stamp."""
        return self.state
