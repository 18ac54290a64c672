"""One annotated sequence: its frames, its true boxes, its true masks."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box, Frame, Pixels, Target
from stm_tracker_ros.data.readers import NOMINAL_FPS, frames, read_mask
from stm_tracker_ros.data.sources import ImageFolder

Init = Literal["box", "mask"]
"""What of the first frame's truth names the target."""
VIDEO_NAME = "video.mp4"

AERIAL_SOURCES = ("UAV123", "UAV123_10fps", "UAV20L", "UAVDT", "DTB70")
TINY_SIDE_PX = 11.0
LONG_FRAMES = 300

# Parts of one video are not independent evidence: a bootstrap draws them together.
PARTS_OF_ONE_VIDEO = (
    re.compile(r"(OTB2015/(?:Jogging|Skating2))-\d+"),
    re.compile(r"(UAV123(?:_10fps)?/.+)_\d+"),
    re.compile(r"(DAVIS(?:2017-(?:train|val))?/.+)_\d+"),
)


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """One annotated video, or folder of images.

    name: "source/sequence".
    path: the folder that names it; of the video, where it is one.
    boxes: frames x 4 float64, x, y, width, height in pixels of the image, counted from 0; NaN rows = target absent.
    images: of a folder, one a box, in their order; empty for video.mp4. Files of that name need not be there.
    mask_paths: one PNG a frame, in the order of the frames; empty without masks.
    mask_label: which of their labels is the target; None: whatever is not 0.
    """

    name: str
    path: Path
    boxes: NDArray[np.float64]
    images: tuple[Path, ...] = ()
    mask_paths: tuple[Path, ...] = ()
    mask_label: int | None = None

    @property
    def video(self) -> Path:
        """The video file, or the folder of the images."""
        return self.images[0].parent if self.images else self.path / VIDEO_NAME

    @property
    def read_from(self) -> tuple[Path, ...]:
        """The folders whose files it consists of."""
        first_files = (self.video, *self.mask_paths[:1])
        return tuple(dict.fromkeys((self.path, *(file if file.is_dir() else file.parent for file in first_files))))

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
        mask = self.mask(0)
        if not mask.any():
            raise DataError(f"{self.mask_paths[0]} is empty; allowed is a mask to start from")
        return mask

    def mask(self, index: int) -> Pixels:
        """The true mask of a frame, height x width, 0 or 255. Raises DataError if it cannot be read."""
        return read_mask(self.mask_paths[index], self.mask_label)

    def first_target(self, init: Init) -> Target:
        """The target as box or as mask of the first frame. Raises DataError where there is none."""
        return Target(mask=self.first_mask) if init == "mask" else Target(box=self.first_box)

    def frames(self, fps: float = NOMINAL_FPS, count: int | None = None) -> Generator[Frame, None, None]:
        """The first `count` frames (None: of all boxes), stamped index / fps; what cannot be read is a gap.

        Raises DataError if it cannot be opened, if an image is missing or the first one cannot be read: a video cut
        short just ends.
        """
        count = len(self.boxes[:count])
        if not self.images:
            return _up_to(count, frames(self.video, fps))
        missing = [path for path in self.images[:count] if not path.is_file()]
        if missing or len(self.images) < count:
            there = len(self.images[:count]) - len(missing)
            named = f"; {missing[0]} is the first that is missing" if missing else ""
            raise DataError(f"{self.video} has {there} images for {count} boxes{named}; allowed is one for every box")
        return iter(ImageFolder(self.video, fps, paths=self.images[:count]))

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


def _up_to(count: int, stream: Generator[Frame, None, None]) -> Generator[Frame, None, None]:
    """The frames whose number, gaps counted, is below `count`."""
    try:
        number = -1
        for frame in islice(stream, count):
            number += 1 + frame.gap
            if number < count:
                yield frame
            if number >= count - 1:
                return
    finally:
        stream.close()
