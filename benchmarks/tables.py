"""What the papers' tables have in common at our scale: rows trained alike, flown by multi-start on the development set.

`dmv_tables.py` and `siamstm_tables.py` have the rows. What is finished is not done again: other steps, samples or
weights need an --out of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stm_tracker_ros.cli.main import main as stm_tracker
from stm_tracker_ros.evaluation import compare
from stm_tracker_ros.evaluation.results import read_evaluated
from stm_tracker_ros.trackers import registry

SAMPLES = 12_000


@dataclass(frozen=True)
class Row:
    """A tracker with something changed.

    theirs: the paper's figure; trained, flown: settings of the recipe and of the tracker; weights_of: the row whose
    weights it has, empty where they are its own.
    """

    name: str
    words: str
    theirs: str = ""
    trained: Mapping[str, object] = field(default_factory=dict)
    flown: Mapping[str, object] = field(default_factory=dict)
    weights_of: str = ""


@dataclass(frozen=True)
class Tables:
    """Those of one tracker; in each the row that the others are compared with is the one named in `bases`.

    trained: rows with weights of their own; flown: rows of the shipped, or given, weights.
    """

    tracker: str
    trained: Mapping[str, Sequence[Row]]
    flown: Mapping[str, Sequence[Row]]
    bases: Mapping[str, str]


def parse(words: str | None, tables: Tables) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", choices=(*tables.trained, *tables.flown), required=True)
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


def trained(args: argparse.Namespace, tracker: str, row: Row) -> Path:
    """The row's weights."""
    out = args.out / "trained" / row.name
    weights = out / f"{tracker}.safetensors"
    if not weights.exists():
        share(weights, out)
        settings = {
            "steps": args.steps,
            "cached_samples": args.samples,
            "start_encoder": args.start_encoder,
            "validate_minutes": 0,
            **row.trained,
        }
        changes = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        where = ["--data", str(args.data), "--out", str(out), "--device", "cpu", "--threads", "1"]
        run(["train", tracker, *where, *changes])
    return weights


def share(weights: Path, out: Path) -> None:
    """Give a row that has not begun the samples of one that is finished, as further names of the same files.

    weights: where the row's own will lie, in `out`. The lists of files too: whoever writes begins a new one.
    """
    finished = sorted(out.parent.glob(f"*/{weights.name}"))
    for folder in ("pack", "features"):
        if finished and not (out / folder).exists():
            shutil.copytree(finished[0].parent / folder, out / folder, copy_function=os.link)


def flown(args: argparse.Namespace, tracker: str, row: Row, weights: Path) -> Path:
    """The row's results; `evaluate` flies what is missing, and refuses those of other weights or settings."""
    out = args.out / "flown" / row.name
    changes = [word for name, value in row.flown.items() for word in ("--set", f"{name}={value}")]
    given = ["--tracker", tracker, "--weights", str(weights), "--threads", "1", "--jobs", str(args.jobs)]
    frames = ["--development", "--starts", str(args.starts), "--max-frames", str(args.max_frames)]
    run(["evaluate", "--data", str(args.data), "--out", str(out), *given, *frames, *changes])
    return out


def table(rows: Sequence[Row], results: Mapping[str, Path], base: str) -> str:
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


def main(words: str | None, tables: Tables) -> None:
    """Train and fly the rows of a table, and print it; words: what --help says."""
    args = parse(words, tables)
    args.out = args.out / tables.tracker  # of another tracker features and rows of the same name are others
    is_trained = args.table in tables.trained
    known = {**tables.trained, **tables.flown}[args.table]
    chosen = args.rows.split(",") if args.rows else [row.name for row in known]
    if unknown := set(chosen) - {row.name for row in known}:
        raise SystemExit(f"unknown rows {', '.join(sorted(unknown))}; known: {', '.join(row.name for row in known)}")
    rows = [row for row in known if row.name in chosen]
    shipped = registry.load(tables.tracker).shipped_weights
    if is_trained and args.start_encoder is None:
        raise SystemExit("--start-encoder is needed for rows that are trained")
    by_name, given = {row.name: row for row in known}, args.weights or shipped
    if is_trained:
        weights = {row.name: trained(args, tables.tracker, by_name[row.weights_of or row.name]) for row in rows}
    elif given is None:
        raise SystemExit(f"--weights is needed: none come with {tables.tracker}")
    else:
        weights = dict.fromkeys(by_name, given)
    if not args.train_only:
        results = {row.name: flown(args, tables.tracker, row, weights[row.name]) for row in rows}
        print(table(rows, results, tables.bases[args.table]))
