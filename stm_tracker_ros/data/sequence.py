"""Annotated sequences on disk: `<root>/<source>/<sequence>/` with video.mp4, groundtruth.txt and, sometimes, mask/.

groundtruth.txt has one line a frame: x,y,w,h in pixels of the video, `nan,nan,nan,nan` where the target is absent.
mask/%06d.png are numbered from 1, the first frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.config import unknown_name
from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box, Pixels, Target
from stm_tracker_ros.data.readers import read_mask

Init = Literal["box", "mask"]
"""What of the first frame's truth names the target."""
VIDEO_NAME = "video.mp4"
TRUTH_NAME = "groundtruth.txt"

VALIDATION = (
    "TinyTLP/CarChase2",
    "TinyTLP/Drone1",
    "TLD/pedestrian2",
    "TLD/pedestrian3",
    "VOT-TIR/horse",
    "DAVIS2016-train/bus",
    "DAVIS2016-train/dog-agility",
    "DAVIS2016-train/flamingo",
    "DAVIS2016-train/rollerblade",
    "DAVIS2016-train/scooter-gray",
    "DAVIS2016-train/tennis",
    "DAVIS2017-train/schoolgirls_1",
    "DAVIS2017-train/schoolgirls_2",
    "DAVIS2017-train/schoolgirls_3",
    "DAVIS2017-train/schoolgirls_4",
    "DAVIS2017-train/schoolgirls_5",
    "DAVIS2017-train/schoolgirls_6",
    "DAVIS2017-train/schoolgirls_7",
)
"""Of `train_video`, never trained on: every choice (a constant, a checkpoint, a gate) is made here."""

AERIAL_SOURCES = ("UAV123_10fps", "UAVDT", "DTB70")
TINY_SIDE_PX = 11.0
LONG_FRAMES = 300

# Parts of one video are not independent evidence: a bootstrap draws them together.
PARTS_OF_ONE_VIDEO = (
    re.compile(r"(OTB2015/Jogging)-\d+"),
    re.compile(r"(UAV123_10fps/(?:car16|truck4))_\d+"),
    re.compile(r"(DAVIS2017-train/schoolgirls)_\d+"),
)


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """One annotated video.

    name: "source/sequence".
    path: its folder.
    boxes: frames x 4 float64, x, y, width, height in pixels of the video; NaN rows = target absent.
    mask_paths: one 1-bit PNG a frame (non-zero = target), in the order of the frames; empty without masks.
    """

    name: str
    path: Path
    boxes: NDArray[np.float64]
    mask_paths: tuple[Path, ...] = ()

    @property
    def video(self) -> Path:
        """The video file."""
        return self.path / VIDEO_NAME

    @property
    def source(self) -> str:
        """The data set that the sequence comes from."""
        return self.name.split("/")[0]

    @property
    def first_box(self) -> Box:
        """The box that starts a tracker. Raises DataError if the target is absent from the first frame."""
        if not np.isfinite(self.boxes[0]).all():
            raise DataError(f"{self.name}: the target is absent from the first frame; allowed is a box to start from")
        return Box(*map(float, self.boxes[0]))

    @property
    def first_mask(self) -> Pixels:
        """The mask that starts a tracker, 0 or 255. Raises DataError without masks, or if the first one is empty."""
        if not self.mask_paths:
            raise DataError(f"{self.name} has no masks; allowed is one to start from, {self.path / 'mask'}/000001.png")
        mask = read_mask(self.mask_paths[0])
        if not mask.any():
            raise DataError(f"{self.mask_paths[0]} is empty; allowed is a mask to start from")
        return mask

    def first_target(self, init: Init) -> Target:
        """The target as box or as mask of the first frame. Raises DataError where there is none."""
        return Target(mask=self.first_mask) if init == "mask" else Target(box=self.first_box)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of results that it counts for, among aerial, tiny and long."""
        tiny = float(np.nanmedian(self.boxes[:, 2:].min(1))) <= TINY_SIDE_PX
        belongs = {"aerial": self.source in AERIAL_SOURCES, "tiny": tiny, "long": len(self.boxes) > LONG_FRAMES}
        return tuple(name for name, member in belongs.items() if member)

    @property
    def recording(self) -> str:
        """A name shared by the sequences that are parts of one video."""
        return recording_of(self.name)


def recording_of(name: str) -> str:
    """The name shared by the sequences that are parts of one video; `name` itself where it is the only one."""
    for pattern in PARTS_OF_ONE_VIDEO:
        match = pattern.fullmatch(name)
        if match:
            return match[1]
    return name


def read_sequences(root: Path | str, names: Iterable[str] | None = None) -> list[Sequence]:
    """The sequences under `root`, sorted by name; with `names`, those only ("source/sequence" or "sequence").

    Raises DataError if there are none, if a name is unknown, or if an annotation cannot be read.
    """
    folders = {"/".join(p.parent.parts[-2:]): p.parent for p in Path(root).glob(f"*/*/{TRUTH_NAME}")}
    if not folders:
        raise DataError(f"{root} holds no sequences; allowed is a folder with <source>/<sequence>/{TRUTH_NAME}")
    wanted = sorted(folders) if names is None else _select(tuple(sorted(folders)), names)
    return [_read_sequence(name, folders[name]) for name in wanted]


def read_boxes(path: Path | str) -> NDArray[np.float64]:
    """Boxes of a text file with a line x,y,w,h a frame, frames x 4 float64. Raises DataError if it is none."""
    try:
        boxes = np.loadtxt(path, delimiter=",", dtype=np.float64, ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as lines of x,y,w,h: {error}") from None
    if boxes.size == 0 or boxes.shape[1] != 4:
        raise DataError(f"{path} has rows of shape {boxes.shape[1:]}; allowed are lines of 4 numbers, at least one")
    # A box without an area says the same as one of NaN: there is no target to overlap with.
    boxes[~((boxes[:, 2] > 0) & (boxes[:, 3] > 0))] = np.nan
    return boxes


def _select(known: tuple[str, ...], names: Iterable[str]) -> list[str]:
    chosen: set[str] = set()
    for wanted in names:
        found = [name for name in known if wanted in (name, name.split("/")[1])]
        if not found:
            choice = known if "/" in wanted else tuple(name.split("/")[1] for name in known)
            raise DataError(unknown_name("sequence", wanted, choice))
        chosen.update(found)
    return sorted(chosen)


def _read_sequence(name: str, path: Path) -> Sequence:
    boxes, masks = read_boxes(path / TRUTH_NAME), tuple(sorted((path / "mask").glob("*.png")))
    if not (path / VIDEO_NAME).is_file():
        raise DataError(f"{path} has no {VIDEO_NAME}; it belongs beside {TRUTH_NAME}")
    if masks and len(masks) != len(boxes):
        raise DataError(f"{path} has {len(masks)} masks and {len(boxes)} boxes; allowed is one of each a frame")
    boxes.setflags(write=False)
    return Sequence(name=name, path=path, boxes=boxes, mask_paths=masks)
