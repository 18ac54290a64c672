"""Honest when the target is gone? Trackers on the made occlusions of data/synthetic.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Rows
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from stm_tracker_ros.core.boxes import iou
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Pixels, Target
from stm_tracker_ros.data.synthetic import OcclusionSequence, occlusion_sequences
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.evaluation.mask_files import MaskWriter
from stm_tracker_ros.evaluation.runner import follow
from stm_tracker_ros.evaluation.trajectory import Row, write_trajectory

GRACE_FRAMES = 10
"""Fully covered frames in which a tracker may still say TRACKING: nobody knows at once."""
FOUND_IOU = 0.5


@dataclass(frozen=True, kw_only=True)
class OcclusionScore:
    """What a tracker said of a made occlusion.

    mean_iou_before: over the frames before the target is touched.
    tracking_while_covered: frames TRACKING from the 11th fully covered one to the last; 0 is honest.
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


def run_occlusion(
    tracker: Tracker,
    occlusion: OcclusionSequence,
    state_config: StateConfig,
    note_mask: Callable[[int, Pixels | None], None] = lambda index, mask: None,
) -> tuple[OcclusionScore, list[Row]]:
    """Follow the target of a made occlusion; its score and its trajectory.

    note_mask: called with index and mask of every frame.
    """
    target, rows = Target(box=Box(*map(float, occlusion.boxes[0]))), []
    for step in follow(tracker, occlusion.frames(), target, state_config):
        rows.append(step.row)
        note_mask(step.index, step.result.mask)
    return score_occlusion(occlusion, rows), rows


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


def summarise_occlusions(scores: Rows[OcclusionScore]) -> dict[str, Any]:
    """Totals of the scores, and the scores themselves, ready for JSON."""
    return {
        "occlusions": len(scores),
        "honest": sum(score.tracking_while_covered == 0 for score in scores),
        "found_within_15": sum(score.frames_to_find is not None and score.frames_to_find <= 15 for score in scores),
        "seeds": [asdict(score) for score in scores],
    }


def run_occlusions(
    tracker: Tracker, data_root: Path, out: Path, *, state_config: StateConfig
) -> Iterator[OcclusionScore]:
    """Run the tracker on the made occlusion of every seed; trajectories and masks go to `out`/occlusion/<seed>/."""
    for occlusion in occlusion_sequences(data_root):
        files = OutputFolder(out / occlusion.name)
        score, rows = run_occlusion(tracker, occlusion, state_config, MaskWriter(files).write)
        write_trajectory(files, rows)
        yield score


def occlusion_table(summary: Mapping[str, Any]) -> str:
    """The summary as text: a line for every seed, then the totals."""
    names = [field.name for field in fields(OcclusionScore)]
    cells = [names, *([_cell(seed[name]) for name in names] for seed in summary["seeds"])]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    lines = ["  ".join(f"{text:>{width}}" for text, width in zip(row, widths, strict=True)) for row in cells]
    total = summary["occlusions"]
    honest = f"honest {summary['honest']} of {total}, found within 15 frames {summary['found_within_15']} of {total}"
    return "\n".join([*lines, honest])


def _cell(value: object) -> str:
    if value is None:
        return "never"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
