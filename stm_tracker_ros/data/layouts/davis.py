"""DAVIS 2016 and 2017 as downloaded: JPEGImages/480p/<sequence>/00000.jpg and Annotations/480p/<sequence>/00000.png.

The masks of 2017 number their objects, and each object of the first mask is a sequence of its own, <sequence>_1; those
of 2016 are 0 and 255, and one sequence. Boxes are those of the masks, absent where they are empty; the masks are the
truth of J and F. Of the lists in ImageSets the first that fits what lies there is read: val of 2017, of 2016, then
train; all sequences where there are no lists.
"""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.annotated import Sequence
from stm_tracker_ros.data.labels import read_labels
from stm_tracker_ros.data.layouts.folders import Load, frozen
from stm_tracker_ros.data.layouts.images import images_in

LOOKED_FOR = "JPEGImages/480p/<sequence>/ beside Annotations/480p/<sequence>/ (DAVIS)"
RESOLUTIONS = ("480p", "Full-Resolution", "1080p")
LISTS = tuple(
    (year, folder, name)
    for name in ("val", "train")
    for year, folder in (("2017", "2017"), ("2016", "2016"), ("2016", "480p"))
)
BINARY = 255
"""How the masks of 2016 say "object"."""


def find(root: Path) -> dict[str, Load]:
    """As folders.find."""
    for resolution in RESOLUTIONS:
        images, masks = root / "JPEGImages" / resolution, root / "Annotations" / resolution
        names = sorted(folder.name for folder in masks.glob("*") if images_in(images / folder.name))
        if names:
            source, chosen = _chosen(root / "ImageSets", names)
            videos = [_Video(source, images / name, masks / name) for name in chosen]
            return {name: load for video in videos for name, load in video.objects().items()}
    return {}


def _chosen(lists: Path, names: list[str]) -> tuple[str, list[str]]:
    """Name of the source and the sequences of the list that is read."""
    for year, folder, name in LISTS:
        path = lists / folder / f"{name}.txt"
        listed = _listed(path) if path.is_file() else set()
        chosen = [sequence for sequence in names if sequence in listed]
        if chosen:
            return f"DAVIS{year}-{name}", chosen
    return "DAVIS", names


def _listed(path: Path) -> set[str]:
    """Sequences of a list: their names, or, in 2016, a line /JPEGImages/480p/<sequence>/00000.jpg ... a frame."""
    firsts = (line.split()[0] for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip())
    return {PurePosixPath(first).parent.name if "/" in first else first for first in firsts}


class _Video:
    """One video with the labels of its objects; masks are read once for all of them."""

    def __init__(self, source: str, images: Path, masks: Path) -> None:
        self._source, self._folder = source, images
        self._masks = tuple(images_in(masks))
        named = {path.stem: path for path in images_in(images)}
        self._count = len(named)
        self._images = tuple(named.get(path.stem, images / f"{path.stem}.jpg") for path in self._masks)

    def objects(self) -> dict[str, Load]:
        """Its sequences by name: one an object of the first mask; where that cannot be read, one that says so."""
        name = f"{self._source}/{self._folder.name}"
        if not self._masks:
            return {}
        try:
            labels = [int(label) for label in np.unique(read_labels(self._masks[0])) if label]
        except DataError:  # raised again by whoever reads this sequence; the others can be found
            labels = [BINARY]
        if labels == [BINARY]:
            return {name: partial(self._read, name, BINARY)}
        return {f"{name}_{label}": partial(self._read, f"{name}_{label}", label) for label in labels}

    def _read(self, name: str, label: int) -> Sequence:
        if len(self._masks) < self._count:
            raise DataError(
                f"{self._folder} has {self._count} images and {len(self._masks)} masks; allowed is a mask for every "
                "image (of the test splits only the first mask is public, and nothing can be scored)"
            )
        boxes = np.array([boxes_.get(label, (np.nan,) * 4) for boxes_ in self._boxes], np.float64)
        return Sequence(
            name=name,
            path=self._folder,
            boxes=frozen(boxes),
            images=self._images,
            mask_paths=self._masks,
            mask_label=label,
        )

    @cached_property
    def _boxes(self) -> list[dict[int, tuple[float, ...]]]:
        """The box of every label, a frame each."""
        return [_boxes_of(read_labels(path)) for path in self._masks]


def _boxes_of(labels: NDArray[np.integer]) -> dict[int, tuple[float, ...]]:
    boxes = {}
    for label in (int(value) for value in np.unique(labels) if value):
        rows, columns = np.flatnonzero((labels == label).any(1)), np.flatnonzero((labels == label).any(0))
        corner = columns[0], rows[0]
        boxes[label] = (*map(float, corner), float(columns[-1] - corner[0] + 1), float(rows[-1] - corner[1] + 1))
    return boxes
