"""How many times the time of another commit a frame does one of our trackers take?

As speed_against_nanotrack.py: one thread each, each in its own interpreter, taking turns sequence by sequence; per
sequence the ratio of the 20th percentiles, the median over sequences, the median of the runs.

  git worktree add /tmp/other COMMIT
  python benchmarks/speed_against_commit.py --data ../shared/data/eval --other /tmp/other --out speed.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from speed_against_nanotrack import run_once, summarise
from turns import Worker

from stm_tracker_ros.core.output_folder import refuse_existing, write_new
from stm_tracker_ros.data.sequence import read_sequences

HERE = Path(__file__).resolve().parent


def parse() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of sequences")
    parser.add_argument("--other", type=Path, required=True, help="checkout of the other commit")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the results")
    parser.add_argument("--tracker", default="stmtrack_lite")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--sequences", help="A,B: these only")
    parser.add_argument("--max-frames", type=int)
    parser.add_argument("--runs", type=int, default=3)
    return parser.parse_args()


def worker(checkout: Path, args: argparse.Namespace) -> Worker:
    """An interpreter that runs the package of that checkout, with the weights that it ships."""
    script = checkout.resolve() / "benchmarks" / "tracker_worker.py"
    options = ["--tracker", args.tracker, "--threads", "1", "--precision", args.precision]
    return Worker([sys.executable, str(script), *options], PYTHONPATH=str(checkout.resolve()))


def main() -> None:
    """Run, print the ratios, and write them."""
    args = parse()
    refuse_existing(args.out)
    sequences = read_sequences(args.data, args.sequences.split(",") if args.sequences else None)
    ours, theirs = worker(HERE.parent, args), worker(args.other, args)
    runs = [run_once(ours, theirs, sequences, args) for _ in range(args.runs)]
    ours.close()
    theirs.close()
    summary = summarise(runs)
    write_new(args.out, (json.dumps(summary, indent=1) + "\n").encode("ascii"))
    print(f"{args.tracker} takes {summary['ratio']:.3f} times the time of {args.other}; runs {summary['runs']}")


if __name__ == "__main__":
    main()
