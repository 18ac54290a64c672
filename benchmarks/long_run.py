"""Does a tracker get slower or larger with time? Resident memory over 3000 frames, then aged against fresh.

  python benchmarks/long_run.py --video ../shared/data/train_video/TinyTLP/Drone1 --frames 20000 --threads 1 \\
      --out long_run.json --plot long_run.png

A stretch of the sequence is played to and fro. The fresh tracker is filled to capacity first; then both take turns on
the same frames, and the 20th percentiles of their times are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import program

from stm_tracker_ros.cli.options import add_tracker_options, load_tracker, whole_number
from stm_tracker_ros.core.output_folder import new_file, refuse_existing, write_new
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.data.readers import frames, stamp_of
from stm_tracker_ros.data.sequence import TRUTH_NAME, VIDEO_NAME, read_boxes
from stm_tracker_ros.evaluation.speed import ratio_of_p20, time_together

FIRST_LOOK = 300
POINTS = 100  # of the plot


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


def run(tracker: Tracker, stream: Iterator[Frame]) -> list[float]:
    """Track and memorize every frame; milliseconds of processor time of each: other work would show in the clock's."""
    times_ms = []
    for frame in stream:
        started_ns = time.process_time_ns()
        tracker.track(frame)
        tracker.memorize()
        times_ms.append((time.process_time_ns() - started_ns) / 1e6)
    return times_ms


def age(tracker: Tracker, images: list, target: Target, count: int) -> dict[str, Any]:
    """Run a started tracker over `count` frames; resident memory in MiB after frame 300 and at the end.

    course: [frame, resident MiB, 20th percentile of processor ms a frame since the last row] along the way.
    """
    stream, step = to_and_fro(images), max(count // POINTS, 1)
    tracker.init(next(stream), target)
    done, course = 0, []
    while done < count:
        wanted = FIRST_LOOK if done < FIRST_LOOK else min(step, count - done)
        times_ms = run(tracker, islice(stream, wanted))
        done += wanted
        course.append([done, resident_mib(), float(np.percentile(times_ms, 20))])
    before, after = course[0][1], course[-1][1]
    return {
        "mib_after_300": before,
        "mib_at_end": after,
        "growth_percent": 100 * (after / before - 1),
        "course": course,
    }


def draw(course: list[list[float]], path: Path) -> None:
    """Memory and time along the way, as a picture."""
    number, memory_mib, times_ms = zip(*course, strict=True)
    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(7, 4), layout="constrained")
    upper.plot(number, memory_mib)
    upper.set_ylabel("resident memory, MiB")
    lower.plot(number, times_ms)
    lower.set_ylabel("processor ms a frame, p20")
    lower.set_xlabel("frame")
    upper.set_ylim(0, 1.2 * max(memory_mib))
    lower.set_ylim(0, 1.2 * max(times_ms))
    with new_file(path) as file:
        figure.savefig(file, dpi=110, format="png")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True, help="folder of a sequence")
    parser.add_argument(
        "--frames", type=whole_number, default=3000, help=f"more than {FIRST_LOOK} (default: %(default)s)"
    )
    parser.add_argument(
        "--stretch", type=whole_number, default=150, help="images of the sequence that are played to and fro"
    )
    parser.add_argument("--fill", type=whole_number, default=300, help="frames that fill the fresh tracker to capacity")
    parser.add_argument("--compared", type=whole_number, default=300, help="frames on which the two are compared")
    parser.add_argument("--out", type=Path, help="JSON file of the results")
    parser.add_argument("--plot", type=Path, help="PNG file of memory and time along the way")
    add_tracker_options(parser)
    args = parser.parse_args()
    least = max(FIRST_LOOK, args.fill)
    if args.frames <= least:  # nothing would be measured between the first look at the memory and the last one
        parser.error(f"--frames {args.frames} is not allowed; allowed are more than {least}")
    for path in filter(None, (args.out, args.plot)):
        refuse_existing(path)
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
    print({name: round(value, 3) for name, value in result.items() if name != "course"})
    if args.plot:
        draw(result["course"], args.plot)
    if args.out:
        write_new(args.out, (json.dumps(result, indent=1) + "\n").encode("ascii"))


if __name__ == "__main__":
    program.run(__file__, main)
