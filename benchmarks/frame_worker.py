"""A half of speed_against_commit.py: an interpreter that times one of our trackers, one frame at a time.

A line of JSON with a path (of a sequence's folder) starts the tracker there; one with null goes on by a frame. The
answer is milliseconds of track + memorize by the wall's clock and by the thread's own; nothing where the video ends.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from turns import serve

from stm_tracker_ros.cli.options import add_tracker_options, load_tracker
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.data.sequence import TRUTH_NAME, VIDEO_NAME, read_boxes


def main() -> None:
    """Load the tracker, then answer until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_tracker_options(parser)
    tracker = load_tracker(parser.parse_args()).tracker
    stream: Iterator[Frame] = iter(())

    def milliseconds(path: str | None) -> list[float]:
        nonlocal stream
        if path is not None:
            stream = iter(frames(Path(path) / VIDEO_NAME))
        frame = next(stream, None)
        if frame is None:
            return []
        began = time.perf_counter_ns(), time.thread_time_ns()
        if path is not None:
            tracker.init(frame, Target(box=Box(*map(float, read_boxes(Path(path) / TRUTH_NAME)[0]))))
        else:
            tracker.track(frame)
            tracker.memorize()
        ended = time.perf_counter_ns(), time.thread_time_ns()
        return [(end - begin) / 1e6 for begin, end in zip(began, ended, strict=True)]

    serve(milliseconds)


if __name__ == "__main__":
    main()
