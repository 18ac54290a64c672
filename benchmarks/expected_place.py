"""How far off the place is where the target is expected: camera motion and guesses of motion alone, by true boxes.

  python benchmarks/expected_place.py --data ../shared/data --out now.json
  stm_tracker compare before.json now.json --figure place_error

No network and no rule has a part in it, so that it tells what the ruler cannot. In each frame of the development set
`following/` foretells the centre from the true boxes before. place_error: distance to the true one over the target's
size (root of its area), at most 1, mean over a sequence. far_off: share of frames in which that is above .5. --every 3
is a camera that loses two frames of three.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import program

from stm_tracker_ros.cli.options import whole_number
from stm_tracker_ros.core import boxes
from stm_tracker_ros.core.output_folder import refuse_existing, write_new
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.data.sequence import Sequence, read_development
from stm_tracker_ros.following.config import SearchConfig
from stm_tracker_ros.following.motion import Motion
from stm_tracker_ros.following.presence import STEADY
from stm_tracker_ros.following.whereabouts import Whereabouts

FAR_OFF = 0.5


def errors(sequence: Sequence, every: int, most: int) -> Iterator[float]:
    """Of the expected centre over the target's size, in every frame that shows the target as the one before does."""
    frames = islice(zip(sequence.frames(), sequence.boxes, strict=False), 0, most * every, every)
    frame, row = next(frames)
    last, motion = Box(*row.tolist()), Motion(2 * STEADY)
    whereabouts = Whereabouts(frame, last, follows_camera=True)
    for frame, row in frames:
        size = float(np.sqrt(last.width * last.height))
        side = SearchConfig().scale * size
        camera = whereabouts.moved(frame, boxes.from_center(*last.center, side, side))
        ahead = motion.ahead(camera, 0.0, every)
        if np.isnan(row).any():  # away: it is expected where it was
            last = last._replace(x=last.x + camera[0], y=last.y + camera[1])
            continue
        box = Box(*row.tolist())
        moved = np.subtract(box.center, last.center)
        motion.learn(moved, every, size)
        last = box
        yield float(np.hypot(*(moved - ahead)) / size)


def main() -> None:
    """Read the arguments, go through all sequences, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of eval/ and train_video/")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of every sequence's figures")
    parser.add_argument(
        "--every",
        type=int,
        choices=range(1, 31),
        metavar="N",
        default=1,
        help="one frame in so many, up to 30 (default: %(default)s)",
    )
    parser.add_argument("--max-frames", type=whole_number, default=400, help="of a sequence (default: %(default)s)")
    args = parser.parse_args()
    if args.max_frames == 1:
        parser.error("--max-frames 1 is not allowed; allowed are 2 and more: in the first one nothing is expected")
    refuse_existing(args.out)
    cv2.setNumThreads(1)
    figures = {}
    for sequence in read_development(args.data):
        found = np.array(list(errors(sequence, args.every, args.max_frames)))
        error, far_off = float(np.minimum(found, 1).mean()), float((found > FAR_OFF).mean())
        figures[sequence.name] = {"place_error": error, "far_off": far_off, "frames": len(found)}
    write_new(args.out, json.dumps(figures, indent=1).encode())
    means = {name: np.mean([one[name] for one in figures.values()]) for name in ("place_error", "far_off")}
    print(f"{len(figures)} sequences: place_error {means['place_error']:.4f}, far_off {means['far_off']:.4f}")


if __name__ == "__main__":
    program.run(__file__, main)
