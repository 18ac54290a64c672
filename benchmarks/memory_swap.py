"""Memory-swap ablation: success AUC on the validation sequences with the own memory, and with that of another one.

  python benchmarks/memory_swap.py --data ../shared/data/train_video --out swapped.json

With the swapped one every slot but the first frame's holds what the tracker remembered on another sequence. Takes
the options of a tracker, as `stm_tracker evaluate` does.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
import program
from torch import Tensor
from tqdm import tqdm

from stm_tracker_ros.cli.options import add_tracker_options, load_tracker
from stm_tracker_ros.core.errors import ConfigError, DataError
from stm_tracker_ros.core.metrics import sequence_scores
from stm_tracker_ros.core.output_folder import refuse_existing, write_new
from stm_tracker_ros.core.types import Box, Target
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.data.sequence import VALIDATION, Sequence, read_sequences, recording_of
from stm_tracker_ros.following.follower import Follower
from stm_tracker_ros.trackers.stmtrack.steps import Steps
from stm_tracker_ros.trackers.stmtrack.tracker import StmMatcher

Slot = tuple[Tensor, ...]
Passes = dict[str, tuple[float, list[Slot]]]  # by sequence: success AUC, and what was remembered
LEAST_SLOTS = 11  # of what another sequence gives


class Listening:
    """A stepper that notes what is remembered, or puts notes from elsewhere in its place after the first frame."""

    def __init__(self, stepper: Steps, swapped: list[Slot] | None) -> None:
        self.stepper = stepper
        self.notes: list[Slot] = []
        self.swapped: Iterator[Slot] | None = cycle(swapped) if swapped else None

    def __getattr__(self, name: str) -> object:
        return getattr(self.stepper, name)

    def remember(self, features: Tensor, box: Box) -> Slot:
        """See `Steps.remember`."""
        own: Slot = tuple(self.stepper.remember(features, box))
        self.notes.append(own)
        return next(self.swapped) if self.swapped and len(self.notes) > 1 else own


def follow(
    tracker: Follower, stepper: Steps, sequence: Sequence, swapped: list[Slot] | None
) -> tuple[float, list[Slot]]:
    """Success AUC of one pass, and what was remembered in it."""
    listening = Listening(stepper, swapped)
    tracker.matcher.stepper = listening  # type: ignore[attr-defined]
    answers: list[Box] = []
    for frame, _ in zip(frames(sequence.video), sequence.boxes, strict=False):
        if answers:
            answers.append(tracker.track(frame).box)
            tracker.memorize()
        else:
            answers.append(tracker.init(frame, Target(box=sequence.first_box)).box)
    return sequence_scores(answers, sequence.boxes[: len(answers)])["success_auc"], listening.notes[1:]


def donated(sequence: Sequence, own: Passes) -> list[Slot]:
    """What was remembered on the first sequence of another recording. Raises DataError where all have too little."""
    for name, (_, notes) in own.items():
        if recording_of(name) != sequence.recording and len(notes) >= LEAST_SLOTS:
            return notes
    raise DataError(f"no sequence of another recording than {sequence.name} has {LEAST_SLOTS} remembered frames")


def main() -> None:
    """Run every validation sequence twice; print and write the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    add_tracker_options(parser)
    args = parser.parse_args()
    refuse_existing(args.out)
    tracker = load_tracker(args).tracker
    if not isinstance(tracker, Follower) or not isinstance(tracker.matcher, StmMatcher):
        raise ConfigError(f"{args.tracker} has no memory of STMTrack's kind; allowed are stmtrack_lite and stmtrack")
    stepper = tracker.matcher.stepper
    sequences = read_sequences(args.data, VALIDATION)
    own: Passes = {s.name: follow(tracker, stepper, s, None) for s in tqdm(sequences, desc="own memory")}
    swapped = {}
    for sequence in tqdm(sequences, desc="swapped memory"):
        swapped[sequence.name] = follow(tracker, stepper, sequence, donated(sequence, own))[0]
    rows = {name: {"own": own[name][0], "swapped": swapped[name]} for name in own}
    means = {key: float(np.mean([row[key] for row in rows.values()])) for key in ("own", "swapped")}
    write_new(args.out, json.dumps({"mean": means, "sequences": rows}, indent=1).encode("ascii"))
    print(f"success AUC: own memory {means['own']:.4f}, swapped {means['swapped']:.4f}")


if __name__ == "__main__":
    program.run(__file__, main)
