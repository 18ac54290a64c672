"""Fitting the probability that an answer is right, and how far it can be believed on recordings that it has not seen.

Every figure is cross-validated: what is said of a recording comes from a fit on the others. Each run weighs the same,
however long it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.evaluation.one_step import area_under_roc
from stm_tracker_ros.evaluation.run_files import SIGHTS_NAME
from stm_tracker_ros.evaluation.sights import Judged, SightsItem, read
from stm_tracker_ros.evaluation.work import Measurement
from stm_tracker_ros.following.calibration import Calibration, Sight, logistic, weighed

Floats = NDArray[np.float64]

BINS = 15
RIDGE = 1e-3
"""Strength of the penalty on the weights of standardised values: what is never wrong, or always, needs one."""
MOST_STEPS, SMALLEST_STEP = 100, 1e-9  # of Newton's method
MADE = ("absence", "occlusion")
"""Sources of made scenes; all else is annotated video."""


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Frames of many runs. sights: N x fields of `Sight`; right, present: N; weights: N, those of a run sum up to 1;
    recordings, sources: N names.
    """

    sights: Floats
    right: NDArray[np.bool_]
    present: NDArray[np.bool_]
    weights: Floats
    recordings: NDArray[np.str_]
    sources: NDArray[np.str_]

    def __getitem__(self, chosen: NDArray[np.bool_]) -> Frames:
        return Frames(**{name: values[chosen] for name, values in vars(self).items()})

    @classmethod
    def of(cls, runs: Mapping[str, Judged]) -> Frames:
        """All frames of the runs, by names "source/...". Raises DataError where all answers are right, or none is."""
        each = {name: run for name, run in runs.items() if len(run.right)}
        if len({bool(right) for run in each.values() for right in run.right}) < 2:
            raise DataError("all answers are right, or none is: nothing can be calibrated on these runs")
        return cls(
            sights=np.concatenate([run.sights for run in each.values()]),
            right=np.concatenate([run.right for run in each.values()]),
            present=np.concatenate([run.present for run in each.values()]),
            weights=np.concatenate([np.full(len(run.right), 1 / len(run.right)) for run in each.values()]),
            recordings=np.concatenate([np.full(len(run.right), run.recording) for run in each.values()]),
            sources=np.concatenate([np.full(len(run.right), name.split("/")[0]) for name, run in each.items()]),
        )


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Bins of equal weight by the probability that was said: its mean, the share that was right, the weight's share."""

    said: Floats
    right: Floats
    share: Floats

    @property
    def error(self) -> float:
        """Expected calibration error: mean of |said - right| by weight (Naeini et al., AAAI 2015)."""
        return float(self.share @ np.abs(self.said - self.right))


def fit(frames: Frames) -> Calibration:
    """Weighted logistic regression by Newton's method, on standardised values; what it gives is for plain ones."""
    weights = frames.weights / frames.weights.sum()
    values = weighed(frames.sights)
    mean = weights @ values
    spread = np.sqrt(weights @ (values - mean) ** 2)
    spread[np.ptp(values, axis=0) == 0] = np.inf  # what is always the same tells nothing
    table = np.column_stack([np.ones(len(weights)), (values - mean) / spread])
    penalty = RIDGE * np.diag([0.0, *np.ones(len(mean))])
    found = np.zeros(table.shape[1])
    for _ in range(MOST_STEPS):
        said = logistic(table @ found)
        slope = table.T @ (weights * (said - frames.right)) + penalty @ found
        curve = (table * (weights * said * (1 - said))[:, None]).T @ table + penalty
        step = np.linalg.solve(curve, slope)
        found = found - step
        if np.abs(step).max() < SMALLEST_STEP:
            break
    factors = found[1:] / spread
    named = dict(zip(Sight._fields, factors.tolist(), strict=True))
    return Calibration(bias=float(found[0] - factors @ mean), weights=named)


def said_unseen(frames: Frames) -> Floats:
    """The probability of every frame, by a fit on all recordings but its own. Raises DataError with a single one."""
    recordings = np.unique(frames.recordings)
    if len(recordings) < 2:
        raise DataError(f"all runs are of one recording, {recordings[0]}; needed are two or more")
    said = np.empty(len(frames.right))
    for recording in recordings:
        own = frames.recordings == recording
        said[own] = fit(frames[~own]).of_many(frames.sights[own])
    return said


def reliability(said: Floats, right: NDArray[np.bool_], weights: Floats, bins: int = BINS) -> Reliability:
    """N probabilities against what was right; of equal weight are the bins as far as frames can be shared out."""
    order = np.argsort(said, kind="stable")
    until = np.cumsum(weights[order])
    number = np.minimum((until - weights[order] / 2) / until[-1] * bins, bins - 1).astype(int)
    share = np.bincount(number, weights[order], bins)
    used = share > 0
    mean = partial(_means, number, weights[order], bins, used)
    return Reliability(said=mean(said[order]), right=mean(right[order].astype(float)), share=share[used] / until[-1])


def _means(number: NDArray[np.int64], weights: Floats, bins: int, used: NDArray[np.bool_], values: Floats) -> Floats:
    total = np.bincount(number, weights, bins)[used]
    return np.asarray(np.bincount(number, weights * values, bins)[used] / total)


def figures(frames: Frames, said: Floats) -> dict[str, Any]:
    """What is quoted of probabilities, ready for JSON; of all, of annotated video, and of made scenes.

    calibration_error: over all, and of raw scores as if they were probabilities. present_over_absent: area under ROC
    of all frames with the target in sight over those without; right_over_absent: of those answered rightly.
    """
    made = np.isin(frames.sources, MADE)
    absent = said[~frames.present]
    raw = frames.sights[:, Sight._fields.index("score")]
    parts = {"annotated": ~made, "made": made}
    return {
        "frames": len(said),
        "recordings": len(np.unique(frames.recordings)),
        "absent": int((~frames.present).sum()),
        "right": float(np.average(frames.right, weights=frames.weights)),
        "calibration_error": reliability(said, frames.right, frames.weights).error,
        "calibration_error_of": {
            name: reliability(said[part], frames.right[part], frames.weights[part]).error
            for name, part in parts.items()
            if part.any()
        },
        "calibration_error_of_scores": reliability(raw, frames.right, frames.weights).error,
        "present_over_absent": area_under_roc(said[frames.present], absent),
        "right_over_absent": area_under_roc(said[frames.right], absent),
        "right_over_wrong": area_under_roc(said[frames.right], said[~frames.right]),
        "present_over_absent_of_scores": area_under_roc(raw[frames.present], raw[~frames.present]),
    }


def measurement(items: Rows[SightsItem], read_from: Rows[Path] = ()) -> Measurement:
    """The runs that a calibration is fitted on."""
    return Measurement(
        items=items,
        summarise=partial(_summarise, items=items),
        table=table,
        read_from=read_from,
        item_kind="runs",
    )


def gathered(out: Path, items: Rows[SightsItem], failed: Mapping[str, str]) -> Frames:
    """What the items have written to `out`."""
    done = [item.name for item in items if item.name not in failed and item.is_finished(out / item.name)]
    return Frames.of({name: read(out / name / SIGHTS_NAME) for name in done})


def _summarise(out: Path, failed: Mapping[str, str], *, items: Rows[SightsItem]) -> dict[str, Any]:
    frames = gathered(out, items, failed)
    return {
        "failed": dict(failed),
        "calibration": fit(frames).content,
        "unseen": figures(frames, said_unseen(frames)),
        "seen": sorted(set(frames.recordings.tolist())),
    }


def table(summary: Mapping[str, Any]) -> str:
    """The summary as text."""
    unseen, calibration = summary["unseen"], summary["calibration"]
    parts = ", ".join(f"{name} {error:.3f}" for name, error in unseen["calibration_error_of"].items())
    weights = ", ".join(f"{name} {value:+.3f}" for name, value in calibration["weights"].items())
    return "\n".join(
        [
            f"{unseen['frames']} frames of {unseen['recordings']} recordings, {unseen['absent']} without the target; "
            f"right {unseen['right']:.3f}",
            f"weights: {weights}, bias {calibration['bias']:+.3f}",
            "of recordings that the fit has not seen:",
            f"  expected calibration error   {unseen['calibration_error']:.3f} ({parts}); of the scores "
            f"{unseen['calibration_error_of_scores']:.3f}",
            f"  present over absent (AUC)    {_text(unseen['present_over_absent'])}; of the scores "
            f"{_text(unseen['present_over_absent_of_scores'])}",
            f"  right over absent, wrong     {_text(unseen['right_over_absent'])}, {_text(unseen['right_over_wrong'])}",
        ]
    )


def _text(value: float | None) -> str:
    return "none of either" if value is None else f"{value:.3f}"
