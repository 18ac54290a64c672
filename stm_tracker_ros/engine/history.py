"""The frames of the last moments, so that a target can be named on the image that the operator saw."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from stm_tracker_ros.engine.config import HistoryConfig

MessageT = TypeVar("MessageT")
SMALLEST = 2  # times that a frame is made smaller: half size, then a quarter
ROOM_FRAMES = 2  # so many more of the newest size find room while a frame is made smaller


@dataclass(frozen=True, kw_only=True)
class Smaller(Generic[MessageT]):
    """A message with a smaller version of an image.

    nbytes: size of its data. size: width and height of the image that it was made from, pixels.
    """

    message: MessageT
    nbytes: int
    size: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Offered(Generic[MessageT]):
    """A received message with what the engine knows of it.

    stamp_ns: of the image, by the camera's clock; the arrival where it is 0 (`has_stamp` False). arrival_ns: by the
    node's clock. received_ns: by the monotonic one. nbytes: size of the image's data. position: its place in the
    stream, counting frames that never reached us. full_size: width and height of the image, pixels, where the message
    holds a smaller version of it; None where it is the one that came. times_shrunk: how often it was made smaller;
    SMALLEST where it cannot become smaller.
    """

    message: MessageT
    stamp_ns: int
    arrival_ns: int
    received_ns: int
    nbytes: int
    position: int
    has_stamp: bool = True
    full_size: tuple[int, int] | None = None
    times_shrunk: int = 0

    def smaller(self, made: Smaller[MessageT] | None) -> Offered[MessageT]:
        """The same with the smaller message; with None, or one that is no smaller, as it is for good."""
        if made is None or made.nbytes >= self.nbytes:
            return replace(self, times_shrunk=SMALLEST)
        return replace(
            self,
            message=made.message,
            nbytes=made.nbytes,
            full_size=self.full_size or made.size,
            times_shrunk=self.times_shrunk + 1,
        )


class History(Generic[MessageT]):
    """Bounded by the time between arrivals and by bytes; the newest frame is always kept. Not thread-safe."""

    def __init__(self, config: HistoryConfig) -> None:
        self._span_ns = round(config.seconds * 1e9)
        self._max_bytes = round(config.mebibytes * 2**20)
        self._frames: deque[Offered[MessageT]] = deque()
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: Offered[MessageT]) -> None:
        """Keep a frame and forget those that are too many."""
        self._frames.append(frame)
        self.nbytes += frame.nbytes
        while len(self._frames) > 1 and self._too_much():
            self.nbytes -= self._frames.popleft().nbytes

    def too_large(self) -> Offered[MessageT] | None:
        """The frame to be made smaller next: the oldest of the largest versions, the newest frame never.

        None while there is room, or nothing can become smaller. It is asked for before the bytes are too many, so that
        what comes while it is made smaller pushes nothing out.
        """
        room = ROOM_FRAMES * self._frames[-1].nbytes if self._frames else 0
        if self.nbytes <= max(self._max_bytes - room, self._max_bytes / 2):
            return None
        older = [frame for frame in self._frames if frame.times_shrunk < SMALLEST][:-1]
        return min(older, key=lambda frame: frame.times_shrunk, default=None)

    def exchange(self, frame: Offered[MessageT]) -> None:
        """Keep that version of a frame, unless it was forgotten meanwhile."""
        for index, kept in enumerate(self._frames):
            if kept.position == frame.position:
                self.nbytes += frame.nbytes - kept.nbytes
                self._frames[index] = frame

    def after(self, position: int) -> list[Offered[MessageT]]:
        """The frames behind that place in the stream, the oldest first."""
        return [frame for frame in self._frames if frame.position > position]

    def find(self, stamp_ns: int, tolerance_ns: int) -> Offered[MessageT] | None:
        """The frame nearest to a stamp (of equals the last received), the newest for 0; None if there is none."""
        if stamp_ns == 0:
            return self._frames[-1] if self._frames else None
        nearest = min(reversed(self._frames), key=lambda frame: abs(frame.stamp_ns - stamp_ns), default=None)
        return nearest if nearest and abs(nearest.stamp_ns - stamp_ns) <= tolerance_ns else None

    def _too_much(self) -> bool:
        span = self._frames[-1].received_ns - self._frames[0].received_ns
        return span > self._span_ns or self.nbytes > self._max_bytes
