"""How many times NanoTrack v3's time a frame does one of our trackers take?

One thread each, each in its own interpreter, taking turns sequence by sequence; per sequence the ratio of the 20th
percentiles, the median over sequences, the median of three runs. Absolute times mean nothing on a shared machine.

  python benchmarks/speed_against_nanotrack.py --data ../shared/data/eval --peers ../shared/tools/peers.py \\
      --peers-python PEERS_VENV/bin/python --out speed.json

PEERS_VENV holds opencv-contrib-python-headless==4.14.0.94 and onnxruntime: NanoTrack's time depends on the version.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import nanotrack
import numpy as np
import program
from turns import Worker

from stm_tracker_ros.cli.options import whole_number
from stm_tracker_ros.core.output_folder import refuse_existing, write_new
from stm_tracker_ros.data.sequence import Sequence, read_sequences
from stm_tracker_ros.evaluation.speed import median_ratio, percentiles, ratio_of_p20
from stm_tracker_ros.trackers import registry

HERE = Path(__file__).resolve().parent


def parse() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of sequences")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the results")
    parser.add_argument("--tracker", default="stmtrack_lite", choices=registry.names())
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--sequences", help="A,B: these only")
    parser.add_argument("--max-frames", type=whole_number)
    parser.add_argument("--runs", type=whole_number, default=3)
    args = nanotrack.parsed(parser)
    if args.max_frames == 1:
        parser.error("--max-frames 1 is not allowed; allowed are 2 and more: the first one is not counted")
    return args


def run_once(ours: Worker, theirs: Worker, sequences: list[Sequence], args: argparse.Namespace) -> dict[str, dict]:
    """Times a frame of both on every sequence; who goes first alternates."""
    times: dict[str, dict[str, list[float]]] = {"ours": {}, "theirs": {}}
    pairs = (("ours", ours), ("theirs", theirs))
    for index, sequence in enumerate(sequences):
        for side, worker in pairs if index % 2 == 0 else pairs[::-1]:
            times[side][sequence.name] = worker.ask(sequence.path.resolve(), args.max_frames)
        ratio = ratio_of_p20(times["ours"][sequence.name], times["theirs"][sequence.name])
        print(f"{sequence.name:32} {ratio:.3f}", flush=True)
    return times


def summarise(runs: list[dict[str, dict]]) -> dict[str, object]:
    """The ratio of every run, their median, and the ratio of every sequence (median over runs)."""
    ratios = [median_ratio(times["ours"], times["theirs"]) for times in runs]
    by_sequence = {
        name: float(np.median([ratio_of_p20(t["ours"][name], t["theirs"][name]) for t in runs]))
        for name in runs[0]["ours"]
    }
    milliseconds = {
        side: percentiles(np.concatenate([np.concatenate(list(t[side].values())) for t in runs]))
        for side in ("ours", "theirs")
    }
    return {"ratio": float(np.median(ratios)), "runs": ratios, "sequences": by_sequence, "ms_per_frame": milliseconds}


def main() -> None:
    """Run, print the ratios, and write them."""
    args = parse()
    refuse_existing(args.out)
    sequences = read_sequences(args.data, args.sequences.split(",") if args.sequences else None)
    weights = ["--weights", str(args.weights)] if args.weights else []
    command = [sys.executable, str(HERE / "tracker_worker.py"), "--tracker", args.tracker, "--threads", "1", *weights]
    ours = Worker(command, PYTHONPATH=str(HERE.parent))
    theirs = nanotrack.worker(args)
    runs = [run_once(ours, theirs, sequences, args) for _ in range(args.runs)]
    ours.close()
    theirs.close()
    summary = summarise(runs)
    write_new(args.out, (json.dumps(summary, indent=1) + "\n").encode("ascii"))
    print(f"{args.tracker} takes {summary['ratio']:.3f} times NanoTrack v3's time a frame; runs {summary['runs']}")


if __name__ == "__main__":
    program.run(__file__, main)
