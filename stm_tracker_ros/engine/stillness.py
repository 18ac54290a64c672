"""Does the picture stand still? A camera that hangs may send its last image for ever, with fresh stamps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from stm_tracker_ros.engine.history import Offered

MessageT = TypeVar("MessageT")


class Stillness(Generic[MessageT]):
    """Compares each image with the one before; same: whether two messages hold the same picture."""

    def __init__(self, same: Callable[[MessageT, MessageT], bool]) -> None:
        self._same = same
        self._last: MessageT | None = None
        self._since_ns = 0

    def restart(self) -> None:
        """Images went by that were not compared: nothing is known of the next one."""
        self._last = None

    def of(self, offered: Offered[MessageT]) -> int:
        """For how long the picture has been what it is, steady nanoseconds; 0 when it has just changed."""
        if self._last is None or not self._same(self._last, offered.message):
            self._since_ns = offered.received_ns
        self._last = offered.message
        return offered.received_ns - self._since_ns
