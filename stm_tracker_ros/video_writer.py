"""Pictures for people: a video that a browser plays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import cv2
import numpy as np

from stm_tracker_ros.core.errors import DataError, OutputError
from stm_tracker_ros.core.output_folder import new_file, said
from stm_tracker_ros.core.types import Pixels

CODEC = "libx264"
LONGEST_SIDE = 8192  # that players can be trusted with; H.264 ends at twice that
INSTALL_HINT = "pip install 'stm_tracker_ros[video]'"


class VideoWriter:
    """Writes BGR images as an H.264 video; use it in a `with` block, and the file is complete when the block ends.

    All images take the size of the first one, cut to even numbers, which H.264's 4:2:0 asks for, and made smaller where
    a side is longer than LONGEST_SIDE; those of another size are scaled into it, with black beside them where the
    aspect differs.
    """

    def __init__(self, file: BinaryIO | Path | str, fps: float = 30.0) -> None:
        """`file`: a new one that its owner closes, or the path of one that is not there yet.

        Raises DataError where PyAV is not installed, OutputError where the file exists or cannot be made.
        """
        av = _pyav()
        self._frame_class, self._error_class = av.VideoFrame, av.FFmpegError
        self._own: BinaryIO | None = None
        if isinstance(file, Path | str):
            file = self._own = new_file(Path(file))
        self._file, self._path = file, Path(file.name)
        # PyAV opens a file by its name, and with the first image only, when another one may lie there: it is given the
        # descriptor of the one that was made.
        self._container = av.open(
            f"/proc/self/fd/{file.fileno()}", "w", format="mp4", options={"movflags": "faststart"}
        )
        rate = Fraction(fps).limit_denominator(1001)
        self._stream = self._container.add_stream(CODEC, rate=rate, options={"crf": "23", "preset": "veryfast"})
        self._stream.pix_fmt = "yuv420p"
        # One thread: the encoder runs beside a tracker that needs the cores.
        self._stream.codec_context.thread_count = 1
        self._size: tuple[int, int] | None = None

    def write(self, image_bgr: Pixels) -> None:
        """Append one image, height x width x 3 uint8. Raises OutputError if the video cannot be written."""
        if self._size is None:
            height, width = image_bgr.shape[:2]
            smaller = min(1.0, LONGEST_SIDE / max(height, width))
            self._size = max(2, round(smaller * height)), max(2, round(smaller * width))
            self._stream.height, self._stream.width = (side - side % 2 for side in self._size)
        image_bgr = _fitted(image_bgr, *self._size)
        picture = np.ascontiguousarray(image_bgr[: self._stream.height, : self._stream.width])
        frame = self._frame_class.from_ndarray(picture, format="bgr24")
        with self._said():
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what the encoder holds back, and close the file; a second call does nothing.

        Raises OutputError if the video cannot be written: the file is empty then, for nothing plays a part of one.
        """
        container, self._container = self._container, None
        if container is None:
            return
        try:
            with self._said():
                if self._size is not None:
                    container.mux(self._stream.encode(None))
                container.close()
        finally:
            if self._own is not None:
                self._own.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except OutputError:
            # A full disk refuses the end of the video as well: what was refused first is told.
            if not isinstance(value, OutputError):
                raise

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What cannot be written ends the video: FFmpeg crashes where it closes one whose beginning it could not write.

        Raises OutputError.
        """
        try:
            with said(self._path):
                yield
        except (OutputError, self._error_class) as error:
            self._container = None
            self._file.truncate(0)
            known = isinstance(error, OutputError)
            raise OutputError(str(error) if known else f"{self._path} cannot be written as a video: {error}") from None


def _fitted(image_bgr: Pixels, height: int, width: int) -> Pixels:
    """The whole image in a picture of that size."""
    if image_bgr.shape[:2] == (height, width):
        return image_bgr
    scale = min(height / image_bgr.shape[0], width / image_bgr.shape[1])
    size = max(1, round(scale * image_bgr.shape[1])), max(1, round(scale * image_bgr.shape[0]))
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: size[1], : size[0]] = cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA)
    return picture


def can_write_video() -> bool:
    """Whether PyAV is there, which videos are written with."""
    try:
        _pyav()
    except DataError:
        return False
    return True


def _pyav() -> Any:
    """PyAV, untyped: its annotations change with its version. Writers of video need it; a robot's node does not."""
    try:
        import av
    except ImportError:
        raise DataError(f"writing a video needs PyAV; install it with: {INSTALL_HINT}") from None
    return av
