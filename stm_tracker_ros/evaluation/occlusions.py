"""False tracking while the target is covered: trackers on the synthetic occlusions of data/synthetic.py."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Rows
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stm_tracker_ros.core.boxes import iou
from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Target
from stm_tracker_ros.data.synthetic import OcclusionSequence, frame_count, name_of, occlusion_sequences
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.evaluation.mask_files import MaskWriter
from stm_tracker_ros.evaluation.run_files import SCORE_NAME
from stm_tracker_ros.evaluation.runner import follow
from stm_tracker_ros.evaluation.trajectory import Row, write_trajectory
from stm_tracker_ros.evaluation.work import Measurement

GRACE_FRAMES = 10
"""Fully covered frames in which a tracker may still say TRACKING: nobody knows at once."""
FOUND_IOU = 0.5


@dataclass(frozen=True, kw_only=True)
class OcclusionScore:
    """What a tracker said of a synthetic occlusion.

    mean_iou_before: over the frames before the target is touched.
    tracking_while_covered: frames TRACKING from the 11th fully covered one to the last: false tracking.
    lost_while_covered: frames LOST among the fully covered ones.
    frames_to_find: frames from the first that is no longer fully covered to the first with IoU >= 0.5 (0: at once);
        None if never.
    mean_iou_after: over the frames after the target is free again.
    """

    seed: int
    scene: str
    occluder: str
    covered: int
    mean_iou_before: float
    tracking_while_covered: int
    lost_while_covered: int
    frames_to_find: int | None
    mean_iou_after: float


@dataclass(frozen=True, kw_only=True)
class OcclusionItem:
    """The synthetic occlusion of a seed as a piece of work."""

    seed: int
    data_root: Path
    state_config: StateConfig

    @property
    def name(self) -> str:
        """As of the sequences on disk."""
        return name_of(self.seed)

    @property
    def frames(self) -> int:
        """How many it has, as of `synthetic.frame_count`."""
        return frame_count(self.data_root, self.seed)

    def run(self, tracker: Tracker, folder: Path) -> Iterator[int]:
        """Make the occlusion and follow its target; writes trajectory, masks and score."""
        (occlusion,) = occlusion_sequences(self.data_root, [self.seed])
        return run_occlusion(tracker, occlusion, folder, state_config=self.state_config)

    def is_finished(self, folder: Path) -> bool:
        """Whether `folder` holds its score, which is written last."""
        return (folder / SCORE_NAME).is_file()


def run_occlusion(
    tracker: Tracker, occlusion: OcclusionSequence, folder: Path, *, state_config: StateConfig
) -> Iterator[int]:
    """Follow the target of a synthetic occlusion; yields how many frames are done.

    Writes trajectory, score and, of trackers that have them, masks to `folder`.
    """
    files = OutputFolder(folder)
    masks, rows = MaskWriter(files), list[Row]()
    for step in follow(tracker, occlusion.frames(), Target(box=Box(*map(float, occlusion.boxes[0]))), state_config):
        rows.append(step.row)
        masks.write(step.index, step.result.mask)
        yield step.index + 1
    write_trajectory(files, rows)
    files.write(SCORE_NAME, (json.dumps(asdict(score_occlusion(occlusion, rows)), indent=1) + "\n").encode("ascii"))


def score_occlusion(occlusion: OcclusionSequence, rows: Rows[Row]) -> OcclusionScore:
    """The score of a trajectory with a row for every frame of the occlusion."""
    full = occlusion.full
    overlap = iou(np.array([row.box for row in rows]), occlusion.boxes)
    touched = np.flatnonzero(occlusion.cover)
    found = np.flatnonzero(overlap[full.stop :] >= FOUND_IOU)
    states = [row.state for row in rows]
    return OcclusionScore(
        seed=occlusion.seed,
        scene=occlusion.scene,
        occluder=occlusion.occluder,
        covered=len(full),
        mean_iou_before=float(overlap[1 : touched[0]].mean()),
        tracking_while_covered=states[full.start + GRACE_FRAMES : full.stop].count(State.TRACKING.name),
        lost_while_covered=states[full.start : full.stop].count(State.LOST.name),
        frames_to_find=int(found[0]) if found.size else None,
        mean_iou_after=float(overlap[touched[-1] + 1 :].mean()),
    )


def measurement(data_root: Path, seeds: Rows[int], state_config: StateConfig) -> Measurement:
    """The synthetic occlusions of these seeds, made from `data_root`/train_video."""
    items = [OcclusionItem(seed=seed, data_root=data_root, state_config=state_config) for seed in seeds]
    summarise = partial(_summarise, items=items)
    return Measurement(items=items, summarise=summarise, table=occlusion_table, item_kind="occlusions")


def _summarise(out: Path, failed: Mapping[str, str], *, items: Rows[OcclusionItem]) -> dict[str, Any]:
    finished = [item for item in items if item.name not in failed and item.is_finished(out / item.name)]
    scores = [read_score(out / item.name / SCORE_NAME) for item in finished]
    return {**summarise_occlusions(scores), "failed": dict(failed)}


def read_score(path: Path) -> OcclusionScore:
    """The score that `run_occlusion` wrote. Raises DataError if it is something else."""
    try:
        return OcclusionScore(**json.loads(path.read_text(encoding="ascii")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} cannot be read as the score of an occlusion: {error}") from None


def summarise_occlusions(scores: Rows[OcclusionScore]) -> dict[str, Any]:
    """Totals of the scores, and the scores themselves, ready for JSON.

    false_tracking_rate: share of TRACKING among the frames from the 11th fully covered one on; absent without scores.
    """
    if not scores:
        return {"occlusions": 0, "seeds": []}
    covered = sum(score.covered - GRACE_FRAMES for score in scores)
    tracking = sum(score.tracking_while_covered for score in scores)
    return {
        "occlusions": len(scores),
        "without_false_tracking": sum(score.tracking_while_covered == 0 for score in scores),
        "false_tracking_rate": tracking / covered,
        "found_within_15": sum(score.frames_to_find is not None and score.frames_to_find <= 15 for score in scores),
        "seeds": [asdict(score) for score in scores],
    }


def occlusion_table(summary: Mapping[str, Any]) -> str:
    """The summary as text: a line for every seed, then the totals; empty where none was finished."""
    if not summary["seeds"]:
        return ""
    names = [field.name for field in fields(OcclusionScore)]
    cells = [names, *([_cell(seed[name]) for name in names] for seed in summary["seeds"])]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    lines = ["  ".join(f"{text:>{width}}" for text, width in zip(row, widths, strict=True)) for row in cells]
    total = summary["occlusions"]
    totals = (
        f"no false tracking in {summary['without_false_tracking']} of {total} "
        f"(false-tracking rate {summary['false_tracking_rate']:.4f}), "
        f"found within 15 frames {summary['found_within_15']} of {total}"
    )
    return "\n".join([*lines, totals])


def _cell(value: object) -> str:
    if value is None:
        return "never"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
