"""Counters and latencies: written by engine and callback, read by diagnostics as a frozen snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stm_tracker_ros.engine.drop_policy import DropReason
from stm_tracker_ros.engine.target_state import State


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

    received = tracked + sum(dropped) + waiting, at every moment; superseded frames are received ones.
    lost: frames lost before us, no part of the sum; estimated from stamps where `lost_is_estimated`.
    rate_hz: of the frames received lately; NaN with less than two. silent_s: since the last one; NaN without any.
    clock_offset_ms: smallest recent (arrival - stamp); NaN before the first frame judged.
    stamps_missing: frames came with stamp 0; their arrival stands for it.
    arrival_to_answer, stamp_to_answer, track, memorize: latencies; stamp_to_answer stays empty while the clocks differ.
    state, message: where the engine stands, and why where it is FAULT. target_id, class_id: empty without target.
    score, image_stamp_ns: of the last frame answered (NaN, 0 without one); answer_age_s: age of that image by the
    node's clock now; seen_s: time since the last answer in state TRACKING (both NaN without one).
    errors, last_error: bad frames and failures of tracker or publisher since the engine was made.
    jumps: times that stamps jumped.
    """

    state: State
    message: str
    target_id: str
    class_id: str
    score: float
    image_stamp_ns: int
    answer_age_s: float
    seen_s: float
    received: int
    tracked: int
    waiting: int
    dropped: Mapping[DropReason, int] = field(default_factory=dict)
    lost: int
    lost_is_estimated: bool
    rate_hz: float
    silent_s: float
    clock_offset_ms: float
    stamps_missing: bool
    jumps: int
    errors: int
    last_error: str
    arrival_to_answer: Percentiles
    stamp_to_answer: Percentiles
    track: Percentiles
    memorize: Percentiles
