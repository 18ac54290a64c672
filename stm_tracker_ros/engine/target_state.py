"""From scores, stamps and the clock to TRACKING, UNCERTAIN or LOST, with hysteresis in score and in time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import IntEnum

from stm_tracker_ros.engine.config import StateConfig

NS_PER_MS = 1_000_000
PACE_ANSWERS = 5  # gaps between answers whose median is the pace of the stream
SLOWEST_PACE_NS = 1_000_000_000  # a stream that is slower is silent between its images
PACES = 2  # of them without an answer are no silence yet


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
    INITIALISING = 8

    @property
    def has_valid_box(self) -> bool:
        """Whether a box may be published in this state."""
        return self in (State.TRACKING, State.UNCERTAIN)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where the target stood at the last answer; what it is since then, the clock says.

    answered_ns, tracking_ns: steady time of the last answer, and of the last one in TRACKING. pace_ns: usual time
    between answers, 0 while unknown. unseen_ns: by the stamps, from the one to the other; silences by the clock.
    """

    state: State
    config: StateConfig
    answered_ns: int
    tracking_ns: int
    unseen_ns: int = 0
    pace_ns: int = 0

    def silent(self, now_ns: int) -> bool:
        """Whether nothing has been answered for too long."""
        return now_ns - self.answered_ns >= max(self.config.silent_after_ms * NS_PER_MS, PACES * self.pace_ns)

    def at(self, now_ns: int) -> State:
        """The state at a steady time: what was never confirmed since falls by itself."""
        if not (self.state.has_valid_box and self.silent(now_ns)):
            return self.state
        lost = now_ns - self.tracking_ns >= self.allowed_ns(self.config.unseen_after_ms)
        return State.LOST if lost else State.UNCERTAIN

    def allowed_ns(self, duration_ms: float) -> int:
        """For how long the target may be out of TRACKING: some answers long at least."""
        return max(round(duration_ms * NS_PER_MS), (PACES + 1) * self.pace_ns)

    def unseen_at(self, now_ns: int) -> int:
        """Time since the state was last TRACKING: by the stamps while they flow, by the clock since they do not."""
        return self.unseen_ns + (now_ns - self.answered_ns if self.silent(now_ns) else 0)


class TargetState:
    """Where the target stands: TRACKING, UNCERTAIN or LOST. Pure: the same scores and times give the same states.

    A score is good from `tracking_score` on, poor under `uncertain_score`, bad under `lost_score`; NaN is bad.

    - TRACKING -> UNCERTAIN: at once when the score is poor or the picture stands still; by the clock, when nothing has
      been answered for `silent_after_ms`.
    - UNCERTAIN -> TRACKING: good without a break for `confirm_after_ms`.
    - UNCERTAIN -> LOST: bad without a break for `lost_after_ms`, or out of TRACKING for `doubtful_after_ms` (a picture
      that stands still is not counted); by the clock, while nothing is answered, out of it for `unseen_after_ms`.
    - any -> LOST: at once, when the image cannot show the target.
    - LOST -> TRACKING: good without a break for `found_after_ms`, and in at least two frames.

    Stamps are in nanoseconds and never fall. Without a clock (`now_ns` None: recordings) only stamps count. `config`
    may be replaced at any time.
    """

    def __init__(self, config: StateConfig, stamp_ns: int, now_ns: int | None = None, pace_ns: int = 0) -> None:
        """A target just named on the frame of `stamp_ns`, at the steady time `now_ns`: TRACKING.

        pace_ns: usual time between images, 0 if it is not known yet.
        """
        self.config = config
        self.state = State.TRACKING
        self.unseen_ns = 0
        """Time since the last frame in TRACKING, by the stamps; what passed in silence by the clock."""
        self._stamp_ns = self._unseen_from_ns = stamp_ns
        self._good_since_ns: int | None = None
        self._bad_since_ns: int | None = None
        self._answered_ns = self._tracking_ns = now_ns or 0
        self._gaps_ns: deque[int] = deque([min(pace_ns, SLOWEST_PACE_NS)], maxlen=PACE_ANSWERS)
        self._anew = False

    @property
    def has_valid_box(self) -> bool:
        """Whether the box of the last frame may be published."""
        return self.state.has_valid_box

    @property
    def standing(self) -> Standing:
        """What the clock goes on from."""
        return Standing(
            state=self.state,
            config=self.config,
            answered_ns=self._answered_ns,
            tracking_ns=self._tracking_ns,
            unseen_ns=self.unseen_ns,
            pace_ns=sorted(self._gaps_ns)[len(self._gaps_ns) // 2],
        )

    def pause(self, now_ns: int) -> None:
        """Nobody will be asked for a while, by intention: what the clock has made of the state until now stays."""
        self.state = self.standing.at(now_ns)

    def resume(self, now_ns: int) -> None:
        """Nobody was asked for a while, by intention: no silence, but after a long one the target must be confirmed."""
        if not self.standing.silent(now_ns):
            return
        self.unseen_ns += now_ns - self._answered_ns
        self.state = State.UNCERTAIN if self.state is State.TRACKING else self.state
        self._answered_ns = self._tracking_ns = now_ns
        self._anew = True

    def update(
        self,
        score: float,
        stamp_ns: int,
        now_ns: int | None = None,
        *,
        still: bool = False,
        hopeless: bool = False,
        late: bool = False,
    ) -> State:
        """The state after a frame with this score in [0, 1] and this stamp, answered at the steady time `now_ns`.

        still: the picture has been the same for too long. hopeless: the image cannot show the target. late: it is one
        of those that are caught up with, whose pace is not the stream's.
        """
        step_ns = 0 if self._anew else stamp_ns - self._stamp_ns
        if now_ns is not None:
            step_ns += self._lapse(step_ns, now_ns, late)
        if self._anew:
            self._good_since_ns, self._bad_since_ns, self._unseen_from_ns, self._anew = None, None, stamp_ns, False
        self._good_since_ns = _since(score >= self.config.tracking_score and not still, self._good_since_ns, stamp_ns)
        self._bad_since_ns = _since(not score >= self.config.lost_score, self._bad_since_ns, stamp_ns)
        self._unseen_from_ns = stamp_ns if still else self._unseen_from_ns
        self.state = State.LOST if hopeless else self._decided(score, stamp_ns, still)
        self._stamp_ns, self.unseen_ns = stamp_ns, self.unseen_ns + step_ns
        if self.state is State.TRACKING:
            self._unseen_from_ns, self._tracking_ns, self.unseen_ns = stamp_ns, self._answered_ns, 0
        return self.state

    def _lapse(self, step_ns: int, now_ns: int, late: bool) -> int:
        """An answer has come: what the clock has made of the state until now stays, and all evidence begins anew.

        Gives the time that passed beyond the step of the stamps, which may have jumped, where there was a silence.
        """
        standing, gap_ns = self.standing, now_ns - self._answered_ns
        if silent := standing.silent(now_ns):
            self.state, self._anew = standing.at(now_ns), True
        if not late:
            self._gaps_ns.append(min(gap_ns, SLOWEST_PACE_NS))
        self._answered_ns = now_ns
        return max(0, gap_ns - step_ns) if silent else 0

    def _decided(self, score: float, stamp_ns: int, still: bool) -> State:
        if self.state is State.LOST:
            return self._from_lost(stamp_ns)
        if self.state is State.UNCERTAIN or still or not score >= self.config.uncertain_score:
            return self._from_uncertain(stamp_ns)
        return State.TRACKING

    def _from_lost(self, stamp_ns: int) -> State:
        once = self._good_since_ns == stamp_ns
        found = not once and _lasts(self._good_since_ns, stamp_ns, self.config.found_after_ms)
        return State.TRACKING if found else State.LOST

    def _from_uncertain(self, stamp_ns: int) -> State:
        if _lasts(self._good_since_ns, stamp_ns, self.config.confirm_after_ms):
            return State.TRACKING
        unseen = stamp_ns - self._unseen_from_ns >= self.standing.allowed_ns(self.config.doubtful_after_ms)
        bad = _lasts(self._bad_since_ns, stamp_ns, self.config.lost_after_ms)
        return State.LOST if bad or unseen else State.UNCERTAIN


def _since(holds: bool, since_ns: int | None, stamp_ns: int) -> int | None:
    """Stamp from which on something holds without a break."""
    if not holds:
        return None
    return stamp_ns if since_ns is None else since_ns


def _lasts(since_ns: int | None, stamp_ns: int, duration_ms: float) -> bool:
    return since_ns is not None and stamp_ns - since_ns >= duration_ms * NS_PER_MS
