"""Working off the pieces of an evaluation, in this process or several, with a bar; Ctrl-C keeps what is finished."""

from __future__ import annotations

import argparse
import hashlib
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stm_tracker_ros.cli.options import LoadedTracker, load_tracker
from stm_tracker_ros.core.surroundings import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from stm_tracker_ros.core.protocol import Tracker
    from stm_tracker_ros.evaluation.work import Measurement, Progress


def work_off_all(args: argparse.Namespace, loaded: LoadedTracker, measured: Measurement, failed: dict[str, str]) -> int:
    """Do all items, by `args.jobs` processes, results to `args.out`; what cannot be done is noted in `failed`.

    Gives the exit status: 0, or that of an interruption.
    """
    try:
        _work_off(args, loaded, measured, failed)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def sha256(weights: Path) -> str:
    """Fingerprint of a file, hexadecimal."""
    return hashlib.sha256(weights.read_bytes()).hexdigest()


def _work_off(args: argparse.Namespace, loaded: LoadedTracker, measured: Measurement, failed: dict[str, str]) -> None:
    from stm_tracker_ros.evaluation.processes import share_out
    from stm_tracker_ros.evaluation.work import work_off

    def note(name: str, error: Exception) -> None:
        failed[name] = str(error)

    if args.jobs > 1:
        steps = share_out(measured.items, partial(_tracker, args), args.out, args.jobs, note)
    else:
        steps = work_off(measured.items, loaded.tracker, args.out, note)
    with closing(steps):
        _show_progress(steps, sum(item.frames for item in measured.items))


def _tracker(args: argparse.Namespace) -> Tracker:
    """What a process of its own follows with."""
    return load_tracker(args).tracker


def _show_progress(steps: Progress, total: int) -> None:
    from tqdm import tqdm

    done_before: dict[str, int] = {}
    with tqdm(total=total, desc="evaluate", unit="frame", mininterval=1) as bar:
        for name, done in steps:
            bar.set_postfix_str(name, refresh=False)
            bar.update(done - done_before.get(name, 0))
            done_before[name] = done
