"""The frames of the last moments, so that a target can be named on the image that the operator saw."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from stm_tracker_ros.engine.config import HistoryConfig

MessageT = TypeVar("MessageT")


@dataclass(frozen=True, kw_only=True)
class Offered(Generic[MessageT]):
    """A received message with what the engine knows of it.

    stamp_ns: of the image, by the camera's clock; the arrival where it is 0 (`has_stamp` False). arrival_ns: by the
    node's clock. received_ns: by the monotonic one. nbytes: size of the image's data. position: its place in the
    stream, counting frames that never reached us.
    """

    message: MessageT
    stamp_ns: int
    arrival_ns: int
    received_ns: int
    nbytes: int
    position: int
    has_stamp: bool = True


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

    def find(self, stamp_ns: int, tolerance_ns: int) -> Offered[MessageT] | None:
        """The frame nearest to a stamp (of equals the last received), the newest for 0; None if there is none."""
        if stamp_ns == 0:
            return self._frames[-1] if self._frames else None
        nearest = min(reversed(self._frames), key=lambda frame: abs(frame.stamp_ns - stamp_ns), default=None)
        return nearest if nearest and abs(nearest.stamp_ns - stamp_ns) <= tolerance_ns else None

    def _too_much(self) -> bool:
        span = self._frames[-1].received_ns - self._frames[0].received_ns
        return span > self._span_ns or self.nbytes > self._max_bytes
