"""Our half of speed_against_nanotrack.py: an interpreter that times one of our trackers, one sequence at a time.

For every line of JSON on stdin ({"path": folder, "max_frames": N or null}) it writes one to stdout: milliseconds a
frame of track + memorize, decoding excluded.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from itertools import islice
from pathlib import Path

from turns import serve

from stm_tracker_ros.cli.options import add_tracker_options, load_tracker
from stm_tracker_ros.core.types import Box, Target
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.data.sequence import TRUTH_NAME, VIDEO_NAME, read_boxes
from stm_tracker_ros.evaluation.runner import follow


def main() -> None:
    """Load the tracker, then answer until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_tracker_options(parser)
    loaded = load_tracker(parser.parse_args())

    def milliseconds(path: str, max_frames: int | None) -> list[float]:
        boxes = read_boxes(Path(path) / TRUTH_NAME)
        count = len(boxes[:max_frames])
        with closing(frames(Path(path) / VIDEO_NAME)) as stream:
            target = Target(box=Box(*map(float, boxes[0])))
            steps = follow(loaded.tracker, islice(stream, count), target, loaded.state_config)
            return [step.milliseconds for step in steps][1:]

    serve(milliseconds)


if __name__ == "__main__":
    main()
