"""Counters and latencies: written by engine and callback, read by diagnostics as a frozen snapshot."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from stm_tracker_ros.engine.drop_policy import DropReason
from stm_tracker_ros.engine.silence import explain
from stm_tracker_ros.engine.target_state import Standing, State

WINDOW = 600
RATE_FRAMES = 60
PACE_FRAMES = 5
LONGEST_ERROR = 300
CLOCKS_AGREE_NS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Milliseconds over the last `count` values; NaN where there are none."""

    p50: float
    p95: float
    p99: float
    count: int


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that can be said of the engine at one moment.

    received = tracked + sum(dropped) + waiting, at every moment; superseded frames are received ones, the frame in
    work is a waiting one. dropped has every reason, most of them 0.
    lost: frames lost before us, no part of the sum; estimated from stamps where `lost_is_estimated`.
    rate_hz: of the frames received lately; NaN with less than two. silent_s: since the last one; NaN without any.
    clock_offset_ms: smallest recent (arrival - stamp); NaN before the first frame decided on.
    image_trouble: why the last image cannot be used; empty if it can.
    stamp_trouble: what is wrong with the stamps, whose arrival stands for them then; empty while they are used.
    arrival_to_answer, stamp_to_answer, track, memorize: latencies; stamp_to_answer stays empty while the clocks differ.
    state, message: where the engine stands at this moment, by the clock as well, and why if it is no good state.
    silent: a target is there, and nothing has been answered for too long.
    target_id, class_id: empty without target. score, image_stamp_ns: of the last frame answered (NaN, 0 without one);
    the score is 0 while silent. image_size: width, height of the last image that could be used; 0, 0 without one.
    answer_age_s: age of the answered image when it was answered, against the fastest recent one; seen_s: time since the
    state was last TRACKING, by stamps while they flow (both NaN without a target).
    jumps: times that stamps jumped. errors, last_error: bad images and failures of tracker or publisher.
    Counters run since the engine was started last.
    """

    state: State
    message: str
    target_id: str
    class_id: str
    score: float
    image_stamp_ns: int
    image_size: tuple[int, int]
    silent: bool
    answer_age_s: float
    seen_s: float
    received: int
    tracked: int
    waiting: int
    dropped: Mapping[DropReason, int]
    lost: int
    lost_is_estimated: bool
    rate_hz: float
    silent_s: float
    clock_offset_ms: float
    stamp_trouble: str
    image_trouble: str
    jumps: int
    errors: int
    last_error: str
    arrival_to_answer: Percentiles
    stamp_to_answer: Percentiles
    track: Percentiles
    memorize: Percentiles


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where the engine stands; replaced whole by the engine thread. Fields as in Snapshot.

    age_ns: of the answered image when it was answered. standing: of the target; None without one.
    """

    state: State
    message: str = ""
    target_id: str = ""
    class_id: str = ""
    score: float = math.nan
    image_stamp_ns: int = 0
    age_ns: int = 0
    standing: Standing | None = None

    def silent(self, now_ns: int) -> bool:
        """Whether a target should be answered, and has not been for too long."""
        watched = self.state in (State.TRACKING, State.UNCERTAIN, State.LOST)
        return watched and self.standing is not None and self.standing.silent(now_ns)

    def state_at(self, now_ns: int) -> State:
        """The state at a steady time."""
        return self.standing.at(now_ns) if self.standing is not None and self.silent(now_ns) else self.state


class Latencies:
    """The last values of each latency, in milliseconds."""

    NAMES = ("arrival_to_answer", "stamp_to_answer", "track", "memorize")

    def __init__(self) -> None:
        self._values_ms = {name: deque[float](maxlen=WINDOW) for name in self.NAMES}

    def add(self, name: str, duration_ns: int) -> None:
        """One more value."""
        self._values_ms[name].append(duration_ns / 1e6)

    def percentiles(self) -> dict[str, Percentiles]:
        """Of all latencies, by name."""
        return {name: _percentiles(values) for name, values in self._values_ms.items()}


class Stats:
    """Counters and latencies; every method may be called from any thread and takes no time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0
        self._offset_ns: int | None = None
        self._begin()

    def restart(self) -> None:
        """Count anew from now on; frames that wait have been received."""
        with self._lock:
            self._begin()

    def _begin(self) -> None:
        self._received = self._waiting
        self._tracked = self._jumps = self._errors = 0
        self._dropped = Counter(dict.fromkeys(DropReason, 0))
        self._dropped_then = self._dropped.copy()
        self._last_error = ""
        self._arrivals_ns: deque[int] = deque(maxlen=RATE_FRAMES)
        self._latencies = Latencies()

    def arrived(self, now_ns: int) -> None:
        """A frame was received and waits from now on (monotonic time)."""
        with self._lock:
            self._received += 1
            self._waiting += 1
            self._arrivals_ns.append(now_ns)

    def left(self, reason: DropReason | None) -> None:
        """A frame waits no longer: tracked (None) or dropped."""
        with self._lock:
            self._waiting -= 1
            if reason is None:
                self._tracked += 1
                self._dropped_then = self._dropped.copy()
            else:
                self._dropped[reason] += 1

    def named(self) -> None:
        """A target was named: what is dropped from now on is dropped since the last answer."""
        with self._lock:
            self._dropped_then = self._dropped.copy()

    def age_ns(self, time_ns: int, now_ns: int) -> int:
        """How much older an image of that time is at `now_ns` of the node's clock than the fastest recent one was."""
        with self._lock:
            return now_ns - time_ns - (self._offset_ns or 0)

    def decided(self, offset_ns: int | None, jumped: bool) -> None:
        """What the drop policy found out about the clocks."""
        with self._lock:
            self._offset_ns = offset_ns
            self._jumps += jumped

    def failed(self, text: str) -> None:
        """An error, in words."""
        with self._lock:
            self._errors += 1
            self._last_error = text[:LONGEST_ERROR]

    def took(self, name: str, duration_ns: int) -> None:
        """One value of the latency `name`."""
        with self._lock:
            self._latencies.add(name, duration_ns)

    def answered(self, stamp_to_answer_ns: int) -> None:
        """An answer went out that long after its stamp; counted where the clocks agree."""
        with self._lock:
            if self._offset_ns is not None and 0 <= self._offset_ns < CLOCKS_AGREE_NS:
                self._latencies.add("stamp_to_answer", stamp_to_answer_ns)

    @property
    def pace_ns(self) -> int:
        """Usual time between the last images; 0 while fewer than two have come."""
        with self._lock:
            arrivals = list(self._arrivals_ns)[-PACE_FRAMES - 1 :]
        gaps = sorted(later - one for one, later in pairwise(arrivals))
        return gaps[len(gaps) // 2] if gaps else 0

    def snapshot(
        self,
        status: Status,
        *,
        now_ns: int,
        lost: tuple[int, bool],
        stamp_trouble: str,
        image_size: tuple[int, int] = (0, 0),
        image_trouble: str = "",
    ) -> Snapshot:
        """Everything at this moment: `now_ns` by the monotonic clock."""
        silent = status.silent(now_ns)
        with self._lock:
            return Snapshot(
                state=status.state_at(now_ns),
                message=self._why_silent(status.standing, now_ns) if silent else status.message,
                silent=silent,
                target_id=status.target_id,
                class_id=status.class_id,
                score=0.0 if silent else status.score,
                image_stamp_ns=status.image_stamp_ns,
                image_size=image_size,
                answer_age_s=math.nan if status.standing is None else status.age_ns / 1e9,
                seen_s=math.nan if status.standing is None else status.standing.unseen_at(now_ns) / 1e9,
                received=self._received,
                tracked=self._tracked,
                waiting=self._waiting,
                dropped=MappingProxyType(dict(self._dropped)),
                lost=lost[0],
                lost_is_estimated=lost[1],
                rate_hz=self._rate_hz(),
                silent_s=_seconds(self._arrivals_ns[-1] if self._arrivals_ns else None, now_ns),
                clock_offset_ms=math.nan if self._offset_ns is None else self._offset_ns / 1e6,
                stamp_trouble=stamp_trouble,
                image_trouble=image_trouble[:LONGEST_ERROR],
                jumps=self._jumps,
                errors=self._errors,
                last_error=self._last_error,
                **self._latencies.percentiles(),
            )

    def _why_silent(self, standing: Standing | None, now_ns: int) -> str:
        assert standing is not None  # nothing is silent without a target
        since_then = {reason: self._dropped[reason] - self._dropped_then[reason] for reason in DropReason}
        return explain((now_ns - standing.answered_ns) / 1e9, since_then, self._last_error)

    def _rate_hz(self) -> float:
        span_ns = self._arrivals_ns[-1] - self._arrivals_ns[0] if self._arrivals_ns else 0
        return (len(self._arrivals_ns) - 1) / span_ns * 1e9 if span_ns else math.nan


def _seconds(since_ns: int | None, now_ns: int) -> float:
    return math.nan if since_ns is None else (now_ns - since_ns) / 1e9


def _percentiles(values_ms: deque[float]) -> Percentiles:
    if not values_ms:
        return Percentiles(p50=math.nan, p95=math.nan, p99=math.nan, count=0)
    p50, p95, p99 = (float(value) for value in np.percentile(values_ms, (50, 95, 99)))
    return Percentiles(p50=p50, p95=p95, p99=p99, count=len(values_ms))
