"""What a calibration is fitted on: what the following stage knew of each answer, and whether that was right.

Runs over annotated sequences, made absences and synthetic occlusions. Wrong is any answer without the target in sight.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.boxes import iou
from stm_tracker_ros.core.errors import ConfigError, DataError
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.data.absences.camera import clipped
from stm_tracker_ros.data.absences.makers import absence_sequences
from stm_tracker_ros.data.absences.plan import Kind
from stm_tracker_ros.data.annotated import recording_of
from stm_tracker_ros.data.sequence import Sequence
from stm_tracker_ros.data.starts import Run, runs_of
from stm_tracker_ros.data.synthetic import Cover, occlusion_sequences
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation.absence_items import AbsenceItem
from stm_tracker_ros.evaluation.occlusions import OcclusionItem
from stm_tracker_ros.evaluation.run_files import SIGHTS_NAME
from stm_tracker_ros.evaluation.runner import follow
from stm_tracker_ros.following.calibration import Sight, as_scored
from stm_tracker_ros.following.follower import Follower

RIGHT_IOU = 0.5


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A stream with its truth.

    recording: a name shared by scenes that are of one video. boxes: frames x 4, the target's true box; of frames that
    are not `present` whatever is there. present, absent: of each frame; what is neither (half covered, or half out of
    the picture) is not judged. size: width and height of a picture that boxes are cut at; None: they are not.
    """

    recording: str
    frames: Iterator[Frame]
    boxes: NDArray[np.float64]
    present: NDArray[np.bool_]
    absent: NDArray[np.bool_]
    size: tuple[int, int] | None = None


def of_run(run: Run) -> Scene:
    """A stretch of an annotated sequence; NaN boxes are absent."""
    present = np.asarray(np.isfinite(run.boxes).all(1) & (run.boxes[:, 2:] > 0).all(1))
    recording = recording_of("/".join(run.name.split("/")[:2]))
    return Scene(recording=recording, frames=run.frames(), boxes=run.boxes, present=present, absent=~present)


def of_absence(kind: Kind, seed: int, data_root: Path) -> Scene:
    """The made absence of a kind and a seed."""
    (made,) = absence_sequences(data_root, [kind], [seed])
    return Scene(
        recording=made.recording,
        frames=made.frames(),
        boxes=made.boxes,
        present=made.seen,
        absent=made.absent,
        size=made.picture_size,
    )


def of_occlusion(seed: int, data_root: Path) -> Scene:
    """The synthetic occlusion of a seed; a target that is fully covered is absent."""
    (made,) = occlusion_sequences(data_root, [seed])
    return Scene(
        recording=recording_of(made.scene),
        frames=made.frames(),
        boxes=made.boxes,
        present=made.cover == Cover.FREE,
        absent=made.cover == Cover.FULL,
    )


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One run.

    sights: frames x fields of `Sight`. right: whether the answered box overlaps with the true one by RIGHT_IOU or more.
    present: whether the target was in sight. Frames that are neither present nor absent are left out, and the first.
    """

    recording: str
    sights: NDArray[np.float64]
    right: NDArray[np.bool_]
    present: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class SightsItem:
    """The run over one scene as a piece of work; `make` can be pickled."""

    name: str
    frames: int
    make: Callable[[], Scene]

    def run(self, tracker: Tracker, folder: Path) -> Iterator[int]:
        """Write the sights. Raises ConfigError for a tracker that is not followed with by the following stage."""
        if not isinstance(tracker, Follower):
            raise ConfigError("only what the following stage answers can be calibrated; allowed are its trackers")
        scene, rows = self.make(), list[tuple[int, Box, Sight]]()
        for index, box, sight in _sighted(tracker, scene):
            rows.append((index, box, sight))
            yield index + 1
        OutputFolder(folder).write(SIGHTS_NAME, (json.dumps(_judged(scene, rows)) + "\n").encode("ascii"))

    def is_finished(self, folder: Path) -> bool:
        """Whether `folder` holds its sights."""
        return (folder / SIGHTS_NAME).is_file()


def items(
    sequences: Rows[Sequence], starts: int, max_frames: int, data_root: Path, absences: Rows[int], covered: Rows[int]
) -> list[SightsItem]:
    """From `starts` anchors of each sequence, the absences of every kind and the occlusions of these seeds."""
    state = StateConfig()
    runs = [run for sequence in sequences for run in runs_of(sequence, starts, max_frames)]
    of_kinds = [(kind, seed) for kind in Kind for seed in absences]
    away = [AbsenceItem(kind=kind, seed=seed, data_root=data_root, state_config=state) for kind, seed in of_kinds]
    hidden = [OcclusionItem(seed=seed, data_root=data_root, state_config=state) for seed in covered]
    made: list[tuple[AbsenceItem | OcclusionItem, Callable[[], Scene]]] = [
        *((item, partial(of_absence, item.kind, item.seed, data_root)) for item in away),
        *((item, partial(of_occlusion, item.seed, data_root)) for item in hidden),
    ]
    return [
        *(SightsItem(name=run.name, frames=len(run.boxes), make=partial(of_run, run)) for run in runs),
        *(SightsItem(name=item.name, frames=item.frames, make=make) for item, make in made),
    ]


def read(path: Path) -> Judged:
    """What an item wrote. Raises DataError if it is something else, or of other sights."""
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        if tuple(content["sight"]) != Sight._fields:
            raise DataError(f"{path} has sights of {content['sight']}; needed is another folder: {Sight._fields}")
        table = np.array(content["rows"], np.float64).reshape(-1, 3 + len(Sight._fields))
        recording = str(content["recording"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} cannot be read as sights: {error}") from None
    present, overlap = table[:, 1] > 0, table[:, 2]
    return Judged(recording=recording, sights=table[:, 3:], right=present & (overlap >= RIGHT_IOU), present=present)


def _sighted(tracker: Follower, scene: Scene) -> Iterator[tuple[int, Box, Sight]]:
    """Frames but the first: index, answered box, and what was known of it. The tracker answers as if not calibrated."""
    noted: list[Sight] = []

    def note(sight: Sight) -> float:
        noted.append(sight)
        return as_scored(sight)

    before, tracker.probability = tracker.probability, note
    try:
        target = Target(box=Box(*map(float, scene.boxes[0])))
        for step in follow(tracker, scene.frames, target, StateConfig()):
            if step.index:
                yield step.index, step.box, noted[-1]
    finally:
        tracker.probability = before


def _judged(scene: Scene, rows: Rows[tuple[int, Box, Sight]]) -> dict[str, Any]:
    """Ready for JSON; a row is frame, present or not, overlap with the truth (0 where absent), and the sight."""
    order = [index for index, _, _ in rows]
    boxes, true = np.array([box for _, box, _ in rows]).reshape(-1, 4), scene.boxes[order]
    if scene.size is not None:
        boxes = clipped(boxes, np.array(scene.size, np.float64))
    overlap = np.where(scene.present[order], np.nan_to_num(iou(boxes, true)), 0.0).tolist()
    counted = (scene.present | scene.absent)[order]
    table = [
        [index, int(scene.present[index]), shared, *map(float, sight)]
        for (index, _, sight), shared, is_counted in zip(rows, overlap, counted, strict=True)
        if is_counted
    ]
    return {"recording": scene.recording, "sight": Sight._fields, "rows": table}
