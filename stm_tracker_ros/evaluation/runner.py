"""Running trackers: over a stream, step by step, and over annotated sequences, once each from the first frame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Frame, Result, Target
from stm_tracker_ros.data.readers import NOMINAL_FPS, stamp_of
from stm_tracker_ros.data.sequence import Init, Sequence
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.engine.sized import SizedTracker
from stm_tracker_ros.engine.target_state import State, TargetState
from stm_tracker_ros.evaluation.mask_files import MaskWriter
from stm_tracker_ros.evaluation.trajectory import (
    TIMES_NAME,
    TRAJECTORY_NAME,
    Row,
    read_trajectory,
    unanswered,
    write_times,
    write_trajectory,
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One frame answered.

    box: what the trajectory holds: the given box on the first frame, later the tracker's, whatever the state.
    milliseconds: track and memorize together; of the first frame, init.
    unseen_s: seconds since the state was last TRACKING, by the stamps.
    """

    index: int
    frame: Frame
    result: Result
    box: Box
    state: State
    milliseconds: float
    unseen_s: float = 0.0

    @property
    def row(self) -> Row:
        """The step as a row of the trajectory."""
        return Row(
            frame=self.index,
            stamp_ns=self.frame.stamp_ns,
            box=self.box,
            score=self.result.score,
            state=self.state.name,
            rotated=self.result.rotated,
        )


def follow(tracker: Tracker, stream: Iterator[Frame], target: Target, state_config: StateConfig) -> Iterator[Step]:
    """Start the tracker on the first frame of `stream` and follow the target to its end; frames in gaps are counted.

    Raises DataError if the stream is empty.
    """
    first = next(stream, None)
    if first is None:
        raise DataError("the stream holds no frame; allowed is one or more")
    tracker = SizedTracker(tracker)
    started_ns = time.perf_counter_ns()
    result = tracker.init(first, target)
    milliseconds = (time.perf_counter_ns() - started_ns) / 1e6
    states = TargetState(state_config, first.stamp_ns)
    box = result.box if target.box is None else target.box
    index = 0
    yield Step(index=index, frame=first, result=result, box=box, state=states.state, milliseconds=milliseconds)
    for frame in stream:
        index += 1 + frame.gap
        started_ns = time.perf_counter_ns()
        result = tracker.track(frame)
        tracker.memorize()
        milliseconds = (time.perf_counter_ns() - started_ns) / 1e6
        state = states.update(result.score, frame.stamp_ns, hopeless=bool(result.trouble))
        yield Step(
            index=index,
            frame=frame,
            result=result,
            box=result.box,
            state=state,
            milliseconds=milliseconds,
            unseen_s=states.unseen_ns / 1e9,
        )


def run_sequence(
    tracker: Tracker,
    sequence: Sequence,
    folder: Path,
    *,
    state_config: StateConfig,
    fps: float = NOMINAL_FPS,
    max_frames: int | None = None,
    init: Init = "box",
) -> Iterator[int]:
    """Follow the target of `sequence`; yields the index of every frame.

    Writes trajectory, times and, of trackers that have them, masks to `folder`. init: what of the first frame's truth
    the tracker is given. A frame that cannot be read is a row without an answer. Raises DataError if the video ends
    before its annotation does, or has no mask to give, OutputError if `folder` holds files of these names that are not
    of an earlier run.
    """
    count = len(sequence.boxes[:max_frames])
    files = OutputFolder(folder)
    rows: list[Row] = []
    times, masks = list[tuple[int, float]](), MaskWriter(files)
    with closing(sequence.frames(fps, count)) as stream:
        for step in follow(tracker, stream, sequence.first_target(init), state_config):
            fill(rows, step.index, fps)
            rows.append(step.row)
            masks.write(step.index, step.result.mask)
            times.append((step.index, step.milliseconds))
            yield step.index
    complete(rows, sequence, count, fps)
    write_times(files, times[1:])
    # Last, for a trajectory on disk says that the sequence is finished.
    write_trajectory(files, rows)


def fill(rows: list[Row], count: int, fps: float) -> None:
    """Append rows without an answer until there are `count`."""
    rows.extend(unanswered(index, stamp_of(index, fps)) for index in range(len(rows), count))


def complete(rows: list[Row], sequence: Sequence, count: int, fps: float) -> None:
    """As `fill`, at the end of a sequence: its last images are there, and could not be read.

    Raises DataError for a video of fewer frames than boxes: nobody knows what it is cut short of.
    """
    if sequence.images:
        fill(rows, count, fps)
    if len(rows) != count:
        raise DataError(f"{sequence.video} has {len(rows)} frames and {count} boxes; allowed is a frame for every box")


def is_finished(folder: Path, count: int) -> bool:
    """Whether `folder` holds a trajectory of `count` frames with its times."""
    path = folder / TRAJECTORY_NAME
    return path.is_file() and (folder / TIMES_NAME).is_file() and len(read_trajectory(path).boxes) == count
