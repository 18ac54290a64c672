"""The runs of late_targets.py by a clock that the tracker alone moves: each of its frames costs so many milliseconds.

  .venv/bin/python benchmarks/late_targets_simulated.py --data ../shared/data/eval --cost-ms 35 [--budget-ms 500]

Footage, tracker, worker and replay are the real ones; ROS, threads and what else the machine does are left out, so that
every run gives the same figures.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import program
from late_targets import LATE_S, RATE_HZ, SEQUENCES, SPEEDS, Footage, overlap_of

from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Frame, Pixels, Result, Target
from stm_tracker_ros.data.sequence import read_sequences
from stm_tracker_ros.engine.catch_up import Cost
from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.engine.history import Offered
from stm_tracker_ros.engine.names import TargetNames
from stm_tracker_ros.engine.replay import Replay
from stm_tracker_ros.engine.set_target import TargetRequest
from stm_tracker_ros.engine.stats import Stats
from stm_tracker_ros.engine.target_track import Answer
from stm_tracker_ros.engine.worker import Hooks, Worker
from stm_tracker_ros.trackers import registry

PERIOD_NS = 1e9 / RATE_HZ
KEPT, BEGIN = 60, 100  # images in the history, and before the target is named


class Run(NamedTuple):
    """speed: px/s. overlap: of the first box that goes out; 0 without one."""

    late_s: float
    speed: float
    overlap: float
    frames_replayed: int


class Stage:
    """Camera, clock and tracker of one run; the tracker takes `cost_ns` a frame, and as much again to start."""

    def __init__(self, tracker: Tracker, footage: Footage, speed: float, cost_ns: int) -> None:
        self._tracker, self._footage, self._speed, self._cost_ns = tracker, footage, speed, cost_ns
        self.now_ns = round(BEGIN * PERIOD_NS)
        self._shots: dict[int, tuple[Pixels, Box]] = {}

    @property
    def newest(self) -> int:
        """Number of the last image."""
        return int(self.now_ns // PERIOD_NS)

    def shot(self, number: int) -> tuple[Pixels, Box]:
        """Image and truth."""
        if number not in self._shots:
            radius = min(self._footage.size) / 4
            angle = number * self._speed / radius / RATE_HZ
            x, y = (side / 2 for side in self._footage.size)
            place = x + radius * math.cos(angle), y + radius * math.sin(angle)
            self._shots[number] = self._footage.picture(number, place)
        return self._shots[number]

    def offered(self, number: int) -> Offered[int]:
        """The image as it reaches the engine."""
        at_ns = round(number * PERIOD_NS)
        return Offered(message=number, stamp_ns=at_ns, arrival_ns=at_ns, received_ns=at_ns, nbytes=1, position=number)

    def kept(self, position: int) -> list[Offered[int]]:
        """The images behind that place."""
        first = max(position + 1, self.newest - KEPT)
        return [self.offered(number) for number in range(first, self.newest + 1)]

    def init(self, frame: Frame, target: Target) -> Result:
        """As Tracker.init."""
        self.now_ns += 2 * self._cost_ns
        return self._tracker.init(frame, target)

    def track(self, frame: Frame) -> Result:
        """As Tracker.track."""
        self.now_ns += self._cost_ns
        return self._tracker.track(frame)

    def memorize(self) -> None:
        """As Tracker.memorize."""
        self._tracker.memorize()

    def confirm(self, box: Box) -> None:
        """As Tracker.confirm."""
        self._tracker.confirm(box)

    def reconfigure(self, config: Any) -> None:
        """As Tracker.reconfigure."""
        self._tracker.reconfigure(config)


def run(stage: Stage, speed: float, late_s: float, budget_ns: int, cost_ns: int) -> Run:
    """Name the target late, go through what was kept, track one live image."""
    published: list[Answer[int]] = []
    hooks = Hooks(
        convert=lambda number, _: stage.shot(number)[0],
        publish=published.append,
        show=lambda message, image, state: None,
        on_fault=print,
        clock_ns=lambda: stage.now_ns,
        steady_ns=lambda: stage.now_ns,
        is_device_error=lambda _: False,
        same_picture=lambda one, other: one == other,
        names=TargetNames(),
    )
    worker = Worker(stage, hooks, Stats(), EngineConfig())
    worker.activate(True)
    for number in range(BEGIN - KEPT, BEGIN):
        worker.handle(stage.offered(number))
    named = stage.offered(BEGIN - round(late_s * RATE_HZ))
    answer = worker.begin(TargetRequest(box=stage.shot(named.position)[1]), named)
    cost = Cost()
    for _ in range(KEPT):
        cost.add(cost_ns)
    end_ns = stage.now_ns + budget_ns
    replay = Replay(worker, stage.kept, named, answer, end_ns=end_ns, cost=cost, steady_ns=lambda: stage.now_ns)
    while replay.step(lambda: stage.offered(stage.newest)):
        pass
    live = stage.newest
    worker.handle(stage.offered(live))
    place = published[0].place
    overlap = 0.0 if place is None else overlap_of(place.box, stage.shot(live)[1])
    return Run(late_s, speed, overlap, replay.answer().frames_replayed)


def row(name: str, runs: Sequence[Run]) -> str:
    """Of a cell, or of all."""
    share = 100 * np.mean([run.overlap >= 0.5 for run in runs])
    return f"| {name} | {len(runs)} | {share:.0f} | {np.median([run.frames_replayed for run in runs]):.0f} |"


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sequences", nargs="+", default=list(SEQUENCES))
    parser.add_argument("--tracker", default="stmtrack_lite")
    parser.add_argument("--cost-ms", type=float, default=35.0, help="of a frame")
    parser.add_argument("--budget-ms", type=float, default=1000.0, help="history.budget_ms")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    registry.set_threads(1)
    tracker = registry.load(options.tracker).from_checkpoint(None, device="cpu")
    cost_ns, budget_ns = round(options.cost_ms * 1e6), round(options.budget_ms * 1e6)
    runs: list[Run] = []
    print("| cell | runs | first >= .5 | replayed |", "|---|---|---|---|", sep="\n")
    for sequence in read_sequences(options.data, options.sequences):
        footage, first = Footage(sequence, (640, 480), None), len(runs)
        for late_s, speed in itertools.product(LATE_S, SPEEDS):
            runs.append(run(Stage(tracker, footage, speed, cost_ns), speed, late_s, budget_ns, cost_ns))
        print(row(sequence.name, runs[first:]), flush=True)
    for late_s in LATE_S:
        print(row(f"{late_s:g} s", [run for run in runs if run.late_s == late_s]))
    for speed in SPEEDS:
        print(row(f"{speed:g} px/s", [run for run in runs if run.speed == speed]))
    print(row("all", runs))


if __name__ == "__main__":
    program.run(__file__, main)
