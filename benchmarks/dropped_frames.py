"""The sample with frames dropped at random: for how many frames is something TRACKING after the target has left?

  python benchmarks/dropped_frames.py

Prints a line for each share of dropped frames, with those frames of each run; the target leaves at frame 89. Stamps
have a jitter of a millisecond.
"""

from __future__ import annotations

import argparse

import numpy as np
import program

import stm_tracker_ros
from stm_tracker_ros.cli.options import whole_number
from stm_tracker_ros.core.types import Frame
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.demo import sample
from stm_tracker_ros.engine.target_state import State

GONE = 95  # frame from which on nobody can take it for the target that is just leaving
JITTER_NS, NOMINAL_HZ = 1e6, 30


def run(tracker_name: str, images: list[np.ndarray], box: tuple[float, ...], share: float, seed: int) -> int:
    """Frames that are TRACKING after the target has left."""
    draw, tracker, followed = np.random.default_rng(seed), stm_tracker_ros.load(tracker_name), 0
    tracker.init(Frame(image=images[0], stamp_ns=0), box)
    for index, image in enumerate(images[1:], 1):
        if draw.random() >= share:
            stamp_ns = round(index * 1e9 / NOMINAL_HZ + draw.normal() * JITTER_NS)
            state = tracker.track(Frame(image=image, stamp_ns=stamp_ns)).state
            followed += state is State.TRACKING and index > GONE
    return followed


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracker", default="stmtrack_lite")
    parser.add_argument("--runs", type=whole_number, default=4)
    args = parser.parse_args()
    packaged = sample.packaged()
    images = [frame.bgr().copy() for frame in frames(str(packaged.video))]
    for share in (0.03, 0.08, 0.15):
        found = [run(args.tracker, images, tuple(packaged.first_box), share, seed) for seed in range(args.runs)]
        print(f"{share:.0%} dropped: {found}", flush=True)


if __name__ == "__main__":
    program.run(__file__, main)
