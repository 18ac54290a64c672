"""How many times the time of another commit a frame does one of our trackers take?

One thread each, each in its own interpreter, taking turns frame by frame, the first one in turn as well. Per sequence
the ratio of the medians, then the median over sequences; by the wall's clock, and by the time that each one's thread
was given, which on a machine that others use is the one to read.

  git worktree add /tmp/other COMMIT
  python benchmarks/speed_against_commit.py --data ../shared/data/eval --other /tmp/other --out speed.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import program
from turns import Worker

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.output_folder import refuse_existing, write_new
from stm_tracker_ros.data.sequence import read_sequences
from stm_tracker_ros.trackers import registry

HERE = Path(__file__).resolve().parent
PACKAGE = "stm_tracker_ros"
SETTLING = 5  # frames at the start that are not counted: the memory fills


def parse() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of sequences")
    parser.add_argument("--other", type=Path, required=True, help="checkout of the other commit")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the results")
    parser.add_argument("--tracker", default="stmtrack_lite", choices=registry.names())
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--sequences", help="A,B: these only")
    parser.add_argument("--frames", type=int, default=60, help="a sequence, at most")
    args = parser.parse_args()
    if not (args.other / PACKAGE).is_dir():  # its interpreter would take the package that is installed, and say nothing
        parser.error(
            f"--other {args.other} holds no {PACKAGE}; needed is a checkout: git worktree add {args.other} COMMIT"
        )
    if args.frames <= SETTLING:
        parser.error(f"--frames {args.frames} is not allowed; allowed are more than {SETTLING}, which are not counted")
    return args


def worker(checkout: Path, args: argparse.Namespace) -> Worker:
    """An interpreter that runs the package of that checkout, with the weights that it ships."""
    options = ["--tracker", args.tracker, "--threads", "1", "--precision", args.precision]
    command = [sys.executable, str(HERE / "frame_worker.py"), *options]
    return Worker(command, PYTHONPATH=str(checkout.resolve()))


def ratios(pair: tuple[Worker, Worker], path: Path, count: int) -> list[float]:
    """Ours over theirs in one sequence: ratio of the median times by the wall's clock and by the threads' own.

    Raises DataError if it is too short.
    """
    times: tuple[list[list[float]], list[list[float]]] = ([], [])
    for index in range(count):
        for which in ((0, 1), (1, 0))[index % 2]:
            times[which].append(pair[which].send(path=None if index else str(path)))
        if not times[0][-1]:
            break
    if sum(map(bool, times[0])) <= SETTLING:
        raise DataError(f"{path} has no more than {SETTLING} frames, which are not counted")
    ours, theirs = (np.median([both for both in side[SETTLING:] if both], 0) for side in times)
    return [float(ratio) for ratio in ours / theirs]


def main() -> None:
    """Run, print the ratios, and write them."""
    args = parse()
    refuse_existing(args.out)
    sequences = read_sequences(args.data, args.sequences.split(",") if args.sequences else None)
    pair = worker(HERE.parent, args), worker(args.other, args)
    found = {}
    for sequence in sequences:
        found[sequence.name] = ratios(pair, sequence.path.resolve(), args.frames)
        print(f"{sequence.name:32} wall {found[sequence.name][0]:.3f} thread {found[sequence.name][1]:.3f}", flush=True)
    for one in pair:
        one.close()
    wall, thread = np.median(list(found.values()), 0)
    summary = {"wall": float(wall), "thread": float(thread), "sequences": found}
    write_new(args.out, (json.dumps(summary, indent=1) + "\n").encode("ascii"))
    print(f"{args.tracker} takes {wall:.3f} times the time of {args.other} by the wall, {thread:.3f} by the thread")


if __name__ == "__main__":
    program.run(__file__, main)
