"""Does a tracker get slower or larger with time? Resident memory over 3000 frames, then aged against fresh.

  python benchmarks/long_run.py --video ../shared/data/train_video/TinyTLP/Drone1 --threads 1 --out long_run.json

A stretch of the sequence is played to and fro. The fresh tracker is filled to capacity first; then both take turns on
the same frames, and the 20th percentiles of their times are compared.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from stm_tracker_ros.cli.options import add_tracker_options, load_tracker
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.data.readers import frames, stamp_of
from stm_tracker_ros.data.sequence import TRUTH_NAME, VIDEO_NAME, read_boxes
from stm_tracker_ros.evaluation.speed import ratio_of_p20, time_together

FIRST_LOOK = 300


def to_and_fro(images: list, start: int = 0) -> Iterator[Frame]:
    """The images forward and backward for ever, stamped at the nominal rate from `start` on."""
    order = [*range(len(images)), *range(len(images) - 2, 0, -1)]
    index = start
    while True:
        yield Frame(image=images[order[index % len(order)]], stamp_ns=stamp_of(index))
        index += 1


def resident_mib() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def run(tracker: Tracker, stream: Iterator[Frame]) -> None:
    """Track and memorize every frame."""
    for frame in stream:
        tracker.track(frame)
        tracker.memorize()


def age(tracker: Tracker, images: list, target: Target, count: int) -> dict[str, float]:
    """Run a started tracker over `count` frames; resident memory in MiB after frame 300 and at the end."""
    stream = to_and_fro(images)
    tracker.init(next(stream), target)
    run(tracker, islice(stream, FIRST_LOOK))
    before = resident_mib()
    run(tracker, islice(stream, count - FIRST_LOOK))
    after = resident_mib()
    return {"mib_after_300": before, "mib_at_end": after, "growth_percent": 100 * (after / before - 1)}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True, help="folder of a sequence")
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--stretch", type=int, default=150, help="images of the sequence that are played to and fro")
    parser.add_argument("--fill", type=int, default=300, help="frames that fill the fresh tracker to capacity")
    parser.add_argument("--compared", type=int, default=300, help="frames on which the two are compared")
    parser.add_argument("--out", type=Path, help="JSON file of the results")
    add_tracker_options(parser)
    args = parser.parse_args()
    images = [frame.bgr() for frame in islice(frames(args.video / VIDEO_NAME), args.stretch)]
    target = Target(box=Box(*map(float, read_boxes(args.video / TRUTH_NAME)[0])))
    aged, fresh = load_tracker(args).tracker, load_tracker(args).tracker
    result = age(aged, images, target, args.frames)
    stream = to_and_fro(images, args.frames - args.fill)
    # Started on the picture that its box belongs to, stamped so that time goes on where the aged one stands.
    fresh.init(Frame(image=images[0], stamp_ns=stamp_of(args.frames - args.fill - 1)), target)
    run(fresh, islice(stream, args.fill))
    times = time_together(aged, fresh, islice(to_and_fro(images, args.frames), args.compared))
    result["aged_to_fresh"] = ratio_of_p20(*times)
    print(json.dumps(result, indent=1))
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
