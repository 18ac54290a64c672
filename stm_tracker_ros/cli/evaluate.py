"""`stm_tracker evaluate`: measure a tracker on annotated videos, or on made occlusions."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stm_tracker_ros.cli.options import (
    LoadedTracker,
    add_tracker_options,
    load_tracker,
    rate,
    whole_number,
)
from stm_tracker_ros.core.errors import ConfigError, DataError
from stm_tracker_ros.core.output_folder import OutputFolder

if TYPE_CHECKING:
    from stm_tracker_ros.data.sequence import Sequence

EPILOG = """\
reads  DIR as it lies there, the layout is found out:
  ours      <source>/<sequence>/ or <sequence>/ with groundtruth.txt (a line x,y,w,h a frame, from 0; nan = absent)
            beside video.mp4 or images (right there, in img/, color/ or frames/; numbers in the order of numbers);
            for J and F, mask/%06d.png (numbered from 1, non-zero = target) where it is there
  OTB       <Sequence>/img/ and groundtruth_rect.txt; boxes from 1 become ours, from 0
  UAV123    data_seq/ and anno/, also UAV123_10fps and UAV20L; boxes from 1 become ours; parts by the benchmark's list
  GOT-10k   val/ (or train/), absent frames by its labels; of test/ only the first boxes are public: refused
  DAVIS     JPEGImages/ and Annotations/, a sequence an object; val of ImageSets/2017 or 2016, else train, else all
A sequence that cannot be run (a video cut short, images missing, no target on the first frame) is named on stderr and
under `failed` in summary.json, the others are done, and the exit status is 1. A frame that cannot be read is shown to
no tracker and counts as missed: state UNREADABLE in trajectory.csv, `unreadable` in summary.json.
writes to the folder of --out:
  <source>/<sequence>/trajectory.csv     frame,stamp_ns,x,y,width,height,score,state,theta,size_x,size_y
                                         (the last three: rotated box of trackers with masks, else nan)
  <source>/<sequence>/masks/%06d.png     masks of trackers that have them, numbered like `frame`, from 0
  <source>/<sequence>/milliseconds.csv   track + memorize of every frame, decoding excluded
  summary.json                           figures of all, of groups (aerial, tiny, long) and of every sequence;
                                         j_mean, f_mean (DAVIS) where both tracker and sequence have masks
Ctrl-C keeps the finished sequences; the same command goes on from there. Files there that no run wrote, or that were
changed since, are never overwritten: the command is refused.

examples:
  stm_tracker evaluate --data ../shared/data/eval --out report --threads 1
  stm_tracker evaluate --data ../shared/data/eval --out quick --sequences Bolt,UAVDT/S0310 --max-frames 100
  stm_tracker evaluate --data ../shared/data/eval --out flight --real-time --fps 30
  stm_tracker evaluate --data ../shared/data/eval --out masks --init mask --tracker dmb_lite
  stm_tracker evaluate --data ../shared/data --out occlusions --occlusions
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a tracker on annotated videos",
        description="One-pass evaluation: every sequence once, started from its first true box.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the sequences")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the results")
    parser.add_argument("--sequences", metavar="A,B", help="these only, by name, source or source/name")
    parser.add_argument(
        "--development",
        action="store_true",
        help="the 62 sequences on which choices are made: all of DIR/eval, the validation ones of DIR/train_video",
    )
    parser.add_argument(
        "--starts",
        type=whole_number,
        metavar="N",
        help="N runs a sequence, from frames spread over it, the later ones backward, of 300 frames at most",
    )
    parser.add_argument("--max-frames", type=whole_number, metavar="N", help="the first N frames of each run only")
    parser.add_argument("--fps", type=rate, default=30.0, help="rate that the stamps follow (default: %(default)g)")
    parser.add_argument(
        "--init",
        choices=("box", "mask"),
        default="box",
        help="what of the first frame's truth names the target; mask: on the sequences that have masks, the others "
        "are left out (default: %(default)s)",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--real-time", action="store_true", help="a simulated camera of --fps does not wait for the tracker"
    )
    mode.add_argument(
        "--occlusions",
        action="store_true",
        help="made occlusions instead: does it still say TRACKING when the target is covered? DIR holds train_video/",
    )
    add_tracker_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate; the exit status.

    0 when all sequences are done, 1 when some could not be run, 130 when interrupted (what is finished has been
    scored).
    """
    from stm_tracker_ros.evaluation import run_files
    from stm_tracker_ros.evaluation.run_settings import claim

    if args.occlusions and (args.sequences or args.max_frames):
        raise ConfigError("--occlusions has sequences of its own; --sequences and --max-frames are not allowed with it")
    if args.occlusions and (args.starts or args.development):
        raise ConfigError("--occlusions has sequences of its own; --starts and --development are not allowed with it")
    if args.occlusions and args.init == "mask":
        raise ConfigError("--occlusions has no true masks; allowed with it is --init box")
    sequences = [] if args.occlusions else _sequences(args)
    runs = _runs(args, sequences)
    read = [args.weights] if args.weights else []
    run_files.check(args.out, args.data, _names(args, runs), read, [one for s in sequences for one in s.read_from])
    loaded = load_tracker(args)
    settings = _settings(args, loaded)
    claim(args.out, settings)
    if args.occlusions:
        return _evaluate_occlusions(args, loaded, settings)
    failed: dict[str, str] = {}
    status = _until_interrupted(lambda: _run_all(args, loaded, runs, failed))
    if failed or any((args.out / run.name / "trajectory.csv").is_file() for run in runs):
        _report(args, settings, sequences, failed)
    return status or int(bool(failed))


def _runs(args: argparse.Namespace, sequences: list[Sequence]) -> list[Sequence]:
    """What is run: the sequences, or their runs from several starts."""
    from stm_tracker_ros.data.starts import runs_of

    if args.starts is None:
        return sequences
    return [run for sequence in sequences for run in runs_of(sequence, args.starts, args.max_frames)]


def _names(args: argparse.Namespace, runs: list[Sequence]) -> list[str]:
    """Those of all folders of results."""
    from stm_tracker_ros.data.synthetic import OCCLUSION_SEEDS, name_of

    return [name_of(seed) for seed in OCCLUSION_SEEDS] if args.occlusions else [one.name for one in runs]


def _sequences(args: argparse.Namespace) -> list[Sequence]:
    from stm_tracker_ros.data.sequence import read_development, read_sequences

    read = read_development if args.development else read_sequences
    found = read(args.data, args.sequences.split(",") if args.sequences else None)
    if args.init == "box":
        return found
    masked = [sequence for sequence in found if sequence.mask_paths]
    if not masked:
        raise DataError(f"none of {len(found)} sequences in {args.data} has masks; allowed with them is --init box")
    if len(masked) < len(found):
        print(f"--init mask: {len(masked)} of {len(found)} sequences have masks; the others are left out")
    return masked


def _settings(args: argparse.Namespace, loaded: LoadedTracker) -> dict[str, Any]:
    return {
        "tracker": loaded.name,
        "weights": None if loaded.weights is None else loaded.weights.name,
        "weights_sha256": None if loaded.weights is None else _sha256(loaded.weights),
        "settings": dict(loaded.changes),
        "device": loaded.device,
        "precision": loaded.precision,
        "threads": loaded.threads,
        "data": str(args.data),
        "fps": args.fps,
        "init": args.init,
        "max_frames": args.max_frames,
        "starts": args.starts,
        "development": args.development or None,
        "real_time": args.real_time,
        "occlusions": args.occlusions,
    }


def _sha256(weights: Path) -> str:
    import hashlib

    return hashlib.sha256(weights.read_bytes()).hexdigest()


def _until_interrupted(work: Callable[[], None]) -> int:
    try:
        work()
    except KeyboardInterrupt:
        return 130
    return 0


def _run_all(args: argparse.Namespace, loaded: LoadedTracker, runs: list[Sequence], failed: dict[str, str]) -> None:
    from stm_tracker_ros.evaluation.one_pass import one_pass

    steps = one_pass(
        loaded.tracker,
        runs,
        args.out,
        state_config=loaded.state_config,
        fps=args.fps,
        max_frames=args.max_frames,
        real_time=args.real_time,
        init=args.init,
        note_failure=lambda name, error: failed.update({name: str(error)}),
    )
    _show_progress(steps, sum(len(sequence.boxes[: args.max_frames]) for sequence in runs))


def _show_progress(steps: Iterator[tuple[str, int]], total: int) -> None:
    from tqdm import tqdm

    done_before: dict[str, int] = {}
    with tqdm(total=total, desc="evaluate", unit="frame", mininterval=1) as bar:
        for name, done in steps:
            bar.set_postfix_str(name, refresh=False)
            bar.update(done - done_before.get(name, 0))
            done_before[name] = done


def _report(
    args: argparse.Namespace, settings: Mapping[str, Any], sequences: list[Sequence], failed: Mapping[str, str]
) -> None:
    from stm_tracker_ros.data.starts import runs_of
    from stm_tracker_ros.evaluation.report import summarise, summarise_starts, table

    if args.starts:
        runs = {sequence.name: runs_of(sequence, args.starts, args.max_frames) for sequence in sequences}
        summary = summarise_starts(args.out, sequences, runs, failed)
    else:
        summary = summarise(args.out, sequences, args.max_frames, failed)
    print(f"{table(summary)}\n{_write(args.out, {**settings, **summary})}")
    for name, reason in failed.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {len(sequences)} sequences failed and are in no figure", file=sys.stderr)


def _evaluate_occlusions(args: argparse.Namespace, loaded: LoadedTracker, settings: Mapping[str, Any]) -> int:
    from stm_tracker_ros.evaluation.occlusions import occlusion_table, run_occlusions, summarise_occlusions

    scores: list[Any] = []
    run_all = run_occlusions(loaded.tracker, args.data, args.out, state_config=loaded.state_config)
    status = _until_interrupted(lambda: scores.extend(run_all))
    if scores:
        summary = summarise_occlusions(scores)
        _write(args.out, {**settings, **summary})
        print(occlusion_table(summary))
    return status


def _write(out: Path, summary: Mapping[str, Any]) -> Path:
    from stm_tracker_ros.evaluation.run_files import SUMMARY_NAME

    OutputFolder(out).write(SUMMARY_NAME, (json.dumps(summary, indent=1) + "\n").encode("utf-8"))
    return out / SUMMARY_NAME
