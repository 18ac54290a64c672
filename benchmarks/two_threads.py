"""Two trackers in two threads of one process: do they answer as each does alone, run after run?

Both are loaded and run at the same time, from the moment that both threads are ready; the packaged sample. Exits with 1
if an answer differs or a thread fails.

  python benchmarks/two_threads.py --runs 20 --trackers stmtrack_lite dmb_lite
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence

import cv2
import numpy as np
import program

import stm_tracker_ros
from stm_tracker_ros.cli.options import whole_number
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.core.types import Box, Pixels
from stm_tracker_ros.demo.sample import packaged


def main() -> int:
    """Print a line a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trackers", nargs=2, default=["stmtrack_lite", "stmtrack_lite"])
    parser.add_argument("--runs", type=whole_number, default=20)
    parser.add_argument("--frames", type=whole_number, default=40)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    images = read(args.frames)
    alone = [follow(name, images, args.device) for name in args.trackers]
    bad = 0
    for run in range(args.runs):
        outcome = [verdict(a, b) for a, b in zip(alone, together(args.trackers, images, args.device), strict=True)]
        bad += any(text != "as alone" for text in outcome)
        print(f"run {run}: {'; '.join(outcome)}", flush=True)
    print(f"{args.runs - bad} of {args.runs} runs as alone")
    return int(bad > 0)


def read(count: int) -> list[Pixels]:
    """The first images of the packaged sample. Raises ConfigError if it has fewer."""
    video = cv2.VideoCapture(str(packaged().video))
    most = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    if count > most:
        raise ConfigError(f"--frames {count} is not allowed; allowed is 1 to {most}, which the sample has")
    return [np.asarray(video.read()[1], np.uint8) for _ in range(count)]


def follow(name: str, images: Sequence[Pixels], device: str) -> list[Box]:
    """The boxes of one tracker, loaded for it."""
    tracker = stm_tracker_ros.load(name, device=device)
    first = tracker.init(images[0], packaged().first_box)
    return [first.box, *(tracker.track(image).box for image in images[1:])]


def together(names: Sequence[str], images: Sequence[Pixels], device: str) -> list[list[Box] | Exception]:
    """The boxes of each, or what its thread failed with."""
    answers: list[list[Box] | Exception] = [[] for _ in names]
    barrier = threading.Barrier(len(names))

    def run(index: int) -> None:
        barrier.wait()
        try:
            answers[index] = follow(names[index], images, device)
        except Exception as error:  # noqa: BLE001 (any failure is an outcome)
            answers[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def verdict(alone: list[Box], beside: list[Box] | Exception) -> str:
    """How the answers in company compare."""
    if isinstance(beside, Exception):
        return f"{type(beside).__name__}: {str(beside)[:60]}"
    differing = sum(a != b for a, b in zip(alone, beside, strict=True))
    return f"{differing} of {len(alone)} boxes differ" if differing else "as alone"


if __name__ == "__main__":
    program.run(__file__, main)
