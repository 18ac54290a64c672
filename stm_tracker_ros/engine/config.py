"""Settings of the engine: what is dropped, how long frames are kept, when a target counts as lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stm_tracker_ros.core.config import section, setting, validate
from stm_tracker_ros.core.errors import ConfigError

STATE_PREFIX = "state."  # of its settings, where they stand beside those of a tracker


@dataclass(frozen=True, kw_only=True)
class StateConfig:
    """When a score means TRACKING, UNCERTAIN or LOST; `engine/target_state.py` draws the rules.

    The defaults are for probabilities. Scores of trackers without a calibration mean the same at .45, .4 and .25.
    """

    tracking_score: float = setting(0.8, "score from which the target counts as seen", low=0, high=1, live=True)
    uncertain_score: float = setting(
        0.7, "score below which TRACKING becomes UNCERTAIN; at most tracking_score", low=0, high=1, live=True
    )
    lost_score: float = setting(
        0.5, "score below which the target counts as gone; at most uncertain_score", low=0, high=1, live=True
    )
    lost_after_ms: float = setting(200.0, "time under lost_score that makes LOST", low=0, live=True)
    doubtful_after_ms: float = setting(
        2000.0, "time out of TRACKING that makes LOST, however good the scores", low=0, live=True
    )
    unseen_after_ms: float = setting(
        800.0, "time out of TRACKING, the last of it without an answer, that makes LOST", low=0, live=True
    )
    confirm_after_ms: float = setting(300.0, "time at tracking_score from UNCERTAIN back to TRACKING", low=0, live=True)
    found_after_ms: float = setting(250.0, "time at tracking_score from LOST back to TRACKING", low=0, live=True)
    silent_after_ms: float = setting(
        400.0,
        "time by the clock without any answer, whatever the reason, that makes UNCERTAIN, and LOST after "
        "unseen_after_ms; a stream that is slower by itself is given two of its own periods",
        low=0,
        live=True,
    )
    frozen_after_ms: float = setting(
        1000.0, "time of the same bytes in every image that makes UNCERTAIN; 0 = off, for simulators", low=0, live=True
    )

    def __post_init__(self) -> None:
        validate(self)
        if not self.lost_score <= self.uncertain_score <= self.tracking_score:
            raise ConfigError(
                f"lost_score {self.lost_score:g}, uncertain_score {self.uncertain_score:g}, tracking_score "
                f"{self.tracking_score:g}; allowed are values that do not fall in this order"
            )


@dataclass(frozen=True, kw_only=True)
class HistoryConfig:
    """Frames kept so that set_target finds the image that the operator saw; the newest one is always kept."""

    seconds: float = setting(2.0, "frames that arrived longer before the newest one are forgotten", low=0, high=60)
    mebibytes: float = setting(
        64.0,
        "size of the kept frames: below it older ones of 8 bits are kept at half size, then at a quarter, above it the "
        "oldest are forgotten",
        low=0,
        high=4096,
    )
    tolerance_ms: float = setting(
        50.0, "set_target takes the frame nearest to its stamp, at most this far from it", low=0, high=1000, live=True
    )
    budget_ms: float = setting(
        1000.0,
        "a target named on an older image is followed through the kept ones in this time, at most half of "
        "set_target_timeout_ms, before the answer; 0 = it goes on with the next image that comes",
        low=0,
        high=10000,
        live=True,
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Settings of the engine thread."""

    policy: str = setting(
        "newest",
        "newest: a new frame replaces a waiting one; every_frame: frames wait in a queue (replay that loses nothing)",
        choices=("newest", "every_frame"),
    )
    queue_depth: int = setting(30, "frames that may wait under policy every_frame", low=1, high=10000)
    queue_mebibytes: float = setting(
        256.0,
        "size of all frames that may wait under policy every_frame; above it, as above queue_depth, the oldest are "
        "dropped as queue_full",
        low=1,
        high=65536,
    )
    max_age_ms: float = setting(
        0.0, "frames older than this, against the fastest recent one, are dropped; 0 = never", low=0, live=True
    )
    set_target_timeout_ms: float = setting(
        5000.0, "set_target and confirm answer within this time", low=1, high=600000, live=True
    )
    candidate_after_ms: float = setting(
        500.0, "time for which a candidate must have been the same to be confirmed", low=0, live=True
    )
    fault_after_ms: float = setting(
        1000.0,
        "time in which the tracker does nothing but fail, that makes FAULT; bad images are no fault",
        low=0,
        live=True,
    )
    history: HistoryConfig = section(HistoryConfig)
    state: StateConfig = section(StateConfig)

    def __post_init__(self) -> None:
        validate(self)

    @property
    def depth(self) -> int:
        """Frames that may wait for the engine."""
        return 1 if self.policy == "newest" else self.queue_depth

    @property
    def queue_bytes(self) -> int:
        """Their size together; the newest waits however large it is."""
        return round(self.queue_mebibytes * 2**20)


def split(changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Changes of the tracker, and those of the target's state without their prefix."""
    state = {k[len(STATE_PREFIX) :]: v for k, v in changes.items() if str(k).startswith(STATE_PREFIX)}
    return {k: v for k, v in changes.items() if not str(k).startswith(STATE_PREFIX)}, state
