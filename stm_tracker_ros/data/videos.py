"""Video files, cameras and streams from the network, through OpenCV."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.containers import counts_frames, counts_time, missing_bytes, shown_frames
from stm_tracker_ros.data.sources import Picture, Source, stamp_of

# OpenCV's name of FFmpeg's pixel formats of one grey channel; it hands over the last one whole, of others 8 bits.
_GREY_FORMAT, _GREY_16 = b"Y1\x00", 16
# Sound may last longer than the pictures.
_LEAST_OF_DURATION = 0.8
# Of the usual time from frame to frame: what is longer shows that frames are missing, not that clocks are coarse.
_LEAST_GAP = 1.75
_LARGEST_CAMERA = 2**31 - 1

_log = logging.getLogger(__name__)


class VideoFile(Source):
    """Frames of a video file, turned as its metadata says; stamps are index / fps."""

    def __init__(self, path: Path, fps: float, start: int = 0) -> None:
        """Raises DataError if it cannot be opened as video."""
        super().__init__(str(path), start)
        self._path, self._fps, self._decoded = path, fps, 0
        self._times_s = [0.0]
        self._link: TemporaryDirectory[str] | None = None
        self._capture = _opened(self._openable_name())
        if self._capture is None:
            self.close()
            raise DataError(f"{path} cannot be opened as video{_reason(path)}")
        self._claimed = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._duration_s = self._claimed / max(self._capture.get(cv2.CAP_PROP_FPS), 1e-3)
        self._few_bits = _take_all_bits(self._capture)

    def close(self) -> None:
        """Close the file."""
        if self._capture is not None:
            self._capture.release()
        if self._link is not None:
            self._link.cleanup()
        self._capture = self._link = None

    def _pictures(self) -> Iterator[tuple[int, Picture]]:
        assert self._capture is not None, "a source is iterated once"
        if self._few_bits:
            _log.warning("%s has %d bits a pixel, of which this OpenCV gives the highest 8", self.name, self._few_bits)
        while self._decoded < self.start and self._capture.grab():
            self._decoded += 1
        while True:
            ok, image = self._capture.read()
            if not ok:
                break
            self._decoded += 1
            self._times_s.append(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3)
            yield stamp_of(self._decoded - 1, self._fps), image

    def _emptiness(self) -> str:
        if self._decoded:
            return f"has {self._decoded} frames; frame {self.start} is beyond them, for they are counted from 0"
        return f"holds no image that can be decoded{_reason(self._path)}"

    def _check_end(self) -> None:
        missing, expected = missing_bytes(self._path), shown_frames(self._path, self._claimed)
        counted = f"{self._decoded} of its {expected} frames" if expected > self._decoded else f"{self._decoded} frames"
        if missing:
            self._trouble(f"{self.name} is cut short by {missing} bytes or more: {counted} could be decoded")
        elif counts_frames(self._path) and expected > self._decoded:
            self._trouble(f"{self.name} is damaged: {counted} could be decoded")
        elif counts_time(self._path) and (end_s := self._end_s()) < self._duration_s * _LEAST_OF_DURATION:
            ends = f"ends after {end_s:.1f} s of the {self._duration_s:.1f} s that it claims to last"
            self._trouble(f"{self.name} may be damaged: it {ends}, {counted} could be decoded")
        elif counts_time(self._path) and (gap := self._gap()):
            self._trouble(f"{self.name} may be damaged: {gap}")

    def _end_s(self) -> float:
        """When the last frame that was decoded ends, by the container's clock."""
        return self._times_s[-1] + self._duration_s / max(self._claimed, 1)

    def _gap(self) -> str:
        """What the container's clock says of frames between those that were decoded; empty if there are none."""
        steps = np.diff(self._times_s[1:])
        usual = float(np.median(steps)) if len(steps) else 0.0
        if usual <= 0 or not (jumps := np.flatnonzero(steps > _LEAST_GAP * usual)).size:
            return ""
        missing, first = int(np.rint(steps[jumps] / usual - 1).sum()), self.start + int(jumps[0])
        return (
            f"about {missing} frames are missing by its clock, the first of them after frame {first} (or its rate "
            "changes); those behind are numbered as if none were"
        )

    def _openable_name(self) -> str:
        """A name of the file that OpenCV and FFmpeg take for nothing else.

        Relative ones with a colon are addresses to them, % makes a pattern, and they know names in UTF-8 only.
        """
        name = str(self._path.absolute())
        if "%" not in name and _is_utf8(name):
            return name
        suffix = self._path.suffix if self._path.suffix[1:].isalnum() and self._path.suffix.isascii() else ""
        try:
            self._link = TemporaryDirectory(prefix="stm_tracker_")
            link = Path(self._link.name) / f"video{suffix}"
            link.symlink_to(name)
        except OSError as error:
            raise DataError(f"{self._path} needs a link for OpenCV to open it, which failed: {error}") from None
        return str(link)


class Live(Source):
    """A camera or a stream; stamps are of the monotonic clock."""

    def __init__(self, address: int | str, name: str, start: int = 0) -> None:
        """`address`: a camera's number, a device file, or scheme://... Raises DataError if it cannot be opened."""
        super().__init__(name, start)
        self._capture = _opened_live(address)
        if self._capture is None:
            raise DataError(f"{name} cannot be opened as video; is it there, and may it be read?")

    def close(self) -> None:
        """Close the camera or the connection."""
        if self._capture is not None:
            self._capture.release()
        self._capture = None

    def _pictures(self) -> Iterator[tuple[int, Picture]]:
        assert self._capture is not None, "a source is iterated once"
        for _ in range(self.start):
            if not self._capture.grab():
                return
        while True:
            ok, image = self._capture.read()
            if not ok:
                return
            yield time.monotonic_ns(), image

    def _emptiness(self) -> str:
        return "gave no image" if not self.start else f"ended before frame {self.start}"

    def _check_end(self) -> None:
        self._trouble(f"{self.name} gives no more images: it ended, or the connection to it was lost")


def without_password(address: str) -> str:
    """A stream's address without the name and password in it, for messages."""
    return re.sub(r"://[^/]*@", "://", address)


def _opened_live(address: int | str) -> cv2.VideoCapture | None:
    if isinstance(address, int) and address > _LARGEST_CAMERA:
        return None
    is_device = isinstance(address, str) and os.path.exists(address)
    # FFmpeg, which OpenCV asks first, would read a device as a file.
    return (_opened(address, cv2.CAP_V4L2) if is_device else None) or _opened(address)


def _opened(address: int | str, interface: int = cv2.CAP_ANY) -> cv2.VideoCapture | None:
    try:
        capture = cv2.VideoCapture(address, interface)
    except (cv2.error, ValueError):
        return None
    if not capture.isOpened():
        capture.release()
        return None
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # not the default everywhere
    return capture


def _take_all_bits(capture: cv2.VideoCapture) -> int:
    """Ask for 16 bits where the video has them; gives the number of bits where OpenCV would cut them, else 0."""
    tag = (int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) & 0xFFFFFFFF).to_bytes(4, "little")
    bits = tag[3] if tag.startswith(_GREY_FORMAT) else tag[0] if tag[:0:-1] == _GREY_FORMAT else 0
    if tag == _GREY_FORMAT + bytes([_GREY_16]) and capture.set(cv2.CAP_PROP_CONVERT_RGB, 0):
        return 0
    return bits


def _reason(path: Path) -> str:
    """Why a file that exists is no video, as far as its bytes say."""
    try:
        with open(path, "rb") as file:
            start = file.read(512)
        missing = missing_bytes(path)
    except OSError as error:
        return f": {error.strerror}"
    if not start:
        return ": it is empty"
    if missing:
        return f": it is cut short by {missing} bytes or more"
    if start[4:8] == b"ftyp":
        return ": its index is missing or damaged, as of a recording that was not finished, or its codec is not known"
    if start.isascii() and b"\0" not in start:
        return ": it is text"
    return ""


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
