"""Ours minus a peer's success AUC, with its 95 % paired bootstrap interval by groups of sequences.

  python benchmarks/bootstrap_against_peers.py report/summary.json csrt.json kcf.json nano3.json --out intervals.json

The first file is the summary of `stm_tracker evaluate`, the others are written by peers.py on the same sequences.
Sequences that are parts of one video are drawn together.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.metrics import Interval, paired_bootstrap
from stm_tracker_ros.core.output_folder import write_new
from stm_tracker_ros.data.sequence import recording_of


def interval(ours: dict[str, dict], theirs: dict[str, dict]) -> Interval:
    """The interval of ours - theirs. Raises DataError if they were not run on the same sequences."""
    if set(ours) != set(theirs):
        raise DataError(f"sequences of one tracker only: {sorted(set(ours) ^ set(theirs))}; allowed are the same ones")
    short = [name for name in ours if ours[name]["frames"] != theirs[name]["frames"]]
    if short:
        raise DataError(f"sequences run to different lengths: {short}; allowed are the same frames")
    names = sorted(ours)
    figures = [[side[name]["success_auc"] for name in names] for side in (ours, theirs)]
    return paired_bootstrap(*figures, [recording_of(name) for name in names])


def main() -> None:
    """Print an interval for every peer, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("summary", type=Path)
    parser.add_argument("peers", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, help="JSON file of the intervals")
    args = parser.parse_args()
    ours = json.loads(args.summary.read_text())["sequences"]
    intervals = {path.stem: interval(ours, json.loads(path.read_text())) for path in args.peers}
    for name, (mean, low, high) in intervals.items():
        print(f"ours - {name:8} {mean:+.4f}   95 % interval [{low:+.4f}, {high:+.4f}]")
    if args.out:
        rows = {name: found._asdict() for name, found in intervals.items()}
        write_new(args.out, (json.dumps(rows, indent=1) + "\n").encode("ascii"))


if __name__ == "__main__":
    main()
