"""`stm_tracker calibrate`: make a probability of a tracker's score, and write it into a copy of its weights."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stm_tracker_ros.cli.compare import NO_MATPLOTLIB
from stm_tracker_ros.cli.options import (
    LoadedTracker,
    a_path,
    add_tracker_options,
    load_tracker,
    not_empty,
    parse_seeds,
    whole_number,
)
from stm_tracker_ros.cli.work import sha256, work_off_all
from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.core.output_folder import PART_SUFFIX, OutputFolder

if TYPE_CHECKING:
    from stm_tracker_ros.evaluation.sights import SightsItem

PICTURE_NAME = "reliability.png"

EPILOG = """\
reads  DIR/eval and DIR/train_video: the 62 development sequences, each from --starts frames spread over it, the made
       absences and the synthetic occlusions of the seeds given (docs/ABSENCES.md)
fits   P(the answered box overlaps with the true one by half or more), an absent target counting as wrong, on what the
       following stage knows of each answer; figures are of recordings that the fit has not seen
writes to the folder of --out:
  TRACKER.safetensors              the weights with this calibration: tensors as they were
  reliability.png                  what was said against what was right
  summary.json                     the calibration, and its figures
  <source>/<sequence>/.../sights.json
                                   what was known of every answer, and whether it was right
What cannot be read or run is named on stderr and under `failed` in summary.json, the calibration is of the rest, and
the exit status is 1. Ctrl-C keeps what is finished; the same command goes on from there. Weights that have a
calibration get a new one.

The shipped weights are calibrated by the first two examples (docs/RESULTS.md: how long that takes) and then copied from
there to stm_tracker_ros/weights.

examples:
  stm_tracker calibrate --tracker stmtrack_lite --data ../shared/data --threads 1 --out stmtrack_lite
  stm_tracker calibrate --tracker dmb_lite --data ../shared/data --starts 1 --max-frames 40 --absences 0 --out dmb_lite
  stm_tracker calibrate --tracker stmtrack --weights paper.safetensors --data ../shared/data --device cuda --out paper
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "calibrate",
        help="make a probability of a tracker's score",
        description="Fit how likely an answer is right, and write it into a copy of the tracker's weights.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=a_path, required=True, metavar="DIR", help="folder of eval/ and train_video/")
    parser.add_argument("--out", type=a_path, required=True, metavar="DIR", help="folder of the results")
    parser.add_argument(
        "--sequences", type=not_empty, metavar="A,B", help="these of the development sequences only (default: all)"
    )
    parser.add_argument(
        "--starts", type=whole_number, default=2, metavar="N", help="runs a sequence (default: %(default)s)"
    )
    parser.add_argument(
        "--max-frames", type=whole_number, default=100, metavar="N", help="frames of each (default: %(default)s)"
    )
    parser.add_argument(
        "--absences",
        type=not_empty,
        default="0-2",
        metavar="A,B-C",
        help="seeds of made absences (default: %(default)s)",
    )
    parser.add_argument(
        "--occlusions",
        type=not_empty,
        default="0-9",
        metavar="A,B-C",
        help="seeds of synthetic occlusions (default: %(default)s)",
    )
    parser.add_argument("--jobs", type=whole_number, default=1, metavar="N", help="processes (default: %(default)s)")
    add_tracker_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run, fit, write; 0, 1 when something could not be run, 130 when interrupted (nothing is fitted then)."""
    from stm_tracker_ros.evaluation import calibration, run_files
    from stm_tracker_ros.evaluation.run_settings import claim

    if args.jobs > 1 and args.threads is None:
        args.threads = 1
    failed: dict[str, str] = {}
    items, folders = _items(args, failed)
    measured = calibration.measurement(items, folders)
    inputs = [args.weights] if args.weights else []
    weights_name = f"{args.tracker}.safetensors"
    ours = (PICTURE_NAME, weights_name, weights_name + PART_SUFFIX)
    run_files.check(args.out, args.data, [item.name for item in items], inputs, folders, ours)
    loaded = load_tracker(args)
    if loaded.weights is None:
        raise CheckpointError(f"{args.tracker!r} has no weights that a calibration could stand in")
    settings = _settings(args, loaded, loaded.weights)
    claim(args.out, settings)
    if status := work_off_all(args, loaded, measured, failed):
        return status
    # First, for of what is left there may be nothing that a calibration can be fitted on.
    for name, reason in failed.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    summary = {**settings, **measured.summarise(args.out, failed)}
    files = OutputFolder(args.out)
    files.write(run_files.SUMMARY_NAME, (json.dumps(summary, indent=1) + "\n").encode("utf-8"))
    _write_weights(files, weights_name, loaded.weights, args.tracker, summary)
    _draw(files, args.tracker, items, failed)
    print(f"{measured.table(summary)}\n{args.out / weights_name}")
    return int(bool(failed))


def _items(args: argparse.Namespace, failed: dict[str, str]) -> tuple[list[SightsItem], list[Path]]:
    """The runs, and the folders that they read; sequences that cannot be read are noted in `failed`, name: why."""
    from stm_tracker_ros.data.absences.makers import development_set
    from stm_tracker_ros.data.sequence import read_development
    from stm_tracker_ros.evaluation import sights

    absences = parse_seeds(args.absences, "--absences")
    occlusions = parse_seeds(args.occlusions, "--occlusions")
    sequences = read_development(args.data, args.sequences.split(",") if args.sequences else None, failed)
    development_set(args.data, failed)
    runs = sights.items(sequences, args.starts, args.max_frames, args.data, absences, occlusions)
    return runs, [folder for sequence in sequences for folder in sequence.read_from]


def _settings(args: argparse.Namespace, loaded: LoadedTracker, weights: Path) -> dict[str, Any]:
    return {
        "tracker": loaded.name,
        "weights": weights.name,
        "weights_sha256": sha256(weights),
        "settings": dict(loaded.changes),
        "device": loaded.device,
        "precision": loaded.precision,
        "threads": loaded.threads,
        "data": str(args.data.resolve()),
        "sequences": args.sequences,
        "starts": args.starts,
        "max_frames": args.max_frames,
        "absences": args.absences,
        "occlusions": args.occlusions,
    }


def _write_weights(files: OutputFolder, name: str, weights: Path, tracker: str, summary: dict[str, Any]) -> None:
    """A copy of the weights with the calibration; it is there only when it is whole."""
    from stm_tracker_ros.following.calibration import Calibration
    from stm_tracker_ros.trackers import checkpoint

    unseen = summary["unseen"]
    words = (
        f"{unseen['frames']} frames of {unseen['recordings']} recordings by `stm_tracker calibrate`, expected "
        f"calibration error {unseen['calibration_error']:.3f} on recordings that the fit has not seen"
    )
    made = checkpoint.calibrated(weights, tracker, Calibration.of(summary["calibration"]), words)
    files.write(name + PART_SUFFIX, made)
    files.replace(name + PART_SUFFIX, name)


def _draw(files: OutputFolder, tracker: str, items: list[SightsItem], failed: dict[str, str]) -> None:
    """The diagram; none, and a line on stderr, where matplotlib is missing."""
    from stm_tracker_ros.evaluation import calibration

    if importlib.util.find_spec("matplotlib") is None:
        print(NO_MATPLOTLIB.format(python=sys.executable), file=sys.stderr)
        return
    from stm_tracker_ros.evaluation.calibration_plot import draw

    frames = calibration.gathered(files.path, items, failed)
    with files.new(PICTURE_NAME) as picture:
        draw(tracker, frames, calibration.said_unseen(frames), picture)
