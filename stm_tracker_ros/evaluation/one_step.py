"""What can the network alone do? True region, memory of true boxes: one step at a time, so that no error feeds back.

In every `STRIDE`-th frame a crop is cut about the true box, off it as in flight, and the best candidate of the raw
scores is compared with the truth; then the frame is remembered with the true box, when the matcher wants one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stm_tracker_ros.core import boxes as arithmetic
from stm_tracker_ros.core.errors import ConfigError, DataError
from stm_tracker_ros.core.matching import Evidence, Floats, Look
from stm_tracker_ros.core.numbering import nominal_number
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.data.sequence import Sequence
from stm_tracker_ros.evaluation.run_files import STEPS_NAME
from stm_tracker_ros.evaluation.work import Measurement
from stm_tracker_ros.following.follower import Follower
from stm_tracker_ros.following.seen import in_image
from stm_tracker_ros.parts.crop import cut, mean_colour

STRIDE = 5  # frames from one that is looked at to the next: the cadence of the trackers' memories
CENTER_ERROR, SIZE_ERROR = 0.07, 0.14  # deviations in flight: of the centre over the size, of the sides' logarithms
SHARES = (0.0, 0.5, 0.7, 0.85, 0.95, 1.05)
ON_TARGET, OFF_TARGET = 0.5, 0.1  # overlap with the truth from which a candidate is the target, below which it is not


@dataclass(frozen=True, kw_only=True)
class Step:
    """One look.

    score, overlap, log_sides: of the candidate with the best score; its overlap with the truth, and the logarithms of
    its sides over the true ones. target, distractor: best scores on and off the target, NaN where no candidate is.
    """

    frame: int
    score: float
    overlap: float
    log_sides: tuple[float, float]
    target: float
    distractor: float


@dataclass(frozen=True, kw_only=True)
class StepsItem:
    """The looks of one sequence as a piece of work."""

    sequence: Sequence
    fps: float
    max_frames: int | None = None

    @property
    def name(self) -> str:
        """The sequence's."""
        return self.sequence.name

    @property
    def frames(self) -> int:
        """How many it has; each `STRIDE`-th is looked at."""
        return len(self.sequence.boxes[: self.max_frames])

    def run(self, tracker: Tracker, folder: Path) -> Iterator[int]:
        """Write steps.json. Raises ConfigError for a tracker that is not followed with by the following stage."""
        if not isinstance(tracker, Follower):
            raise ConfigError("--one-step asks the matcher of a tracker; allowed is one of the following stage")
        steps = []
        for step in one_step(tracker, self.sequence, fps=self.fps, max_frames=self.max_frames):
            steps.append(step)
            yield step.frame + 1
        if not steps:
            raise DataError(f"{self.name} has no frame to look at; allowed is one of each {STRIDE} with the target")
        OutputFolder(folder).write(STEPS_NAME, (json.dumps([asdict(step) for step in steps]) + "\n").encode("ascii"))

    def is_finished(self, folder: Path) -> bool:
        """Whether `folder` holds its steps."""
        return (folder / STEPS_NAME).is_file()


def measurement(sequences: list[Sequence], fps: float, max_frames: int | None) -> Measurement:
    """The looks of every sequence."""
    return Measurement(
        items=[StepsItem(sequence=sequence, fps=fps, max_frames=max_frames) for sequence in sequences],
        summarise=partial(_summarise, sequences=sequences),
        table=table,
        read_from=[folder for sequence in sequences for folder in sequence.read_from],
    )


def table(summary: Mapping[str, Any]) -> str:
    """The summary as text: a line for every sequence, then all; empty where none was finished."""
    if not summary["sequences"]:
        return ""
    rows = [(name, row["looks"], row["overlap"]) for name, row in summary["sequences"].items()]
    rows.append(("all", sum(row[1] for row in rows), summary["overlap"]))
    width = max(len(row[0]) for row in rows)
    lines = [f"{name:{width}} {looks:6d} {overlap:8.4f}" for name, looks, overlap in rows]
    told = summary["score_auc"]
    words = "none has both" if told is None else f"{told:.4f}"
    return "\n".join(
        [f"{'':{width}} {'looks':>6} {'overlap':>8}", *lines, f"score of target over distractor (AUC): {words}"]
    )


def _summarise(out: Path, failed: Mapping[str, str], *, sequences: list[Sequence]) -> dict[str, Any]:
    done = [s.name for s in sequences if s.name not in failed and (out / s.name / STEPS_NAME).is_file()]
    if not done:
        return {"sequence_count": 0, "failed": dict(failed), "sequences": {}}
    return {"failed": dict(failed), **summarise_steps({name: _read(out / name / STEPS_NAME) for name in done})}


def _read(path: Path) -> list[Step]:
    return [Step(**row) for row in json.loads(path.read_text(encoding="ascii"))]


def one_step(follower: Follower, sequence: Sequence, *, fps: float, max_frames: int | None = None) -> Iterator[Step]:
    """The looks of a sequence, drawn from a seed of their own: the same for every tracker with such crops."""
    draw = np.random.default_rng(0)
    matcher = follower.matcher
    first: tuple[int, tuple[float, float, float]] | None = None
    with closing(sequence.frames(fps, max_frames)) as stream:
        index = -1
        for frame in stream:
            index += 1 + frame.gap
            true = sequence.boxes[index]
            if not np.isfinite(true).all() or not (true[2:] > 0).all():
                continue
            box = Box(*true.tolist())
            if first is None:
                fill = mean_colour(frame, box.center, _side(box, follower.config.search.scale))
                first = frame.stamp_ns, fill
                matcher.start(_look(frame, 1, box, fill, follower), Target(box=box))
            elif index % STRIDE == 0:
                number = nominal_number(frame.stamp_ns - first[0])
                look = _look(frame, number, _perturbed(box, draw), first[1], follower)
                yield _step(follower, look, index, box)


def summarise_steps(steps: dict[str, list[Step]]) -> dict[str, Any]:
    """Means over sequences of the overlap, and how surely a score tells target from distractor (area under ROC)."""
    rows = {
        name: {"looks": len(looks), "overlap": float(np.mean([look.overlap for look in looks]))}
        for name, looks in steps.items()
        if looks
    }
    looks = [look for sequence in steps.values() for look in sequence]
    target, distractor = (np.array([getattr(look, name) for look in looks]) for name in ("target", "distractor"))
    return {
        "sequence_count": len(rows),
        "overlap": float(np.mean([row["overlap"] for row in rows.values()])),
        "size_noise": size_noise(steps.values()),
        "score_auc": area_under_roc(target[np.isfinite(target)], distractor[np.isfinite(distractor)]),
        "sequences": rows,
    }


def size_noise(sequences: Iterable[list[Step]]) -> list[dict[str, float]]:
    """How far the size of a found target is to be believed: variance of the logarithms of its sides, by its score.

    share: score over the sequence's median, from `SHARES` on.
    """
    found = [
        (look.score / float(np.median([one.score for one in looks])), *look.log_sides)
        for looks in sequences
        for look in looks
        if look.overlap >= ON_TARGET
    ]
    table = np.array(found).reshape(-1, 3)
    bins = np.digitize(table[:, 0], SHARES)
    return [
        {"share": share, "looks": int((bins == index).sum()), "variance": float(table[bins == index, 1:].var())}
        for index, share in enumerate(SHARES, start=1)
        if (bins == index).any()
    ]


def area_under_roc(positive: Floats, negative: Floats) -> float | None:
    """Probability that a positive scores more than a negative; equal ones count half (Mann and Whitney 1947).

    None where there is none of either.
    """
    if not positive.size or not negative.size:
        return None
    order = np.sort(negative)
    below = np.searchsorted(order, positive, "left") + np.searchsorted(order, positive, "right")
    return float(below.mean() / 2 / len(order))


def _look(frame: Frame, number: int, box: Box, fill: tuple[float, float, float], follower: Follower) -> Look:
    side = _side(box, follower.config.search.scale)
    patch, crop = cut(frame, box.center, side, follower.matcher.crop_size, fill)
    return Look(frame=frame, number=number, crop=crop, patch=patch, fill=fill, expected=box)


def _perturbed(box: Box, draw: np.random.Generator) -> Box:
    """The box as a tracker would expect it: off by what trackers are off by."""
    size = np.array(box[2:])
    x, y = box.center + draw.normal(0, CENTER_ERROR, 2) * size
    width, height = size * np.exp(draw.normal(0, SIZE_ERROR, 2))
    return arithmetic.from_center(float(x), float(y), float(width), float(height))


def _side(box: Box, search_scale: float) -> float:
    return search_scale * float(np.sqrt(box.width * box.height))


def _step(follower: Follower, look: Look, index: int, true: Box) -> Step:
    matcher = follower.matcher
    seen = matcher.match([look])[0]
    places = in_image(seen)
    overlap = np.asarray(arithmetic.iou(tuple(true), places))
    scores, best = seen.scores * seen.trust, int((seen.scores * seen.trust).argmax())
    nearest = int(overlap.argmax())
    matcher.settle(look, seen, nearest, float(scores[nearest]))
    matcher.remember(look, seen, nearest, true, Evidence(1.0, 1.0))
    sides = np.log(places[best, 2:] / true[2:])
    on, off = scores[overlap >= ON_TARGET], scores[overlap < OFF_TARGET]
    return Step(
        frame=index,
        score=float(scores[best]),
        overlap=float(overlap[best]),
        log_sides=(float(sides[0]), float(sides[1])),
        target=float(on.max()) if on.size else float("nan"),
        distractor=float(off.max()) if off.size else float("nan"),
    )
