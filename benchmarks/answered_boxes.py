"""How large the answered boxes are over the true ones, and what a mask adds to the ellipse of its box.

  python benchmarks/answered_boxes.py --data ../shared/data RESULT ...

RESULT: folder of a finished `stm_tracker evaluate` over sequences, from one start or several. Sizes: square root of the
area, in log, over frames whose overlap is above .3, mean over a run; runs with fewer than 5 such frames are left out.
Masks: J over the frames after the first, where truth and result have masks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import program
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.mask_metrics import jaccard
from stm_tracker_ros.core.metrics import overlaps, scored_frames
from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.data.labels import read_mask
from stm_tracker_ros.data.sequence import Sequence, read_development, read_sequences
from stm_tracker_ros.data.starts import runs_of
from stm_tracker_ros.evaluation.mask_files import has_masks, mask_path
from stm_tracker_ros.evaluation.run_settings import SETTINGS_NAME
from stm_tracker_ros.evaluation.trajectory import TRAJECTORY_NAME, read_trajectory

FOLLOWED_IOU, LEAST_FRAMES = 0.3, 5
Floats = NDArray[np.float64]


def flown(data: Path, result: Path) -> Iterator[tuple[Sequence, Path, Floats]]:
    """Each run: its truth, its folder, its answered boxes. Raises DataError if that is no folder of results."""
    if not (result / SETTINGS_NAME).is_file():
        raise DataError(f"{result} holds no {SETTINGS_NAME}; needed is a folder of `stm_tracker evaluate`")
    settings = json.loads((result / SETTINGS_NAME).read_text())
    sequences = (read_development if settings["development"] else read_sequences)(data)
    starts, most = settings["starts"], settings["max_frames"]
    runs: list[Sequence] = [run for one in sequences for run in (runs_of(one, starts, most) if starts else [one])]
    for run in runs:
        folder = result / run.name
        if (folder / TRAJECTORY_NAME).is_file():
            yield run, folder, read_trajectory(folder / TRAJECTORY_NAME).boxes


def sizes(truth: Floats, boxes: Floats) -> tuple[float, float] | None:
    """Mean log of answered over true size and mean overlap, where it is followed; None where it hardly is."""
    scored = scored_frames(truth)
    boxes, truth, overlap = boxes[scored], truth[scored], overlaps(boxes, truth)
    kept = np.flatnonzero(overlap > FOLLOWED_IOU)
    if len(kept) < LEAST_FRAMES:
        return None
    ratio = np.log(boxes[kept, 2:].prod(1) / truth[kept, 2:].prod(1)) / 2
    return float(ratio.mean()), float(overlap[kept].mean())


def ellipse(box: Floats, shape: tuple[int, int]) -> Pixels:
    """The largest ellipse in a box, as a mask of that height and width."""
    x, y, width, height = box.tolist()
    mask = np.zeros(shape, np.uint8)
    cv2.ellipse(mask, ((x + width / 2, y + height / 2), (width, height), 0.0), (255,), -1)
    return mask


def of_masks(run: Sequence, folder: Path, boxes: Floats) -> tuple[float, float]:
    """J of the masks, and of the ellipses."""
    rows = []
    for frame in range(1, len(boxes)):
        true = run.mask(frame)
        drawn = ellipse(boxes[frame], (true.shape[0], true.shape[1]))
        rows.append((jaccard(read_mask(mask_path(folder, frame)), true), jaccard(drawn, true)))
    mask, drawn_one = np.mean(rows, 0).tolist()
    return mask, drawn_one


def main() -> None:
    """Read and print, a line a result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="what was evaluated: the folder of its --data")
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT")
    args = parser.parse_args()
    for result in args.results:
        found, masks = [], []
        for run, folder, boxes in flown(args.data, result):
            truth = run.boxes[: len(boxes)]
            if one := sizes(truth, boxes):
                found.append(one)
            if run.mask_paths and has_masks(folder):
                masks.append(of_masks(run, folder, boxes))
        if not found:
            said = f"followed for {LEAST_FRAMES} frames; needed are results of `stm_tracker evaluate` over sequences"
            raise DataError(f"{result} holds no run of a sequence of {args.data} in which the target is {said}")
        (ratio, overlap), spread = np.mean(found, 0), np.std(found, 0)[0]
        print(f"{result}: log size {ratio:+.3f}, spread {spread:.3f}, overlap {overlap:.3f}, {len(found)} runs")
        if masks:
            mask, drawn = np.mean(masks, 0)
            print(f"  J of {len(masks)} runs: mask {mask:.3f}, ellipse of the box {drawn:.3f}")


if __name__ == "__main__":
    program.run(__file__, main)
