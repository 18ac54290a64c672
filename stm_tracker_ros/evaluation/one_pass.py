"""One-pass evaluation: every sequence once, from its first frame to its last, trajectories on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from stm_tracker_ros.core.errors import DataError, FrameError, OutputError, StmTrackerError, TargetError
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.data.readers import NOMINAL_FPS
from stm_tracker_ros.data.sequence import Init, Sequence
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation.realtime import fly_sequence
from stm_tracker_ros.evaluation.runner import is_finished, run_sequence


def one_pass(
    tracker: Tracker,
    sequences: list[Sequence],
    out: Path,
    *,
    state_config: StateConfig,
    fps: float = NOMINAL_FPS,
    max_frames: int | None = None,
    real_time: bool = False,
    init: Init = "box",
    note_failure: Callable[[str, StmTrackerError], None] | None = None,
) -> Iterator[tuple[str, int]]:
    """Run the tracker over all sequences; yields the sequence's name and how many of its frames are done.

    Results go to `out`/<source>/<sequence>/. Sequences finished there before are passed over: their count comes at
    once. With `real_time` the tracker flies behind a simulated camera of `fps` (evaluation/realtime.py). init: what of
    the first frame's truth the tracker is given. note_failure: called with the name of a sequence that cannot be run
    (a video cut short, images missing, no target to start from) and why, and the others go on; without it that is
    raised.
    """
    function = fly_sequence if real_time else run_sequence
    run = partial(function, state_config=state_config, fps=fps, max_frames=max_frames, init=init)
    for sequence in sequences:
        folder, count = out / sequence.name, len(sequence.boxes[:max_frames])
        if is_finished(folder, count):
            yield sequence.name, count
            continue
        try:
            for index in run(tracker, sequence, folder):
                yield sequence.name, index + 1
        except OutputError:
            raise
        except (DataError, FrameError, TargetError) as error:
            if note_failure is None:
                raise
            note_failure(sequence.name, error)
