"""Is `load()` as fast as the command line? The packaged sample, each in a fresh interpreter, by turns.

Both with their defaults for threads; p50 and p95 of a frame in ms, memory kept up to date included.

  python benchmarks/library_against_command.py --runs 3
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import closing
from itertools import islice
from time import perf_counter_ns

import numpy as np
import program

from stm_tracker_ros.cli.options import whole_number

SIDES = ("command", "library")
WARM_UP_FRAMES = 10
FRAMES = 110


def main() -> None:
    """Run both sides by turns, print what they took and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracker", default="stmtrack_lite")
    parser.add_argument("--runs", type=whole_number, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side is not None:
        print(json.dumps({"command": command, "library": library}[args.side](args.tracker)))
        return
    medians: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(args.runs):
        for side in SIDES:
            program = [sys.executable, __file__, "--side", side, "--tracker", args.tracker]
            times = json.loads(subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True).stdout)
            p50, p95 = np.percentile(times[WARM_UP_FRAMES:], (50, 95))
            medians[side].append(float(p50))
            print(f"{side:8} p50 {p50:6.1f} ms  p95 {p95:6.1f} ms", flush=True)
    ratio = np.median(medians["library"]) / np.median(medians["command"])
    print(f"p50 of the library over that of the command line, medians of {args.runs} runs: {ratio:.3f}")


def command(tracker: str) -> list[float]:
    """Milliseconds a frame, by what `stm_tracker track` runs."""
    from stm_tracker_ros.cli.main import make_parser
    from stm_tracker_ros.cli.options import load_tracker
    from stm_tracker_ros.core.types import Target
    from stm_tracker_ros.data.readers import frames
    from stm_tracker_ros.demo.sample import packaged
    from stm_tracker_ros.evaluation.runner import follow

    sample = packaged()
    options = ["track", str(sample.video), "--tracker", tracker, "--box", ",".join(map(str, sample.first_box))]
    loaded = load_tracker(make_parser().parse_args([*options, "--out", "unused"]))
    with closing(frames(str(sample.video))) as stream:
        steps = follow(loaded.tracker, islice(stream, FRAMES), Target(box=sample.first_box), loaded.state_config)
        return [step.milliseconds for step in steps]


def library(tracker: str) -> list[float]:
    """Milliseconds a frame of `stm_tracker_ros.load()`, used as its docstring says."""
    import cv2

    import stm_tracker_ros
    from stm_tracker_ros.demo.sample import packaged

    sample, times = packaged(), []
    following = stm_tracker_ros.load(tracker, device="cpu")
    video = cv2.VideoCapture(str(sample.video))
    for index in range(FRAMES):
        image = np.asarray(video.read()[1], np.uint8)
        start = perf_counter_ns()
        if index:
            following.track(image)
        else:
            following.init(image, sample.first_box)
        times.append((perf_counter_ns() - start) / 1e6)
    return times


if __name__ == "__main__":
    program.run(__file__, main)
