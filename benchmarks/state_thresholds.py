"""What thresholds of the states are worth, on the runs that `stm_tracker calibrate` has left behind.

  python benchmarks/state_thresholds.py cal/siamstm_lite --states .8,.75,.5 --states .7,.6,.4

Probabilities are those of fits on the other recordings. A row: shares of a run's frames, mean over runs, and what they
are less those of the first row, with the paired interval by recording. Frames that nobody judges are not there.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import program
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import ConfigError, DataError
from stm_tracker_ros.core.metrics import paired_bootstrap
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.engine.target_state import State, TargetState
from stm_tracker_ros.evaluation import calibration, sights
from stm_tracker_ros.evaluation.run_files import SIGHTS_NAME

PERIOD_NS = 33_333_333
SHARES = ("TRACKING and right", "right and no box", "TRACKING and wrong, in sight", "TRACKING and absent")


def thresholds(text: str) -> StateConfig:
    """TRACKING, UNCERTAIN, LOST as in `state.*_score`. Raises ConfigError."""
    try:
        tracking, uncertain, lost = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--states {text!r} is not allowed; allowed are three scores, such as .8,.75,.5") from None
    return StateConfig(tracking_score=tracking, uncertain_score=uncertain, lost_score=lost)


def shares(config: StateConfig, said: NDArray[np.float64], run: sights.Judged) -> list[float]:
    """Of one run, in the order of SHARES."""
    judge = TargetState(config, 0)
    states = [judge.update(float(score), (frame + 1) * PERIOD_NS) for frame, score in enumerate(said)]
    tracking = np.array([state == State.TRACKING for state in states])
    shown = np.array([state.has_valid_box for state in states])
    wrong = ~run.right & run.present
    flags = (tracking & run.right, run.right & ~shown, tracking & wrong, tracking & ~run.present)
    return [float(flag.mean()) for flag in flags]


def print_of(words: str, runs: Mapping[str, sights.Judged], found: Mapping[str, NDArray[np.float64]]) -> None:
    """One table, of these runs."""
    print(f"{words}, {len(runs)} runs\n| thresholds | {' | '.join(SHARES)} |\n|---|---|---|---|---|")
    recordings, first = [run.recording for run in runs.values()], next(iter(found.values()))
    for text, values in found.items():
        cells = []
        for column in range(len(SHARES)):
            mean, low, high = paired_bootstrap(values[:, column], first[:, column], recordings)
            less = f", {mean:+.3f} [{low:+.3f}, {high:+.3f}]" if values is not first else ""
            cells.append(f"{values[:, column].mean():.3f}{less}")
        print(f"| {text} | {' | '.join(cells)} |")


def main() -> None:
    """Read, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of `stm_tracker calibrate`")
    parser.add_argument("--states", action="append", required=True, metavar="T,U,L", help="may be repeated")
    args = parser.parse_args()
    judges = {text: thresholds(text) for text in args.states}
    paths = sorted(args.folder.rglob(SIGHTS_NAME))
    if not paths:
        raise DataError(f"{args.folder} holds no {SIGHTS_NAME}; needed is a folder of `stm_tracker calibrate`")
    every = {str(path.parent.relative_to(args.folder)): sights.read(path) for path in paths}
    runs = {name: run for name, run in every.items() if len(run.right)}
    said = calibration.said_unseen(calibration.Frames.of(runs))
    each = dict(zip(runs, np.split(said, np.cumsum([len(run.right) for run in runs.values()])[:-1]), strict=True))
    for words, is_made in (("annotated video", False), ("made absences and occlusions", True)):
        some = {name: run for name, run in runs.items() if (name.split("/")[0] in calibration.MADE) == is_made}
        found = {
            text: np.array([shares(judge, each[name], run) for name, run in some.items()])
            for text, judge in judges.items()
        }
        if some:
            print_of(words, some, found)


if __name__ == "__main__":
    program.run(__file__, main)
