"""The tables of DMV's paper at our scale: rows trained alike and measured by multi-start on the development set.

  python benchmarks/dmv_tables.py --table reads --data ../shared/data --out tables \\
      --start-encoder stm_tracker_ros/weights/stmtrack_lite.safetensors

Every row is `dmv_lite` with one thing changed, trained on the same features in the same few steps (`--steps`, which the
paper's rows are not), then flown over the 62 development sequences, two starts of 100 frames each. `capacity`
(Table 5), `background` (Fig. 4), `first` and `labels` change how given weights are flown. What is finished is not done
again.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from stm_tracker_ros.cli.main import main as stm_tracker
from stm_tracker_ros.evaluation import compare
from stm_tracker_ros.evaluation.results import read_evaluated
from stm_tracker_ros.trackers import registry

SAMPLES = 12_000
BASE = "vote"


@dataclass(frozen=True)
class Row:
    """theirs: AUC of the paper on OTB-100; trained, flown: settings of the recipe and of the tracker."""

    name: str
    words: str
    theirs: str = ""
    trained: dict[str, object] = field(default_factory=dict)
    flown: dict[str, object] = field(default_factory=dict)


_VOTE = Row(BASE, "voting, K = 4, memory (the base)", ".699 (K = 4: .658)")
_FIRST = {"memory.policy": "first"}
TABLES = {
    "reads": [  # Table 1
        Row("softmax", "softmax (STM)", ".535", {"network.read.kind": "softmax"}),
        Row("mlp", "top-K and MLP (CPNet)", ".612", {"network.read.kind": "mlp"}),
        _VOTE,
    ],
    "values": [  # the two readings of the hard top-K
        Row("printed", "picked values as they are", "", {"network.read.values": "printed"}),
        _VOTE,
    ],
    "memory": [  # Table 2
        Row("alone", "no memory: trained and flown on the first frame", ".651", {"longest": 2}, _FIRST),
        _VOTE,
    ],
    "candidates": [  # Table 4
        Row("k1", "K = 1", ".636", {"network.read.candidates": 1}),
        Row("k2", "K = 2", ".626", {"network.read.candidates": 2}),
        _VOTE,
        Row("k8", "K = 8", ".666", {"network.read.candidates": 8}),
        Row("k16", "K = 16", ".687", {"network.read.candidates": 16}),
        Row("k32", "K = 32", ".692", {"network.read.candidates": 32}),
    ],
}
CAPACITIES, INTERVALS = (2, 4, 8, 16, 32), (1, 2, 5, 10, 20, 30, 50)
FLOWN = {
    "capacity": [  # Table 5
        Row(
            f"c{slots}_i{interval}",
            f"{slots} frames, one in {interval}",
            flown={"memory.slots": slots, "memory.interval": interval},
        )
        for slots in CAPACITIES
        for interval in INTERVALS
    ],
    "background": [  # Fig. 4
        Row("c32_i30", "with background"),
        Row("no_background", "cells beside the target are zero", "", {}, {"memory.background": "false"}),
    ],
    "first": [  # what the memory is worth to the same weights
        Row("c32_i30", "full memory"),
        Row("first", "the first frame only", "", {}, _FIRST),
    ],
    "labels": [
        Row("c32_i30", "scores of what is followed"),
        Row("printed_labels", "all scores from 0.5 on", "", {}, {"memory.label": "printed"}),
    ],
}


def parse() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", choices=(*TABLES, *FLOWN), required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of eval/, train_video/, clips/ and stills")
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and results; goes on where it was")
    parser.add_argument("--rows", help="A,B: these only, by name")
    parser.add_argument("--steps", type=int, default=1500, help="of the training of a row (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="whose features are made (default: %(default)s)")
    parser.add_argument("--start-encoder", type=Path, help="weights whose backbone and neck all rows have")
    parser.add_argument("--weights", type=Path, help="of rows that are only flown (default: the shipped ones)")
    parser.add_argument("--starts", type=int, default=2)
    parser.add_argument("--max-frames", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--train-only", action="store_true")
    return parser.parse_args()


def run(words: list[str]) -> None:
    """A command of ours; ends where it fails."""
    if status := stm_tracker(words):
        raise SystemExit(status)


def trained(args: argparse.Namespace, row: Row) -> Path:
    """The row's weights."""
    out = args.out / "trained" / row.name
    weights = out / "dmv_lite.safetensors"
    if not weights.exists():
        out.mkdir(parents=True, exist_ok=True)
        for shared in ("pack", "features"):
            (args.out / shared).mkdir(exist_ok=True)
            if not (out / shared).exists():
                os.symlink((args.out / shared).resolve(), out / shared)
        settings = {
            "steps": args.steps,
            "cached_samples": args.samples,
            "start_encoder": args.start_encoder,
            "validate_minutes": 0,
            **row.trained,
        }
        changes = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        run(
            [
                "train",
                "dmv_lite",
                "--data",
                str(args.data),
                "--out",
                str(out),
                "--device",
                "cpu",
                "--threads",
                "1",
                *changes,
            ]
        )
    return weights


def flown(args: argparse.Namespace, row: Row, weights: Path) -> Path:
    """The row's results."""
    out = args.out / "flown" / row.name
    if not (out / "summary.json").exists():
        changes = [word for name, value in row.flown.items() for word in ("--set", f"{name}={value}")]
        given = ["--tracker", "dmv_lite", "--weights", str(weights), "--threads", "1", "--jobs", str(args.jobs)]
        frames = ["--development", "--starts", str(args.starts), "--max-frames", str(args.max_frames)]
        run(["evaluate", "--data", str(args.data), "--out", str(out), *given, *frames, *changes])
    return out


def table(rows: list[Row], results: dict[str, Path], base: str) -> str:
    """In Markdown: every row's AUC, and what it is less the base, with the paired interval."""
    lines = ["| row | theirs | success AUC | robustness | minus the base |", "|---|---|---|---|---|"]
    for row in rows:
        summary = json.loads((results[row.name] / "summary.json").read_text())
        less = ""
        if row.name != base and base in results:
            low_high = compare.pair(read_evaluated([results[base], results[row.name]])).compare("success_auc")
            mean, low, high = low_high.minus_first(1)
            less = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
        figures = f"{summary['success_auc']:.4f} | {summary['robustness']:.3f}"
        lines.append(f"| {row.words} | {row.theirs} | {figures} | {less} |")
    return "\n".join(lines)


def main() -> None:
    """Train and fly the rows of a table, and print it."""
    args = parse()
    is_trained = args.table in TABLES
    known = {**TABLES, **FLOWN}[args.table]
    chosen = args.rows.split(",") if args.rows else [row.name for row in known]
    if unknown := set(chosen) - {row.name for row in known}:
        raise SystemExit(f"unknown rows {', '.join(sorted(unknown))}; known: {', '.join(row.name for row in known)}")
    rows = [row for row in known if row.name in chosen]
    shipped = registry.load("dmv_lite").shipped_weights
    if is_trained and args.start_encoder is None:
        raise SystemExit("--start-encoder is needed for rows that are trained")
    if not is_trained and not (args.weights or shipped):
        raise SystemExit("--weights is needed: none come with dmv_lite")
    weights = {row.name: trained(args, row) if is_trained else args.weights or shipped for row in rows}
    if not args.train_only:
        results = {row.name: flown(args, row, weights[row.name]) for row in rows}
        print(table(rows, results, BASE if is_trained else "c32_i30"))


if __name__ == "__main__":
    main()
