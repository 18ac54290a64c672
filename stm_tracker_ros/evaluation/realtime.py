"""Evaluate as you fly: any tracker behind a simulated camera, with the node's own one-slot rule and drop policy.

The camera's clock is simulated, the tracker's work is real: while it is busy, frames pass by, and of those that wait
the newest one is taken, as in the node. So a tracker that is too slow loses what it would lose on the robot.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Frame, Pixels, Result, Target
from stm_tracker_ros.data.readers import NOMINAL_FPS
from stm_tracker_ros.data.sequence import Init, Sequence
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.engine.drop_policy import DropPolicy, DropReason, Skip
from stm_tracker_ros.engine.sized import SizedTracker
from stm_tracker_ros.engine.target_state import State, TargetState
from stm_tracker_ros.evaluation.mask_files import MaskWriter
from stm_tracker_ros.evaluation.runner import complete
from stm_tracker_ros.evaluation.speed import percentiles
from stm_tracker_ros.evaluation.trajectory import Row, unanswered, write_times, write_trajectory

FLIGHT_NAME = "flight.json"


@dataclass(frozen=True, kw_only=True)
class RealTimeRun:
    """rows: one a frame of the camera; those of dropped frames hold the last answer, unreadable ones have none.

    tracked: numbers of the tracked frames but the first. Of each, busy_ms: track and memorize; latencies_ms: from its
    stamp to its answer. drops: frames by reason.
    """

    rows: tuple[Row, ...]
    tracked: tuple[int, ...]
    busy_ms: tuple[float, ...]
    latencies_ms: tuple[float, ...]
    drops: dict[DropReason, int]


def fly(
    tracker: Tracker,
    stream: Iterator[Frame],
    target: Target,
    *,
    state_config: StateConfig,
    max_age_ms: float = 0.0,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
    note_mask: Callable[[int, Pixels | None], None] = lambda index, mask: None,
) -> RealTimeRun:
    """Follow the target through `stream`, whose stamps are the camera's clock; the first frame waits for init.

    max_age_ms: as the node's parameter, 0 = off. clock_ns: what the tracker's work is measured with. note_mask: called
    with the index and the mask of every frame of the camera; of dropped ones, with the last answer's.
    """
    flight = _Flight(tracker, next(stream), target, state_config, DropPolicy(max_age_ms), clock_ns, note_mask)
    waiting: Frame | None = None
    for frame in stream:
        if waiting is not None and flight.free_ns <= frame.stamp_ns:
            flight.handle(waiting)
            waiting = None
        if waiting is not None:
            flight.drop(waiting, DropReason.SUPERSEDED)
        waiting = frame
    if waiting is not None:
        flight.handle(waiting)
    return flight.log()


def fly_sequence(
    tracker: Tracker,
    sequence: Sequence,
    folder: Path,
    *,
    state_config: StateConfig,
    fps: float = NOMINAL_FPS,
    max_frames: int | None = None,
    init: Init = "box",
) -> Iterator[int]:
    """As runner.run_sequence, behind a camera of `fps`; yields the last index when it has landed.

    Beside trajectory and times it writes flight.json: frames tracked, frames dropped by reason, latency in ms.
    """
    count = len(sequence.boxes[:max_frames])
    files, target = OutputFolder(folder), sequence.first_target(init)
    masks = MaskWriter(files)
    with closing(sequence.frames(fps, count)) as stream:
        run = fly(tracker, stream, target, state_config=state_config, note_mask=masks.write)
    rows = list(run.rows)
    complete(rows, sequence, count, fps)
    log = {"tracked": len(run.busy_ms), "dropped": run.drops, "latency_ms": percentiles(run.latencies_ms)}
    files.write(FLIGHT_NAME, (json.dumps(log, indent=1) + "\n").encode("ascii"))
    write_times(files, zip(run.tracked, run.busy_ms, strict=True))
    write_trajectory(files, rows)
    yield count - 1


class _Flight:
    """The simulated clock and what has happened so far."""

    def __init__(
        self,
        tracker: Tracker,
        first: Frame,
        target: Target,
        state_config: StateConfig,
        policy: DropPolicy,
        clock_ns: Callable[[], int],
        note_mask: Callable[[int, Pixels | None], None],
    ) -> None:
        tracker = SizedTracker(tracker)
        result = tracker.init(first, target)
        self.free_ns = first.stamp_ns
        """When the tracker can take the next frame, by the camera's clock."""
        self._tracker, self._policy, self._clock_ns, self._note_mask = tracker, policy, clock_ns, note_mask
        self._states = TargetState(state_config, first.stamp_ns)
        self._rows: list[Row] = []
        self._tracked: list[int] = []
        self._busy_ms: list[float] = []
        self._latencies_ms: list[float] = []
        self._drops: Counter[DropReason] = Counter()
        self._gap = 0
        given = result if target.box is None else replace(result, box=target.box)
        self._last = given, self._states.state
        self._note(first, *self._last)

    def handle(self, frame: Frame) -> None:
        """Decide about the frame at the moment when it is taken from the slot; track it, or drop it."""
        now_ns = max(self.free_ns, frame.stamp_ns)
        verdict = self._policy.decide(stamp_ns=frame.stamp_ns, arrival_ns=frame.stamp_ns, now_ns=now_ns)
        if isinstance(verdict, Skip):
            self.drop(frame, verdict.reason)
            return
        started_ns = self._clock_ns()
        result = self._tracker.track(replace(frame, gap=self._gap + frame.gap))
        answered_ns = self._clock_ns()
        self._tracker.memorize()
        busy_ns = self._clock_ns() - started_ns
        self.free_ns = now_ns + busy_ns
        self._tracked.append(len(self._rows) + frame.gap)
        self._busy_ms.append(busy_ns / 1e6)
        self._latencies_ms.append((now_ns + answered_ns - started_ns - frame.stamp_ns) / 1e6)
        self._gap = 0
        state = self._states.update(result.score, frame.stamp_ns, hopeless=bool(result.trouble))
        self._note(frame, result, state)

    def drop(self, frame: Frame, reason: DropReason) -> None:
        self._drops[reason] += 1
        self._gap += 1 + frame.gap
        self._note(frame, *self._last)

    def log(self) -> RealTimeRun:
        return RealTimeRun(
            rows=tuple(self._rows),
            tracked=tuple(self._tracked),
            busy_ms=tuple(self._busy_ms),
            latencies_ms=tuple(self._latencies_ms),
            drops=dict(self._drops),
        )

    def _note(self, frame: Frame, result: Result, state: State) -> None:
        self._last = result, state
        for missing in range(frame.gap):
            # The reader could not give them: their time lies evenly between those of the frames around them.
            share = (missing + 1) / (frame.gap + 1)
            before_ns = self._rows[-1 - missing].stamp_ns
            stamp_ns = before_ns + round(share * (frame.stamp_ns - before_ns))
            self._rows.append(unanswered(len(self._rows), stamp_ns))
        index = len(self._rows)
        self._note_mask(index, result.mask)
        self._rows.append(
            Row(
                frame=index,
                stamp_ns=frame.stamp_ns,
                box=result.box,
                score=result.score,
                state=state.name,
                rotated=result.rotated,
            )
        )
