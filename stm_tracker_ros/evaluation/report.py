"""Scoring: from trajectories on disk and true boxes to figures, per sequence, per group and over all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as Rows
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.mask_metrics import mask_scores
from stm_tracker_ros.core.metrics import overlaps, robustness, sequence_scores
from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.data.readers import read_mask
from stm_tracker_ros.data.sequence import Sequence
from stm_tracker_ros.data.starts import Run
from stm_tracker_ros.evaluation.mask_files import has_masks, mask_path
from stm_tracker_ros.evaluation.realtime import FLIGHT_NAME
from stm_tracker_ros.evaluation.speed import percentiles
from stm_tracker_ros.evaluation.trajectory import TIMES_NAME, TRAJECTORY_NAME, UNREADABLE, read_times, read_trajectory

GROUPS = ("aerial", "tiny", "long")
FIGURES = ("success_auc", "precision_20", "norm_precision", "ao", "sr50", "sr75")
MASK_FIGURES = ("j_mean", "f_mean")
"""Of sequences with true masks run by trackers with masks; absent elsewhere."""
ROBUSTNESS = "robustness"
"""Of runs from several starts."""
ALL_FIGURES = (*FIGURES, ROBUSTNESS, *MASK_FIGURES)
TIMES = ("p20", "p50", "p95", "p99")
Scores = dict[str, Any]
SequenceT = TypeVar("SequenceT", bound=Sequence)


def summarise(
    out: Path,
    failed: Mapping[str, str] = MappingProxyType({}),
    *,
    sequences: Iterable[Sequence],
    max_frames: int | None = None,
) -> dict[str, Any]:
    """Score every sequence whose trajectory is in `out`; means over sequences, times over all their frames.

    failed: sequences that could not be run, and why; they are named, whatever lies there of them, and in no mean, as
    those that cannot be scored. Raises DataError if there is no trajectory and nothing failed.
    """
    there = [s for s in sequences if s.name not in failed and _is_there(out, s)]
    scores, failed = _scored(out, there, partial(_score_sequence, max_frames=max_frames), failed)
    finished = [s for s in there if s.name in scores]
    times_ms = {s.name: read_times(out / s.name / TIMES_NAME) for s in finished}
    return _over_all(out, finished, scores, times_ms, _flight(out, finished), failed)


def summarise_starts(
    out: Path, failed: Mapping[str, str], *, sequences: Iterable[Sequence], runs: Mapping[str, Rows[Run]]
) -> dict[str, Any]:
    """As `summarise`, of runs from several starts: means over the runs of a sequence, then over sequences.

    runs: of every sequence by its name; scored are those whose trajectory is in `out`. failed: names of runs, and why.
    """
    there = [run for s in sequences for run in runs[s.name] if run.name not in failed and _is_there(out, run)]
    of_runs, failed = _scored(out, there, _score_run, failed)
    done = {s.name: [run for run in runs[s.name] if run.name in of_runs] for s in sequences}
    finished = [s for s in sequences if done[s.name]]
    times = {run.name: read_times(out / run.name / TIMES_NAME) for s in finished for run in done[s.name]}
    times_ms = {s.name: np.concatenate([times[run.name] for run in done[s.name]]) for s in finished}
    scores = {s.name: _mean_of_runs([of_runs[run.name] for run in done[s.name]], times_ms[s.name]) for s in finished}
    flight = _flight(out, [run for s in finished for run in done[s.name]])
    return _over_all(out, finished, scores, times_ms, flight, failed)


def table(summary: Mapping[str, Any]) -> str:
    """The summary as text: a line for every sequence, then the groups, then all; empty where none was finished."""
    if not summary["sequences"]:
        return ""
    width = max(len(name) for name in summary["sequences"])
    figures = [name for name in ALL_FIGURES if name in summary]
    head = f"{'':{width}} {'frames':>7} " + " ".join(f"{name:>14}" for name in (*figures, *TIMES))
    lines = [_line(name, row, figures, width) for name, row in summary["sequences"].items()]
    lines += ["", *(_line(name, row, figures, width) for name, row in summary["groups"].items())]
    return "\n".join([head, *lines, _line("all", summary, figures, width)])


def _scored(
    out: Path, sequences: Iterable[SequenceT], score: Callable[[Path, SequenceT], Scores], failed: Mapping[str, str]
) -> tuple[dict[str, Scores], dict[str, str]]:
    """The scores of each by its name; and what failed before or cannot be scored, and why: it costs the others none."""
    scores, failures = dict[str, Scores](), dict(failed)
    for sequence in sequences:
        try:
            scores[sequence.name] = score(out, sequence)
        except DataError as error:
            failures[sequence.name] = str(error)
    return scores, failures


def _score_sequence(out: Path, sequence: Sequence, max_frames: int | None = None) -> Scores:
    folder, truth = out / sequence.name, sequence.boxes[:max_frames]
    trajectory = read_trajectory(folder / TRAJECTORY_NAME)
    unreadable = [index for index, state in enumerate(trajectory.states) if state == UNREADABLE]
    noted = {"unreadable": unreadable} if unreadable else {}
    return {
        "frames": len(trajectory.boxes),
        **noted,
        **sequence_scores(trajectory.boxes, truth),
        **_score_masks(folder, sequence, len(truth), unreadable),
        "ms_per_frame": percentiles(read_times(folder / TIMES_NAME)),
    }


def _score_run(out: Path, run: Run) -> Scores:
    scores = _score_sequence(out, run)
    overlap = overlaps(read_trajectory(out / run.name / TRAJECTORY_NAME).boxes, run.boxes)
    return {"anchor": run.anchor, "backward": run.backward, **scores, ROBUSTNESS: robustness(overlap)}


def _mean_of_runs(runs: Rows[Mapping[str, Any]], times_ms: NDArray[np.float64]) -> dict[str, Any]:
    figures = [figure for figure in ALL_FIGURES if figure in runs[0]]
    return {
        "frames": sum(run["frames"] for run in runs),
        **{figure: float(np.mean([run[figure] for run in runs])) for figure in figures},
        "ms_per_frame": percentiles(times_ms),
        "runs": list(runs),
    }


def _over_all(
    out: Path,
    finished: Rows[Sequence],
    scores: Mapping[str, Mapping[str, Any]],
    times_ms: Mapping[str, NDArray[np.float64]],
    flight: Mapping[str, Any],
    failed: Mapping[str, str],
) -> dict[str, Any]:
    if failed and not finished:
        return {"sequence_count": 0, "failed": dict(failed), "sequences": {}}
    if not finished:
        raise DataError(f"{out} holds no finished trajectory; allowed is one or more")
    members = {group: [s.name for s in finished if group in s.groups] for group in GROUPS}
    return {
        **_mean(list(scores), scores, times_ms),
        **flight,
        "failed": dict(failed),
        "groups": {group: _mean(names, scores, times_ms) for group, names in members.items() if names},
        "sequences": {s.name: {**scores[s.name], "groups": list(s.groups)} for s in finished},
    }


def _is_there(out: Path, sequence: Sequence) -> bool:
    return (out / sequence.name / TRAJECTORY_NAME).is_file()


def _score_masks(folder: Path, sequence: Sequence, count: int, unreadable: Rows[int]) -> dict[str, float]:
    """J and F over the frames after the first of the first `count`; empty where the truth or the run has no masks."""
    if not sequence.mask_paths or not has_masks(folder):
        return {}

    def pair(frame: int) -> tuple[Pixels, Pixels]:
        true = sequence.mask(frame)
        return np.zeros_like(true) if frame in unreadable else read_mask(mask_path(folder, frame)), true

    return mask_scores(pair(frame) for frame in range(1, count))


def _flight(out: Path, sequences: Rows[Sequence]) -> dict[str, Any]:
    """What the simulated camera lost, where the sequences were flown in real time; else nothing."""
    paths = [out / s.name / FLIGHT_NAME for s in sequences]
    logs = [json.loads(path.read_text(encoding="ascii")) for path in paths if path.is_file()]
    if not logs:
        return {}
    dropped = sum((Counter[str](log["dropped"]) for log in logs), Counter[str]())
    p50_ms = float(np.median([log["latency_ms"]["p50"] for log in logs]))
    return {"tracked": sum(log["tracked"] for log in logs), "dropped": dropped, "median_latency_ms": p50_ms}


def _mean(
    names: Rows[str], scores: Mapping[str, Mapping[str, Any]], times_ms: Mapping[str, NDArray[np.float64]]
) -> dict[str, Any]:
    return {
        "sequence_count": len(names),
        "frames": sum(scores[name]["frames"] for name in names),
        **{
            figure: float(np.mean([scores[name][figure] for name in names]))
            for figure in (*FIGURES, ROBUSTNESS)
            if all(figure in scores[name] for name in names)
        },
        **_mean_of_masks([scores[name] for name in names if MASK_FIGURES[0] in scores[name]]),
        "ms_per_frame": percentiles(np.concatenate([times_ms[name] for name in names])),
    }


def _mean_of_masks(scores: Rows[Mapping[str, Any]]) -> dict[str, Any]:
    if not scores:
        return {}
    means = {figure: float(np.mean([score[figure] for score in scores])) for figure in MASK_FIGURES}
    return {**means, "mask_sequence_count": len(scores)}


def _line(name: str, row: Mapping[str, Any], columns: Rows[str], width: int) -> str:
    figures = [f"{row[column]:14.4f}" if column in row else f"{'-':>14}" for column in columns]
    times = [f"{value:14.2f}" for value in row["ms_per_frame"].values()]
    return f"{name:{width}} {row['frames']:7d} " + " ".join(figures + times)
