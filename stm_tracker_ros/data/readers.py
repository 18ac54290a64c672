"""The front door to pictures: a source is opened as what it is; images and masks are read.

What exists as a path is that path, whatever its name looks like: a folder of images, a bag, an image, a video, a
camera's device file. Else a bare number is a camera, and scheme://... a stream.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Generator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import HIGHEST_FPS, LEAST_FPS, Frame
from stm_tracker_ros.data.bags import Bag, View, is_bag
from stm_tracker_ros.data.image_files import IMAGE_SUFFIXES, is_image_name, read_image
from stm_tracker_ros.data.labels import read_mask
from stm_tracker_ros.data.sources import NOMINAL_FPS, ImageFolder, Source, stamp_of
from stm_tracker_ros.data.videos import Live, VideoFile, without_password

__all__ = [
    "IMAGE_SUFFIXES",
    "NOMINAL_FPS",
    "Source",
    "frames",
    "open_source",
    "read_image",
    "read_mask",
    "stamp_of",
]

ALLOWED = "a video file, a folder of images, a bag, a camera's number or device file, or an address such as rtsp://..."
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_VIDEO_DEVICES = 81  # Linux: major number of video4linux
_NOT_READ = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a disk", stat.S_IFCHR: "a device"}


def frames(source: Path | str, fps: float = NOMINAL_FPS) -> Generator[Frame, None, None]:
    """The frames of `open_source(source, fps)`, which is opened at once and closed when the iterator ends or is closed.

    Raises DataError.
    """
    return iter(open_source(source, fps))


def open_source(
    source: Path | str, fps: float = NOMINAL_FPS, *, start: int = 0, topic: str | None = None, view: View | None = None
) -> Source:
    """The source of that name, opened; see the module.

    Stamps are index / fps from 0 for videos and images, the headers' for a bag, the monotonic clock for live ones.
    start: the first frame that is wanted. topic: of a bag, None where one has images. view: gives the image of a
    sensor_msgs/Image or CompressedImage and its time in ns; bags need it. Raises DataError if there is nothing of that
    name, or nothing that can be opened.
    """
    if not LEAST_FPS <= fps <= HIGHEST_FPS:
        raise DataError(f"fps is {fps}; allowed are {LEAST_FPS:g} to {HIGHEST_FPS:g} frames a second")
    if start < 0:
        raise DataError(f"the first frame is {start}; allowed are whole numbers from 0 on")
    text = os.fspath(source)
    if not text:
        raise DataError(f"the source is empty; allowed is {ALLOWED}")
    path = Path(unquote(urlsplit(text).path)) if text.startswith("file://") and not os.path.exists(text) else Path(text)
    opened = _of_path(path, fps, start, topic, view) if os.path.exists(path) else _of_words(text, start)
    if topic is not None and not isinstance(opened, Bag):
        opened.close()
        raise DataError(f"topic {topic} was given, and {opened.name} is no bag")
    return opened


def _of_path(path: Path, fps: float, start: int, topic: str | None, view: View | None) -> Source:
    mode = path.stat().st_mode
    if stat.S_ISCHR(mode) and os.major(path.stat().st_rdev) == _VIDEO_DEVICES:
        return Live(str(path), f"camera {path}", start)
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise DataError(f"{path} is {_NOT_READ.get(stat.S_IFMT(mode), 'no file')}; allowed is {ALLOWED}")
    if is_bag(path):
        if view is None:
            raise DataError(f"{path} is a bag, which is read by `stm_tracker track` only")
        return Bag(path, view, topic, start)
    if stat.S_ISDIR(mode) or is_image_name(path.name):
        return ImageFolder(path, fps, start)
    return VideoFile(path, fps, start)


def _of_words(text: str, start: int) -> Source:
    if text.isascii() and text.isdigit():
        return Live(int(text), f"camera {text}", start)
    if _ADDRESS.match(text) and not text.startswith("file://"):
        return Live(text, without_password(text), start)
    raise DataError(f"{without_password(text)} does not exist; allowed is {ALLOWED}")
