"""UAV123, UAV123_10fps and UAV20L (Mueller et al., ECCV 2016) as downloaded: data_seq/UAV123/<folder>/000001.jpg and
anno/UAV123/<sequence>.txt.

Boxes count pixels from 1 (they reach 1281 and 721 in images of 1280 x 720) and become ours, which count from 0; NaN =
absent. Several sequences are parts of one folder. Their first images are in the download's configSeqs.m, which is read
where it is there; else in the table below, whose numbers are the benchmark's. The number of boxes tells where to end.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path, PureWindowsPath

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.annotated import Sequence
from stm_tracker_ros.data.layouts.folders import Load, frozen, warn_of_count
from stm_tracker_ros.data.layouts.images import images_in, images_of_boxes
from stm_tracker_ros.data.truth import read_boxes

LOOKED_FOR = "anno/<set>/<sequence>.txt beside data_seq/<set>/<folder>/ (UAV123)"
CONFIGURATION_NAME = "configSeqs.m"

SHARED_IMAGES = "UAV123"
"""Whose images a set without its own is annotated on: UAV20L."""
TEN_HERTZ = "UAV123_10fps"

FIRST_IMAGES = {
    "bird1": (1, 775, 1573),
    "car1": (1, 751, 1627),
    "car6": (1, 487, 1807, 2953, 3925),
    "car8": (1, 1357),
    "car16": (1, 415),
    "group1": (1, 1333, 2515, 3925),
    "group2": (1, 907, 1771),
    "group3": (1, 1567, 2827, 4369),
    "person2": (1, 1189),
    "person4": (1, 1501),
    "person5": (1, 877),
    "person7": (1, 1249),
    "person8": (1, 1075),
    "person12": (1, 601),
    "person14": (1, 847, 1813),
    "person17": (1, 1501),
    "person19": (1, 1243, 2791),
    "truck4": (1, 577),
    "uav1": (1, 1555, 2473),
}
"""Of <folder>_1, <folder>_2, ... at 30 Hz. At 10 Hz every third image is left: image n there is 3 (n - 1) + 1 here."""

_PART = re.compile(r"(.+)_(\d+)")
_ENTRY = re.compile(r"'name'\s*,\s*'([^']+)'\s*,\s*'path'\s*,\s*'([^']+)'\s*,\s*'startFrame'\s*,\s*(\d+)")


def find(root: Path) -> dict[str, Load]:
    """As folders.find."""
    found: dict[str, Load] = {}
    for truth in sorted(root.glob("anno/*/*.txt")):
        data_set = truth.parent.name
        images = next((p for n in (data_set, SHARED_IMAGES) if (p := root / "data_seq" / n).is_dir()), None)
        if images is not None:
            name = f"{data_set}/{truth.stem}"
            found[name] = partial(_read, name, truth, images, root)
    return found


def _read(name: str, truth: Path, images: Path, root: Path) -> Sequence:
    folder_name, first = _place(truth.stem, truth.parent.name, images, root)
    folder, boxes = images / folder_name, read_boxes(truth, first_pixel=1)
    if not images_in(folder):
        raise DataError(f"{folder} holds no images; {truth} belongs to those there")
    sequence = Sequence(name=name, path=folder, boxes=frozen(boxes), images=images_of_boxes(folder, len(boxes), first))
    warn_of_count(sequence, may_go_on=folder_name != truth.stem)
    return sequence


def _place(sequence: str, data_set: str, images: Path, root: Path) -> tuple[str, int]:
    """Folder and number of the first image of a sequence."""
    for path in (root / CONFIGURATION_NAME, *sorted(root.glob(f"*/{CONFIGURATION_NAME}"))):
        if path.is_file() and (place := _configured(path, sequence, images.name)):
            return place
    match = _PART.fullmatch(sequence)
    if (images / sequence).is_dir() or match is None:
        return sequence, 1
    folder, part = match[1], int(match[2])
    starts = FIRST_IMAGES.get(folder, ())
    if not 1 <= part <= len(starts):
        raise DataError(
            f"{images} has no folder {sequence}, and which images of {folder} it is made of is not known; "
            f"put the benchmark's {CONFIGURATION_NAME} into {root}"
        )
    first = starts[part - 1]
    return folder, (first - 1) // 3 + 1 if data_set == TEN_HERTZ else first


def _configured(configuration: Path, sequence: str, images: str) -> tuple[str, int] | None:
    """What the benchmark's own list says of a sequence on that set of images; None if nothing."""
    for name, path, first in _ENTRY.findall(configuration.read_text(encoding="utf-8", errors="replace")):
        parts = PureWindowsPath(path).parts
        if name == sequence and images in parts[:-1]:
            return parts[-1], int(first)
    return None
