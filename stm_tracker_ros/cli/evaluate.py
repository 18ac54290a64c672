"""`stm_tracker evaluate`: measure a tracker on annotated videos, on synthetic occlusions, or on made absences."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stm_tracker_ros.cli.options import (
    LoadedTracker,
    a_path,
    add_tracker_options,
    load_tracker,
    not_empty,
    parse_seeds,
    rate,
    state_config,
    whole_number,
)
from stm_tracker_ros.cli.work import sha256, work_off_all
from stm_tracker_ros.core.errors import ConfigError, DataError
from stm_tracker_ros.core.output_folder import OutputFolder

if TYPE_CHECKING:
    from stm_tracker_ros.data.sequence import Sequence
    from stm_tracker_ros.engine.config import StateConfig
    from stm_tracker_ros.evaluation.work import Measurement

EPILOG = """\
reads  DIR as it lies there, the layout is found out:
  ours      <source>/<sequence>/ or <sequence>/ with groundtruth.txt (a line x,y,w,h a frame, from 0; nan = absent)
            beside video.mp4 or images (right there, in img/, color/ or frames/; numbers in the order of numbers);
            for J and F, mask/%06d.png (numbered from 1, non-zero = target) where it is there
  OTB       <Sequence>/img/ and groundtruth_rect.txt; boxes from 1 become ours, from 0
  UAV123    data_seq/ and anno/, also UAV123_10fps and UAV20L; boxes from 1 become ours; parts by the benchmark's list
  GOT-10k   val/ (or train/), absent frames by its labels; of test/ only the first boxes are public: refused
  DAVIS     JPEGImages/ and Annotations/, a sequence an object; val of ImageSets/2017 or 2016, else train, else all
A sequence that cannot be run (boxes that cannot be read, a video cut short, images missing, no target on the first
frame) is named on stderr and under `failed` in summary.json, the others are done, and the exit status is 1. A frame
that cannot be read is shown to no tracker and counts as missed: state UNREADABLE in trajectory.csv, `unreadable` in
summary.json.
writes to the folder of --out:
  <source>/<sequence>/trajectory.csv     frame,stamp_ns,x,y,width,height,score,state,theta,size_x,size_y
                                         (the last three: rotated box of trackers with masks, else nan)
  <source>/<sequence>/masks/%06d.png     masks of trackers that have them, numbered like `frame`, from 0
  <source>/<sequence>/milliseconds.csv   track + memorize of every frame, decoding excluded
  summary.json                           figures of all, of groups (aerial, tiny, long) and of every sequence;
                                         j_mean, f_mean (DAVIS) where both tracker and sequence have masks
with --starts N   <source>/<sequence>/start_%06d/ holds the files of one run, numbered by the frame that it starts at:
                  frame k * (n - 1) / (N - 1) of n, or the nearest one with the target in it, forward in the first half,
                  backward in the second, for 300 frames at most, stamps from 0. In summary.json a sequence has the
                  means over its `runs`, all the mean over sequences; `robustness` is the share of frames before the
                  first of 10 in a row with an overlap below 0.1 (1 if there are none): VOT2020's idea of many starts
with --occlusions occlusion/<seed>/ holds trajectory.csv, masks/ and score.json; summary.json has `false_tracking_rate`
                  (TRACKING, of the frames from the 11th fully covered one on); an occlusion that a sequence is in
                  which cannot be read is `failed`
with --absences   absence/<kind>/<seed>/ holds the same; docs/ABSENCES.md says what the figures mean. A sequence that
                  cannot be read is `failed`, and absences are made of the others: not those of the whole data
with --one-step   <source>/<sequence>/steps.json; summary.json has `overlap` of the raw best candidate in a true region,
                  jittered as in flight, with a memory of true boxes; `score_auc`, how surely a score tells target from
                  distractor; `size_noise`, how far a size is to be believed, by its score
Ctrl-C keeps what is finished and scores it, whatever --jobs; the same command goes on from there. Of a process that
dies (memory, kill) the item that it was at is `failed`, and the others go on. Files there that no run wrote, or that
were changed since, are never overwritten: the command is refused.

examples:
  stm_tracker evaluate --data ../shared/data --development --starts 5 --jobs 2 --out ruler    # where a choice is made
  stm_tracker evaluate --data ../shared/data --development --one-step --jobs 2 --out one_step
  stm_tracker evaluate --data ../shared/data --development --starts 5 --oracle-memory --jobs 2 --out oracle
  stm_tracker evaluate --data ../shared/data/eval --out report --threads 1
  stm_tracker evaluate --data ../shared/data/eval --out quick --sequences Bolt,UAVDT/S0310 --max-frames 100
  stm_tracker evaluate --data ../shared/data/eval --out flight --real-time --fps 30
  stm_tracker evaluate --data ../shared/data/eval --out masks --init mask --tracker dmb_lite
  stm_tracker evaluate --data ../shared/data --out occlusions --occlusions --seeds 20-170 --jobs 2
  stm_tracker evaluate --data ../shared/data --out absences --absences --seeds 0-4 --jobs 2
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a tracker on annotated videos",
        description="One-pass evaluation: every sequence once, started from its first true box; or several times, from "
        "frames spread over it (--starts).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=a_path, required=True, metavar="DIR", help="folder of the sequences")
    parser.add_argument("--out", type=a_path, required=True, metavar="DIR", help="folder of the results")
    parser.add_argument("--sequences", type=not_empty, metavar="A,B", help="these only, by name, source or source/name")
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
    _add_modes(parser)
    parser.add_argument(
        "--oracle-memory", action="store_true", help="remember the true boxes: what better labels would bring"
    )
    parser.add_argument("--kinds", type=not_empty, metavar="A,B", help="of --absences (default: all; docs/ABSENCES.md)")
    parser.add_argument(
        "--seeds",
        type=not_empty,
        metavar="A,B-C",
        help="of --occlusions (default: the ten committed ones, 0-9), or --absences (of every kind; 0-19)",
    )
    parser.add_argument(
        "--jobs",
        type=whole_number,
        default=1,
        metavar="N",
        help="processes that share the work, each with a tracker and --threads (then 1 by default) of its own; times "
        "a frame are longer for it (default: %(default)s)",
    )
    add_tracker_options(parser)
    parser.set_defaults(run=run)


def _add_modes(parser: argparse.ArgumentParser) -> None:
    """What is run in place of one pass over the sequences."""
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--real-time", action="store_true", help="a simulated camera of --fps does not wait for the tracker"
    )
    mode.add_argument(
        "--occlusions",
        action="store_true",
        help="synthetic occlusions instead: does it still say TRACKING when the target is covered? DIR holds "
        "train_video/",
    )
    mode.add_argument(
        "--absences",
        action="store_true",
        help="made absences instead: the target is away for 1 to 30 s; DIR holds eval/ and train_video/",
    )
    mode.add_argument(
        "--one-step",
        action="store_true",
        help="true region and memory of true boxes at every step: what the network alone can do",
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate; the exit status.

    0 when all is done, 1 when something could not be run, 130 when interrupted (what is finished has been scored).
    """
    from stm_tracker_ros.evaluation import run_files
    from stm_tracker_ros.evaluation.run_settings import claim

    _refuse_mixtures(args)
    if args.jobs > 1 and args.threads is None:
        args.threads = 1
    measured = _measurement(args)
    asked, inputs = _asked(args), [args.weights] if args.weights else []
    names = [item.name for item in measured.items]
    run_files.check(args.out, args.data, names, inputs, measured.read_from, settings=asked)
    loaded = load_tracker(args)
    settings = {**_of_tracker(loaded), **asked}
    claim(args.out, settings)
    failed = dict(measured.failed)
    status = work_off_all(args, loaded, measured, failed)
    if failed or any(item.is_finished(args.out / item.name) for item in measured.items):
        failed = _report(args.out, settings, measured, failed)
    return status or int(bool(failed))


def _refuse_mixtures(args: argparse.Namespace) -> None:
    """Raises ConfigError for options that do not go together."""
    made = "--occlusions" if args.occlusions else "--absences" if args.absences else ""
    if made and (args.sequences or args.max_frames or args.starts or args.development):
        raise ConfigError(
            f"{made} has sequences of its own; --sequences, --max-frames, --starts and --development are not "
            "allowed with it"
        )
    if made and args.init == "mask":
        raise ConfigError(f"{made} has no true masks; allowed with it is --init box")
    if args.seeds and not made:
        raise ConfigError("--seeds names what is made; allowed is it with --occlusions and --absences")
    if args.kinds and not args.absences:
        raise ConfigError("--kinds names those of made absences; allowed is it with --absences")
    if args.one_step and (args.starts or args.init == "mask"):
        raise ConfigError("--one-step looks at each sequence once, from its box; --starts and --init are not for it")
    if args.oracle_memory and (args.one_step or made or args.real_time):
        raise ConfigError("--oracle-memory is for plain runs, also with --starts; allowed is it without other modes")
    if args.real_time and args.jobs > 1:
        raise ConfigError("--real-time measures time, which processes take from each other; allowed is --jobs 1")


def _measurement(args: argparse.Namespace) -> Measurement:
    """What is to be done."""
    from stm_tracker_ros.data.synthetic import OCCLUSION_SEEDS
    from stm_tracker_ros.evaluation import multi_start, occlusions, one_pass, one_step

    state = state_config(args)
    if args.occlusions:
        seeds = parse_seeds(args.seeds) if args.seeds else OCCLUSION_SEEDS
        return occlusions.measurement(args.data, seeds, state)
    if args.absences:
        return _absences(args, state)
    options = one_pass.Options(
        state_config=state,
        fps=args.fps,
        max_frames=args.max_frames,
        real_time=args.real_time,
        init=args.init,
        oracle_memory=args.oracle_memory,
    )
    failed: dict[str, str] = {}
    sequences = _sequences(args, failed)
    if args.one_step:
        measured = one_step.measurement(sequences, args.fps, args.max_frames)
    elif args.starts:
        measured = multi_start.measurement(sequences, args.starts, options)
    else:
        measured = one_pass.measurement(sequences, options)
    return replace(measured, failed={**failed, **measured.failed})


def _absences(args: argparse.Namespace, state: StateConfig) -> Measurement:
    from stm_tracker_ros.data.absences.plan import ABSENCE_SEEDS, Kind, kinds_of
    from stm_tracker_ros.evaluation import absence_items

    kinds = kinds_of(args.kinds.split(",")) if args.kinds else tuple(Kind)
    seeds = parse_seeds(args.seeds) if args.seeds else ABSENCE_SEEDS
    return absence_items.measurement(args.data, kinds, seeds, state)


def _sequences(args: argparse.Namespace, failed: dict[str, str]) -> list[Sequence]:
    """Those that can be read; the others are noted in `failed`, name: why."""
    from stm_tracker_ros.data.sequence import read_development, read_sequences

    read = read_development if args.development else read_sequences
    found = read(args.data, args.sequences.split(",") if args.sequences else None, failed)
    if args.init == "box":
        return found
    masked = [sequence for sequence in found if sequence.mask_paths]
    if not masked:
        raise DataError(f"none of {len(found)} sequences in {args.data} has masks; allowed with them is --init box")
    if len(masked) < len(found):
        print(f"--init mask: {len(masked)} of {len(found)} sequences have masks; the others are left out")
    return masked


def _of_tracker(loaded: LoadedTracker) -> dict[str, Any]:
    """The settings that only a loaded tracker tells."""
    return {
        "tracker": loaded.name,
        "weights": None if loaded.weights is None else loaded.weights.name,
        "weights_sha256": None if loaded.weights is None else sha256(loaded.weights),
        "settings": dict(loaded.changes),
        "device": loaded.device,
        "precision": loaded.precision,
        "threads": loaded.threads,
    }


def _asked(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that do not depend on the tracker."""
    return {
        "data": str(args.data.resolve()),
        "fps": args.fps,
        "init": args.init,
        "max_frames": args.max_frames,
        "starts": args.starts,
        "development": args.development or None,
        "real_time": args.real_time,
        "occlusions": args.occlusions,
        "absences": args.absences or None,
        "made_kinds": args.kinds,
        "made_seeds": args.seeds,
        "one_step": args.one_step or None,
        "oracle_memory": args.oracle_memory or None,
    }


def _report(out: Path, settings: Mapping[str, Any], measured: Measurement, failed: Mapping[str, str]) -> dict[str, str]:
    """Score, write and tell; gives what failed, what cannot be scored included."""
    from stm_tracker_ros.evaluation.run_files import SUMMARY_NAME

    summary = measured.summarise(out, failed)
    OutputFolder(out).write(SUMMARY_NAME, (json.dumps({**settings, **summary}, indent=1) + "\n").encode("utf-8"))
    print(f"{measured.table(summary)}\n{out / SUMMARY_NAME}")
    failures = {**failed, **summary.get("failed", {})}
    for name, reason in failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    if failures:
        every = {item.name for item in measured.items} | set(failures)
        print(f"{len(failures)} of {len(every)} {measured.item_kind} failed and are in no figure", file=sys.stderr)
    return failures
