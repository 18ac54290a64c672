"""Running trackers: over a stream, step by step, and over annotated sequences, once each from the first frame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Frame, Result, Target
from stm_tracker_ros.data.readers import NOMINAL_FPS, frames
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
    """Start the tracker on the first frame of `stream` and follow the target to its end. Raises DataError if empty."""
    first = next(stream, None)
    if first is None:
        raise DataError("the stream holds no frame; allowed is one or more")
    tracker = SizedTracker(tracker)
    started_ns = time.perf_counter_ns()
    result = tracker.init(first, target)
    milliseconds = (time.perf_counter_ns() - started_ns) / 1e6
    states = TargetState(state_config, first.stamp_ns)
    box = result.box if target.box is None else target.box
    yield Step(index=0, frame=first, result=result, box=box, state=states.state, milliseconds=milliseconds)
    for index, frame in enumerate(stream, start=1):
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
    the tracker is given. Raises DataError if the video ends before its annotation does, or has no mask to give,
    or if `folder` holds files of these names that are not of an earlier run.
    """
    count = len(sequence.boxes[:max_frames])
    files = OutputFolder(folder)
    rows, milliseconds, masks = [], [], MaskWriter(files)
    with closing(frames(sequence.video, fps)) as stream:
        for step in follow(tracker, islice(stream, count), sequence.first_target(init), state_config):
            rows.append(step.row)
            masks.write(step.index, step.result.mask)
            milliseconds.append(step.milliseconds)
            yield step.index
    if len(rows) != count:
        raise DataError(f"{sequence.video} has {len(rows)} frames and {count} boxes; allowed is a frame for every box")
    write_times(files, np.array(milliseconds[1:]))
    # Last, for a trajectory on disk says that the sequence is finished.
    write_trajectory(files, rows)


def is_finished(folder: Path, count: int) -> bool:
    """Whether `folder` holds a trajectory of `count` frames with its times."""
    path = folder / TRAJECTORY_NAME
    return path.is_file() and (folder / TIMES_NAME).is_file() and len(read_trajectory(path).boxes) == count
