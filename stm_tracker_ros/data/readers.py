"""Images as a stream of frames: from a video file, a folder of images, or a camera."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from pathlib import Path

import cv2
import numpy as np

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Frame, Pixels

NOMINAL_FPS = 30.0
"""The rate assumed for recorded video: what containers say of their rate is often wrong."""

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def frames(source: Path | str, fps: float = NOMINAL_FPS) -> Generator[Frame, None, None]:
    """The frames of `source`: a video file, a folder of images (in order of their names), or a camera's number.

    Stamps are index / fps from 0 for recordings, the monotonic clock for a camera. The source is opened at once and
    closed when the iterator ends or is closed. Raises DataError if it cannot be opened or holds no image.
    """
    if not fps > 0:
        raise DataError(f"fps is {fps}; allowed is a rate above 0 frames a second")
    if str(source).isdigit():
        return _camera(_open(int(str(source)), f"camera {source}"))
    if Path(source).is_dir():
        return _recorded(_images(_image_paths(Path(source))), fps)
    return _recorded(_video(_open(str(source), str(source)), str(source)), fps)


def read_image(path: Path | str) -> Pixels:
    """An image file as height x width x 3 uint8 BGR. Raises DataError if it is none."""
    # imdecode reads names that imread refuses on some platforms, and says nothing on stderr about the rest.
    data = np.fromfile(path, np.uint8) if Path(path).is_file() else np.empty(0, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise DataError(f"{path} cannot be read as an image")
    return image  # type: ignore[return-value]


def read_mask(path: Path | str) -> Pixels:
    """A mask file as height x width uint8, 0 or 255. Raises DataError if it cannot be read."""
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if Path(path).is_file() else None
    if mask is None:
        raise DataError(f"{path} cannot be read as a mask; allowed is a PNG, non-zero where the target is")
    return ((mask > 0) * 255).astype(np.uint8)


def stamp_of(index: int, fps: float = NOMINAL_FPS) -> int:
    """The stamp of a recording's frame in nanoseconds."""
    return round(index * 1e9 / fps)


def _recorded(images: Iterator[Pixels], fps: float) -> Generator[Frame, None, None]:
    for index, image in enumerate(images):
        yield Frame(image=image, stamp_ns=stamp_of(index, fps))


def _camera(capture: cv2.VideoCapture) -> Generator[Frame, None, None]:
    try:
        while True:
            ok, image = capture.read()
            if not ok:
                return
            yield Frame(image=image, stamp_ns=time.monotonic_ns())  # type: ignore[arg-type]
    finally:
        capture.release()


def _open(source: int | str, name: str) -> cv2.VideoCapture:
    if isinstance(source, str) and not Path(source).is_file():
        raise DataError(f"{name} does not exist; allowed is a video file, a folder of images or a camera's number")
    capture = cv2.VideoCapture(source)
    if not capture.isOpened():
        capture.release()
        raise DataError(f"{name} cannot be opened as video")
    return capture


def _video(capture: cv2.VideoCapture, name: str) -> Iterator[Pixels]:
    count = 0
    try:
        while True:
            ok, image = capture.read()
            if not ok:
                break
            count += 1
            yield image  # type: ignore[misc]
    finally:
        capture.release()
    if not count:
        raise DataError(f"{name} holds no image that can be decoded")


def _image_paths(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise DataError(f"{folder} holds no images; allowed are files ending in {', '.join(IMAGE_SUFFIXES)}")
    return paths


def _images(paths: list[Path]) -> Iterator[Pixels]:
    return (read_image(path) for path in paths)
