"""One-pass evaluation: every sequence once, from its first frame to its last, trajectories on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.data.readers import NOMINAL_FPS
from stm_tracker_ros.data.sequence import Init, Sequence
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation.oracle_memory import OracleMemory
from stm_tracker_ros.evaluation.realtime import fly_sequence
from stm_tracker_ros.evaluation.report import summarise, table
from stm_tracker_ros.evaluation.runner import is_finished, run_sequence
from stm_tracker_ros.evaluation.work import Measurement


@dataclass(frozen=True, kw_only=True)
class Options:
    """How sequences are run.

    fps: rate of the stamps. max_frames: the first ones of each only. real_time: behind a simulated camera of `fps`
    (evaluation/realtime.py). init: what of the first frame's truth the tracker is given. oracle_memory: the true boxes
    are remembered (evaluation/oracle_memory.py).
    """

    state_config: StateConfig
    fps: float = NOMINAL_FPS
    max_frames: int | None = None
    real_time: bool = False
    init: Init = "box"
    oracle_memory: bool = False


@dataclass(frozen=True, kw_only=True)
class SequenceItem:
    """A sequence, from its first frame to its last, as a piece of work."""

    sequence: Sequence
    options: Options

    @property
    def name(self) -> str:
        """The sequence's."""
        return self.sequence.name

    @property
    def frames(self) -> int:
        """How many are run."""
        return len(self.sequence.boxes[: self.options.max_frames])

    def run(self, tracker: Tracker, folder: Path) -> Iterator[int]:
        """Write trajectory, times and masks; what they are and what is raised: runner.run_sequence."""
        options = self.options
        if options.oracle_memory:
            tracker = OracleMemory.around(tracker, self.sequence.boxes)
        steps = (fly_sequence if options.real_time else run_sequence)(
            tracker,
            self.sequence,
            folder,
            state_config=options.state_config,
            fps=options.fps,
            max_frames=options.max_frames,
            init=options.init,
        )
        return (index + 1 for index in steps)

    def is_finished(self, folder: Path) -> bool:
        """Whether `folder` holds its trajectory and its times."""
        return is_finished(folder, self.frames)


def measurement(sequences: list[Sequence], options: Options) -> Measurement:
    """Every sequence once."""
    return Measurement(
        items=[SequenceItem(sequence=sequence, options=options) for sequence in sequences],
        summarise=partial(summarise, sequences=sequences, max_frames=options.max_frames),
        table=table,
        read_from=[folder for sequence in sequences for folder in sequence.read_from],
    )
