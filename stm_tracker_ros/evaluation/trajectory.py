"""What a run leaves on disk: one row a frame, in full precision."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError, OutputError
from stm_tracker_ros.core.output_folder import PART_SUFFIX, OutputFolder
from stm_tracker_ros.core.types import Box, RotatedBox

BOX_COLUMNS = ("frame", "stamp_ns", "x", "y", "width", "height", "score", "state")
"""Those of every trajectory; files written before there were masks end with them."""
COLUMNS = (*BOX_COLUMNS, "theta", "size_x", "size_y")
TRAJECTORY_NAME = "trajectory.csv"
TIMES_NAME = "milliseconds.csv"
UNREADABLE = "UNREADABLE"
"""In the place of a state: this frame could not be read, nobody answered it, and it counts as missed."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One frame of a trajectory: upright box in pixels of the image, score of the result in [0, 1], name of the state.

    rotated: of trackers with masks; None, written as NaN, where there is none.
    """

    frame: int
    stamp_ns: int
    box: Box
    score: float
    state: str
    rotated: RotatedBox | None = None


def unanswered(frame: int, stamp_ns: int) -> Row:
    """The row of a frame that could not be read."""
    return Row(frame=frame, stamp_ns=stamp_ns, box=Box(*(float("nan"),) * 4), score=0.0, state=UNREADABLE)


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """A whole run: stamps N, boxes N x 4 float64 (x, y, width, height), scores N, names of states.

    rotations: N x 3 float64, theta in rad from x towards y, size_x along it, size_y; NaN rows without a rotated box.
    """

    stamps_ns: NDArray[np.int64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    states: tuple[str, ...]
    rotations: NDArray[np.float64]


class TrajectoryWriter:
    """Writes rows as they come, so that a run that is interrupted keeps what it had; use it in a `with` block."""

    def __init__(self, file: BinaryIO) -> None:
        """`file`: a new, unbuffered one, whose owner closes it."""
        self._file, self._rows, self._whole_bytes = file, -1, 0
        self._append(COLUMNS)

    def write(self, row: Row) -> None:
        """Append one frame. Raises OutputError if it cannot be written: the file then ends with the frame before."""
        numbers = [repr(float(value)) for value in (*row.box, row.score)]
        self._append([row.frame, row.stamp_ns, *numbers, row.state, *_rotation(row.rotated)])

    def __enter__(self) -> TrajectoryWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(value, OutputError) and self._rows > 0:
            raise OutputError(f"{value}; {self._file.name} keeps the {self._rows} rows before") from None

    def _append(self, cells: Iterable[object]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        line = text.getvalue().encode("ascii")
        try:
            self._file.write(line)
        except OutputError:
            # A part of the row may be there, and a table that ends within a number would be read as another one.
            self._file.seek(self._whole_bytes)
            self._file.truncate()
            raise
        self._rows, self._whole_bytes = self._rows + 1, self._whole_bytes + len(line)


def write_trajectory(files: OutputFolder, rows: Iterable[Row]) -> None:
    """Write a whole trajectory; the file is there only when it is complete."""
    unfinished = TRAJECTORY_NAME + PART_SUFFIX
    with files.new(unfinished) as file, TrajectoryWriter(file) as writer:
        for row in rows:
            writer.write(row)
    files.replace(unfinished, TRAJECTORY_NAME)


def read_trajectory(path: Path) -> Trajectory:
    """Read what TrajectoryWriter wrote, with or without rotated boxes. Raises DataError if it is something else."""
    try:
        with path.open(newline="", encoding="ascii") as file:
            header, *rows = csv.reader(file)
        if tuple(header) not in (COLUMNS, BOX_COLUMNS):
            raise DataError(f"{path} has columns {header}; allowed are {COLUMNS}")
        stamps_ns = np.array([int(row[1]) for row in rows], np.int64)
        numbers = np.array([[float(value) for value in row[2:7]] for row in rows], np.float64).reshape(-1, 5)
        states = tuple(row[7] for row in rows)
        turned = [[float(value) for value in (row[8:] or _rotation(None))] for row in rows]
        rotations = np.array(turned, np.float64).reshape(-1, 3)
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{path} cannot be read as a trajectory: {error}") from None
    boxes, scores = numbers[:, :4], numbers[:, 4]
    return Trajectory(stamps_ns=stamps_ns, boxes=boxes, scores=scores, states=states, rotations=rotations)


def write_times(files: OutputFolder, times: Iterable[tuple[int, float]]) -> None:
    """Write numbers and milliseconds of the frames answered from 1 on (frame 0 starts the tracker)."""
    lines = [f"{frame},{float(milliseconds)!r}" for frame, milliseconds in times]
    files.write(TIMES_NAME, ("\n".join(["frame,milliseconds", *lines]) + "\n").encode("ascii"))


def read_times(path: Path) -> NDArray[np.float64]:
    """Milliseconds of the frames answered from 1 on. Raises DataError if the file cannot be read."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()[1:]
        return np.array([float(line.split(",")[1]) for line in lines], np.float64)
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{path} cannot be read as times: {error}") from None


def _rotation(rotated: RotatedBox | None) -> list[str]:
    values = (float("nan"),) * 3 if rotated is None else (rotated.theta, rotated.size_x, rotated.size_y)
    return [repr(float(value)) for value in values]
