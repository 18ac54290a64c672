"""Where a tracker's time goes, and how much of it the engine saves: it and its plain network, frame by frame in turn.

Plain means the modules one by one as they are written: batch norms on their own, images in the common layout, the
memory collected and read as matmul, softmax, matmul, fp32, no gradients. On a shared machine single times mean
nothing, and the ratio of the 20th percentiles of two that took turns means most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Frame, Target
from stm_tracker_ros.evaluation.speed import percentiles, ratio_of_p20
from stm_tracker_ros.parts.stages import StageTimes, listening

POST = "post"  # whatever no stage claims: the choice among the candidates, the state, Python
RANKS = ("p20", "p50", "p95")
NONE = dict.fromkeys(RANKS, 0.0)  # of a stage that one of the two has had no frame with
FILL_FRAMES = 12  # before the clock starts: by then every segment of the memory has its frame


@dataclass
class Times:
    """Milliseconds of each frame: of track, of memorize, and of the stages of both, in the order that they came in."""

    track: list[float] = field(default_factory=list)
    memorize: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    post: list[float] = field(default_factory=list)

    @property
    def total(self) -> list[float]:
        """Track and memorize."""
        return [first + second for first, second in zip(self.track, self.memorize, strict=True)]

    def note(self, track_ms: float, memorize_ms: float, stages: dict[str, float]) -> None:
        """Add one frame."""
        rest = track_ms + memorize_ms - sum(stages.values())
        for name in stages:
            self.stages.setdefault(name, [0.0] * len(self.track))
        for name, values in self.stages.items():
            values.append(stages.get(name, 0.0))
        self.post.append(rest)
        self.track.append(track_ms)
        self.memorize.append(memorize_ms)


class Runner:
    """One tracker on its way through the frames. synchronize: waits for its device."""

    def __init__(self, tracker: Tracker, synchronize: Callable[[], None]) -> None:
        self.tracker, self.times = tracker, Times()
        self._stages = StageTimes(synchronize)

    def start(self, frames: Sequence[Frame], target: Target) -> None:
        """Init on the first frame, and fill the memory with the others."""
        self.tracker.init(frames[0], target)
        for frame in frames[1:]:
            self.tracker.track(frame)
            self.tracker.memorize()

    def step(self, frame: Frame) -> None:
        """Track, then learn, with the clock on both and on their stages."""
        self._stages.milliseconds.clear()
        with listening(self._stages):
            started_ns = time.perf_counter_ns()
            self.tracker.track(frame)
            self._stages.synchronize()
            answered_ns = time.perf_counter_ns()
            self.tracker.memorize()
            self._stages.synchronize()
            done_ns = time.perf_counter_ns()
        track_ms, memorize_ms = (answered_ns - started_ns) / 1e6, (done_ns - answered_ns) / 1e6
        self.times.note(track_ms, memorize_ms, dict(self._stages.milliseconds))


def take_turns(first: Runner, second: Runner, frames: Iterable[Frame]) -> None:
    """Give every frame to both; who goes first alternates, for the first one finds the image out of the caches."""
    pair = (first, second)
    for index, frame in enumerate(frames):
        for runner in pair if index % 2 == 0 else pair[::-1]:
            runner.step(frame)


def summary(ours: Times, plain: Times) -> dict[str, Any]:
    """Figures for the report: ours, the plain network's, and the ratios of the 20th percentiles."""
    return {
        "frames": len(ours.track),
        "ours": _figures(ours),
        "plain": _figures(plain),
        "ratio_total": ratio_of_p20(ours.total, plain.total),
        "ratio_latency_over_plain_total": ratio_of_p20(ours.track, plain.total),
    }


def _figures(times: Times) -> dict[str, Any]:
    rows = {**times.stages, POST: times.post, "latency": times.track, "memorize": times.memorize, "total": times.total}
    figures: dict[str, Any] = {name: _ranks(values) for name, values in rows.items()}
    figures["frames_per_second"] = 1000 / float(np.median(times.total))
    return figures


def _ranks(values: Sequence[float]) -> dict[str, float]:
    found = percentiles(values)
    return {rank: found[rank] for rank in RANKS}


def table(report: dict[str, Any]) -> str:
    """The report's figures side by side as lines of text, milliseconds."""
    head = f"{'ms':16}" + "".join(f"{who + ' ' + rank:>12}" for who in ("ours", "plain") for rank in RANKS)
    lines = [head]
    for name in (name for name, ranks in report["ours"].items() if isinstance(ranks, dict)):
        cells = [report[who].get(name, NONE)[rank] for who in ("ours", "plain") for rank in RANKS]
        lines.append(f"{name:16}" + "".join(f"{cell:12.2f}" for cell in cells))
    return "\n".join(lines)
