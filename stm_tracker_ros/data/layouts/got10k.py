"""GOT-10k (Huang et al., PAMI 2021) as downloaded: val/<sequence>/ with 00000001.jpg, groundtruth.txt and labels.

absence.label is 1, and cover.label is 0, where the target is absent: such frames are not scored, as in the benchmark's
own toolkit. Boxes are taken as they are. Of the test split only the first boxes are public.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.annotated import Sequence
from stm_tracker_ros.data.layouts import folders
from stm_tracker_ros.data.layouts.folders import TRUTH_NAME, Load, frozen
from stm_tracker_ros.data.layouts.images import images_in
from stm_tracker_ros.data.truth import read_boxes

logger = logging.getLogger(__name__)

SPLITS = ("val", "train", "test")
ABSENCE, COVER = "absence.label", "cover.label"
LOOKED_FOR = f"val/<sequence>/ with {TRUTH_NAME}, {ABSENCE} and images (GOT-10k)"


def find(root: Path) -> dict[str, Load]:
    """As folders.find. Of several splits val is read, else train. Raises DataError for the test split alone."""
    splits = {name: root / name for name in SPLITS if _is_split(root / name)}
    if not splits and _is_split(root):
        splits = {root.resolve().name: root}
    if not splits:
        return {}
    name, folder = next(iter(splits.items()))
    if _is_secret(folder):
        raise DataError(
            f"{folder} holds a test split of GOT-10k, of which only the first boxes are public: nothing can be "
            "scored here; give its folder val, or `stm_tracker track` one of the sequences"
        )
    if len(splits) > 1:
        logger.warning("%s holds %s of GOT-10k; %s is read, give one's folder for another", root, list(splits), name)
    source = f"GOT-10k-{name}" if name in SPLITS else "GOT-10k"
    return {f"{source}/{path.name}": partial(_read, f"{source}/{path.name}", path) for path in _sequences(folder)}


def _read(name: str, folder: Path) -> Sequence:
    sequence = folders.read(name, folder)
    boxes = sequence.boxes.copy()
    boxes[_absent(folder, len(boxes))] = np.nan
    return replace(sequence, boxes=frozen(boxes))


def _absent(folder: Path, count: int) -> NDArray[np.bool_]:
    absent = np.zeros(count, bool)
    for name, value in ((ABSENCE, 1), (COVER, 0)):
        if (folder / name).is_file():
            absent |= _labels(folder / name, count) == value
    return absent


def _labels(path: Path, count: int) -> NDArray[np.float64]:
    try:
        labels = np.array(path.read_text(encoding="utf-8-sig").split(), np.float64)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a number a frame: {error}") from None
    if len(labels) != count:
        raise DataError(f"{path} has {len(labels)} labels for {count} boxes; allowed is one for every box")
    return labels


def _sequences(split: Path) -> list[Path]:
    return sorted(truth.parent for truth in split.glob(f"*/{TRUTH_NAME}"))


def _first(split: Path) -> Path | None:
    """The first sequence that has images: one without them says nothing of the others."""
    return next((folder for folder in _sequences(split) if images_in(folder)), None)


def _is_split(folder: Path) -> bool:
    """Whether it looks like one, by its first sequence: labels beside the boxes, or one box alone and a list."""
    first = _first(folder)
    if first is None:
        return False
    return any((first / name).is_file() for name in (ABSENCE, COVER)) or _is_secret(folder)


def _is_secret(split: Path) -> bool:
    first = _first(split)
    if first is None or not (split / "list.txt").is_file() or len(images_in(first)) < 2:
        return False
    try:
        return len(read_boxes(first / TRUTH_NAME)) == 1
    except DataError:  # raised again by whoever reads this sequence; the others can be found
        return False
