"""Found again, and never mistaken? Trackers on the made absences of data/absences/ (docs/ABSENCES.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Rows
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.boxes import iou
from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Target
from stm_tracker_ros.data.absences.camera import clipped
from stm_tracker_ros.data.absences.made import AbsenceSequence
from stm_tracker_ros.data.absences.plan import SECOND
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.evaluation.mask_files import MaskWriter
from stm_tracker_ros.evaluation.run_files import SCORE_NAME
from stm_tracker_ros.evaluation.runner import follow
from stm_tracker_ros.evaluation.trajectory import Row, write_trajectory

FOUND_IOU, FOUND_FRAMES = 0.5, 10
FOUND_WITHIN_S = (0.5, 1.0, 2.0, 5.0)
GRACE_FRAMES = 10
OTHER_IOU = 0.1
"""TRACKING with less, while the target is in sight: it follows something else."""


@dataclass(frozen=True, kw_only=True)
class AbsenceScore:
    """What a tracker said of a made absence; times in seconds at 30 Hz, counts in frames.

    conditions: what was promised, as words. search_regions: usual ones that cover the picture.
    mean_iou_before: over the frames before the target begins to leave, the first excepted.
    found_s: from the return to the first of ten frames running that are TRACKING with IoU >= 0.5; None if never, and
        where it never returns.
    lost_s: from the first frame without the target to the first LOST while it is away; None if it never was.
    absent, tracking_absent: frames without the target, and TRACKING among them; *_after_grace: without the first ten.
    seen, tracking_other: frames with the target, the first excepted, and TRACKING elsewhere (IoU < 0.1) among them.
    returns: whether it comes back. overlaps, scores: of every frame but the first, for precision and recall: IoU (None
        where the target is absent; frames in which it is partly in sight are left out) and confidence (None where the
        state is not one with a valid box).
    """

    kind: str
    seed: int
    scene: str
    recording: str
    conditions: Mapping[str, Any]
    search_regions: float
    mean_iou_before: float
    returns: bool
    found_s: float | None
    lost_s: float | None
    absent: int
    tracking_absent: int
    absent_after_grace: int
    tracking_absent_after_grace: int
    seen: int
    tracking_other: int
    overlaps: Rows[float | None]
    scores: Rows[float | None]


def run_absence(tracker: Tracker, made: AbsenceSequence, folder: Path, *, state_config: StateConfig) -> Iterator[int]:
    """Follow the target of a made absence; yields how many frames are done.

    Writes trajectory, score and, of trackers that have them, masks to `folder`.
    """
    files = OutputFolder(folder)
    masks, rows = MaskWriter(files), list[Row]()
    for step in follow(tracker, made.frames(), Target(box=Box(*map(float, made.boxes[0]))), state_config):
        rows.append(step.row)
        masks.write(step.index, step.result.mask)
        yield step.index + 1
    write_trajectory(files, rows)
    files.write(SCORE_NAME, (json.dumps(asdict(score_absence(made, rows)), indent=1) + "\n").encode("ascii"))


def score_absence(made: AbsenceSequence, rows: Rows[Row]) -> AbsenceScore:
    """The score of a trajectory with a row for every frame; boxes are compared as far as they lie in the picture."""
    size = np.array(made.picture_size, np.float64)
    overlap = np.nan_to_num(iou(clipped(np.array([row.box for row in rows]), size), made.boxes))
    states = np.array([row.state for row in rows])
    tracking, left, returned = states == State.TRACKING.name, made.left, made.returned
    absent, seen = made.absent, made.seen & (np.arange(len(rows)) > 0)
    late = absent & (np.arange(len(rows)) >= left + GRACE_FRAMES)
    lost = np.flatnonzero(absent & (states == State.LOST.name))
    counted = (absent | seen) & (np.arange(len(rows)) > 0)
    valid = [State[str(state)].has_valid_box for state in states]
    return AbsenceScore(
        kind=made.conditions.kind.value,
        seed=made.conditions.seed,
        scene=made.scene,
        recording=made.recording,
        conditions=_words(made),
        search_regions=made.search_regions,
        mean_iou_before=float(overlap[1 : made.leaves].mean()),
        returns=returned is not None,
        found_s=None if returned is None else _found_s(tracking[returned:] & (overlap[returned:] >= FOUND_IOU)),
        lost_s=float(lost[0] - left) / SECOND if lost.size else None,
        absent=int(absent.sum()),
        tracking_absent=int((absent & tracking).sum()),
        absent_after_grace=int(late.sum()),
        tracking_absent_after_grace=int((late & tracking).sum()),
        seen=int(seen.sum()),
        tracking_other=int((seen & tracking & (overlap < OTHER_IOU)).sum()),
        overlaps=[float(overlap[index]) if seen[index] else None for index in np.flatnonzero(counted).tolist()],
        scores=[float(rows[index].score) if valid[index] else None for index in np.flatnonzero(counted).tolist()],
    )


def _words(made: AbsenceSequence) -> dict[str, Any]:
    conditions = asdict(made.conditions)
    return {name: getattr(value, "value", value) for name, value in conditions.items() if name not in ("kind", "seed")}


def _found_s(good: NDArray[np.bool_]) -> float | None:
    """Seconds to the first of FOUND_FRAMES good frames running."""
    if len(good) < FOUND_FRAMES:
        return None
    running = np.lib.stride_tricks.sliding_window_view(good, FOUND_FRAMES).all(1)
    return float(np.argmax(running)) / SECOND if running.any() else None


def read_score(path: Path) -> AbsenceScore:
    """The score that `run_absence` wrote. Raises DataError if it is something else."""
    try:
        return AbsenceScore(**json.loads(path.read_text(encoding="ascii")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} cannot be read as the score of an absence: {error}") from None


def summarise_absences(scores: Rows[AbsenceScore]) -> dict[str, Any]:
    """Figures over all and for every kind, and a row for every seed, ready for JSON."""
    kinds = list(dict.fromkeys(score.kind for score in scores))
    rows = [{name: value for name, value in asdict(score).items() if name not in _LONG} for score in scores]
    return {
        "absences": len(scores),
        "all": figures(scores) if scores else {},
        "kinds": {kind: figures([score for score in scores if score.kind == kind]) for kind in kinds},
        "regions": _by_regions(scores),
        "seeds": rows,
    }


_LONG = ("overlaps", "scores")
REGION_LIMITS = (5.0, 40.0, float("inf"))
"""The table by the number of usual search regions that cover the picture: up to these."""


def _by_regions(scores: Rows[AbsenceScore]) -> dict[str, Any]:
    low, found = 0.0, {}
    for high in REGION_LIMITS:
        among = [score for score in scores if low < score.search_regions <= high]
        if among:
            found[f"{low:g}-{high:g} regions"] = figures(among)
        low = high
    return found


def figures(scores: Rows[AbsenceScore]) -> dict[str, Any]:
    """What is quoted of some absences, one or more.

    found_within: share of those that return, by seconds (those whose pictures end earlier count as not found then).
    lost_s: median time to LOST, `lost` how many of them it is over. Rates are shares of frames, None without frames.
    precision, recall, f: VOT-LT, at the confidence that makes F largest.
    """
    back = [score for score in scores if score.returns]
    lost = [score.lost_s for score in scores if score.lost_s is not None]
    return {
        "absences": len(scores),
        "returns": len(back),
        "found_within": {f"{limit:g}": _share_found(back, limit) for limit in FOUND_WITHIN_S},
        "lost": len(lost),
        "lost_s": float(np.median(lost)) if lost else None,
        "false_tracking_rate": _rate(scores, "tracking_absent", "absent"),
        "false_tracking_rate_after_grace": _rate(scores, "tracking_absent_after_grace", "absent_after_grace"),
        "other_object_rate": _rate(scores, "tracking_other", "seen"),
        "mean_iou_before": float(np.mean([score.mean_iou_before for score in scores])),
        **long_term([value for s in scores for value in s.overlaps], [value for s in scores for value in s.scores]),
    }


def _share_found(back: Rows[AbsenceScore], limit: float) -> float | None:
    return float(np.mean([s.found_s is not None and s.found_s <= limit for s in back])) if back else None


def _rate(scores: Rows[AbsenceScore], part: str, whole: str) -> float | None:
    total = sum(getattr(score, whole) for score in scores)
    return sum(getattr(score, part) for score in scores) / total if total else None


def long_term(overlaps: Rows[float | None], scores: Rows[float | None]) -> dict[str, float | None]:
    """Precision, recall and F of VOT-LT at the threshold of confidence that makes F largest.

    overlaps: IoU of every frame, None where the target is absent (it counts as 0 there). scores: confidence, None where
    no box was given. Pr(t) is the mean overlap of the frames answered with a confidence >= t, Re(t) the sum of these
    overlaps over the number of frames with the target (Lukezic et al., "Now you see me", 2018, section 3).
    """
    overlap = np.array([0.0 if value is None else value for value in overlaps])
    score = np.array([-np.inf if value is None else value for value in scores])
    visible = sum(value is not None for value in overlaps)
    order = np.argsort(-score, kind="stable")
    answered = int(np.isfinite(score).sum())
    if not answered or not visible:
        return {"precision": None, "recall": None, "f": None}
    ranked = score[order][:answered]
    # Frames of one confidence are answered together: only the last of them is a threshold.
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    sums = np.cumsum(overlap[order][:answered])[last]
    precision, recall = sums / (last + 1), sums / visible
    f = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(np.argmax(f))
    return {"precision": float(precision[best]), "recall": float(recall[best]), "f": float(f[best])}


_COLUMNS = (
    "n",
    *(f"<={limit:g} s" for limit in FOUND_WITHIN_S),
    "lost",
    "s",
    "false",
    "grace",
    "other",
    "Pr",
    "Re",
    "F",
)


def absence_table(summary: Mapping[str, Any]) -> str:
    """The summary as text: a line for every kind, by search regions, and over all; empty where none was finished.

    found within so many seconds: of those that return; lost: how many became LOST, and the median time; false, grace:
    TRACKING among all absent frames and from the 11th on; other: TRACKING elsewhere among the frames with the target.
    """
    if not summary["seeds"]:
        return ""
    groups = {**summary["kinds"], **summary["regions"], "all": summary["all"]}
    width = max(map(len, groups))
    lines = [f"{'':{width}} " + " ".join(f"{name:>7}" for name in _COLUMNS)]
    lines += [f"{name:{width}} " + " ".join(f"{cell:>7}" for cell in _cells(group)) for name, group in groups.items()]
    return "\n".join(lines)


def _cells(group: Mapping[str, Any]) -> list[str]:
    found = [_text(value) for value in group["found_within"].values()]
    lost = "-" if group["lost_s"] is None else f"{group['lost_s']:.2f}"
    rates = [_text(group[f"{name}_rate{suffix}"], 4) for name, suffix in _RATES]
    long = [_text(group[name]) for name in ("precision", "recall", "f")]
    return [str(group["absences"]), *found, str(group["lost"]), lost, *rates, *long]


_RATES = (("false_tracking", ""), ("false_tracking", "_after_grace"), ("other_object", ""))


def _text(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
