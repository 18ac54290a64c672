"""One folder a sequence, with groundtruth.txt beside video.mp4 or images: our own layout, and whatever looks like it.

`<source>/<sequence>/` below the root, or `<sequence>/` right in it. mask/ holds one PNG a frame, where it is there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.annotated import VIDEO_NAME, Sequence
from stm_tracker_ros.data.containers import frame_count
from stm_tracker_ros.data.layouts.images import IMAGE_FOLDERS, image_folder, images_in, images_of_boxes
from stm_tracker_ros.data.truth import read_boxes

logger = logging.getLogger(__name__)

TRUTH_NAME = "groundtruth.txt"
LOOKED_FOR = f"<source>/<sequence>/{TRUTH_NAME} or <sequence>/{TRUTH_NAME} beside {VIDEO_NAME} or images"

Load = Callable[[], Sequence]


def find(root: Path) -> dict[str, Load]:
    """The sequences below `root` by "source/sequence", each with what reads it; empty if this is another layout."""
    deep = {"/".join(truth.parent.parts[-2:]): truth.parent for truth in root.glob(f"*/*/{TRUTH_NAME}")}
    flat = {f"{root.resolve().name}/{truth.parent.name}": truth.parent for truth in root.glob(f"*/{TRUTH_NAME}")}
    return {name: partial(read, name, folder) for name, folder in (deep or flat).items()}


def read(name: str, folder: Path) -> Sequence:
    """The sequence in a folder, as far as its boxes go; a warning says where frames and boxes are not as many.

    Raises DataError if its annotation cannot be read, or video and images are missing.
    """
    boxes, masks = read_boxes(folder / TRUTH_NAME), tuple(images_in(folder / "mask"))
    if masks and len(masks) != len(boxes):
        raise DataError(f"{folder} has {len(masks)} masks and {len(boxes)} boxes; allowed is one of each a frame")
    images = () if (folder / VIDEO_NAME).is_file() else _images(folder, len(boxes))
    sequence = Sequence(name=name, path=folder, boxes=frozen(boxes), images=images, mask_paths=masks)
    warn_of_count(sequence)
    return sequence


def frozen(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same boxes, which nobody can change any more."""
    boxes.setflags(write=False)
    return boxes


def warn_of_count(sequence: Sequence, *, may_go_on: bool = False) -> None:
    """Say where there are more frames than boxes, or more boxes than images, counted from the first image that has one.

    may_go_on: frames behind the last box belong to others. Of a video its end tells whether it has a frame for every
    box: its index may count less.
    """
    kind, count = "images" if sequence.images else "frames", len(sequence.boxes)
    if sequence.images:
        images = images_in(sequence.video)
        there = len(images) - images.index(sequence.images[0])
    else:
        there = frame_count(sequence.video)
    done = ""
    if there > count and not may_go_on:
        done = "those after the last box are left out"
    elif there < count and sequence.images:
        done = "what needs one of the missing images fails"
    if done:
        logger.warning("%s has %d %s and %d boxes: %s", sequence.name, there, kind, count, done)


def _images(folder: Path, count: int) -> tuple[Path, ...]:
    place = image_folder(folder)
    if place is None:
        raise DataError(
            f"{folder} has no {VIDEO_NAME} and no images; they belong beside {TRUTH_NAME}, images also into "
            f"a folder {', '.join(IMAGE_FOLDERS)}"
        )
    if count == 1 and len(images_in(place)) > 1:
        raise DataError(f"{folder} has images, and a true box of the first one only: nothing can be scored")
    return images_of_boxes(place, count)
