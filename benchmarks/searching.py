"""What looking for a lost target costs: milliseconds a frame while it is away over those while it is tracked.

    python benchmarks/searching.py --data ../shared/data [--tracker stmtrack_lite] [--seeds 0-2]

On made absences (docs/ABSENCES.md) of the kinds in which the camera cuts away. Both kinds of frames are of one run, so
that a noisy machine slows both; decoding is not counted, memorizing is.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import program
import torch

from stm_tracker_ros.cli.options import parse_seeds
from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box, Target
from stm_tracker_ros.data.absences.makers import absence_sequences
from stm_tracker_ros.data.absences.plan import Kind
from stm_tracker_ros.trackers import registry


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of eval/ and train_video/")
    parser.add_argument("--tracker", default="stmtrack_lite", choices=registry.names())
    parser.add_argument("--seeds", default="0-2", metavar="A-B", help="(default: %(default)s)")
    args = parser.parse_args()
    seeds = parse_seeds(args.seeds)
    torch.set_num_threads(1)
    tracker = registry.load(args.tracker).from_checkpoint()
    tracked, away = list[float](), list[float]()
    for made in absence_sequences(args.data, [Kind.CUT_BACK, Kind.CUT_ELSEWHERE], seeds):
        for index, frame in enumerate(made.frames()):
            if index == 0:
                tracker.init(frame, Target(box=Box(*map(float, made.boxes[0]))))
                continue
            started_ns = time.perf_counter_ns()
            result = tracker.track(frame)
            tracker.memorize()
            milliseconds = (time.perf_counter_ns() - started_ns) / 1e6
            if result.found and index < made.left:
                tracked.append(milliseconds)
            elif not result.found:
                away.append(milliseconds)
    if not tracked or not away:
        raise DataError(f"{len(tracked)} frames tracked and {len(away)} away on --seeds {args.seeds}; needed are both")
    usual, searching = statistics.median(tracked), statistics.median(away)
    print(
        f"{args.tracker}: tracked {usual:.1f} ms ({len(tracked)} frames), away {searching:.1f} ms ({len(away)} frames)"
    )
    print(f"searching over tracking: {searching / usual:.2f} (medians), {statistics.mean(away) / usual:.2f} (mean)")


if __name__ == "__main__":
    program.run(__file__, main)
