"""Streams of frames: what they have in common, and folders of images as one."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.stretch import Stretch
from stm_tracker_ros.core.types import Frame, ImageView, Pixels
from stm_tracker_ros.data.image_files import eight_bits, image_paths, read_raw

NOMINAL_FPS = 30.0
"""The rate assumed for recorded video: what containers say of their rate is often wrong."""

Picture = Union[NDArray[Any], ImageView, None]
"""height x width [x 3], BGR, of any type; None for one that cannot be read."""

_log = logging.getLogger(__name__)
_MOST_NAMED = 5


class Source(ABC):
    """A stream of frames, to be iterated once; what it was opened for is closed when the iteration ends or `close` is.

    name: for messages. start: the number, by the source and from 0, of the first frame that comes. The number of each
    later one is that of the frame before it + 1 + its `gap`.
    """

    def __init__(self, name: str, start: int = 0) -> None:
        self.name, self.start = name, start
        self._told: list[str] = []
        self._first_lost: list[str] = []
        self._lost_count = 0

    def __iter__(self) -> Generator[Frame, None, None]:
        """Raises DataError if there is no frame of the number `start`, or it cannot be read."""
        stretch, gap, count = Stretch(), 0, 0
        try:
            for stamp_ns, picture in self._pictures():
                if picture is None:
                    gap += 1
                    continue
                yield Frame(image=_bgr(picture, stretch, stamp_ns), stamp_ns=stamp_ns, gap=gap)
                gap, count = 0, count + 1
            if not count:
                raise DataError(f"{self.name} {self._emptiness()}")
            self._check_end()
        finally:
            self.close()

    @property
    def troubles(self) -> list[str]:
        """Sentences on frames that could not be read so far; complete when the iteration has come to its end.

        Empty says that every frame was read. What it says is logged as warnings as well, as it happens.
        """
        return [self._told_of_lost(), *self._told] if self._lost_count else list(self._told)

    def close(self) -> None:  # noqa: B027  (images of a folder leave nothing open)
        """Let go of what was opened; a second call does nothing."""

    @abstractmethod
    def _pictures(self) -> Iterator[tuple[int, Picture]]:
        """Stamp and picture of every frame from `start` on; raises DataError if the first one cannot be read."""

    def _emptiness(self) -> str:
        return f"has no frame {self.start}; they are counted from 0" if self.start else "holds no image"

    def _check_end(self) -> None:  # noqa: B027  (most have given all)
        """Tell, after the last frame, what the source has not given."""

    def _told_of_lost(self) -> str:
        count, named = self._lost_count, ", ".join(self._first_lost)
        more = f" and {count - _MOST_NAMED} more" if count > _MOST_NAMED else ""
        what = "1 image is a gap" if count == 1 else f"{count} images are gaps"
        return f"{what} in {self.name}, left out as unreadable: {named}{more}"

    def _lose(self, name: str, why: str) -> None:
        """Note a frame that cannot be read; the first few are logged one by one."""
        self._lost_count += 1
        if self._lost_count <= _MOST_NAMED:
            self._first_lost.append(name)
            _log.warning("%s; it is left out", why)

    def _trouble(self, text: str) -> None:
        self._told.append(text)
        _log.warning("%s", text)


class ImageFolder(Source):
    """Images of a folder in natural order, or some files; one that cannot be read is a gap, and keeps its number."""

    def __init__(self, source: Path, fps: float, start: int = 0, paths: Sequence[Path] = ()) -> None:
        """`source`: a folder, or one image; paths: these only, in this order. Raises DataError if there are none."""
        super().__init__(str(source), start)
        self._paths = paths or (image_paths(source) if source.is_dir() else [source])
        self._fps = fps

    def _pictures(self) -> Iterator[tuple[int, Picture]]:
        for index, path in enumerate(self._paths[self.start :], self.start):
            try:
                picture = read_raw(path)
            except DataError as error:
                if index == self.start:
                    raise DataError(f"{error}; the target is given on this one, frame {index}") from None
                self._lose(path.name, str(error))
                picture = None
            yield stamp_of(index, self._fps), picture

    def _emptiness(self) -> str:
        return f"holds {len(self._paths)} images; frame {self.start} is beyond them, for they are counted from 0"


def stamp_of(index: int, fps: float = NOMINAL_FPS) -> int:
    """The stamp of a recording's frame in nanoseconds."""
    return round(index * 1e9 / fps)


def _bgr(picture: NDArray[Any] | ImageView, stretch: Stretch, stamp_ns: int) -> Pixels | ImageView:
    if not isinstance(picture, np.ndarray):
        return picture
    pixels = eight_bits(picture, stretch, stamp_ns)
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
