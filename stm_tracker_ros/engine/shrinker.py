"""Keeps older frames smaller before they are too many bytes, in a thread of its own.

The executor must not do it, for it receives the images; nor the engine, whose first frame may take a second, in which
more images come than there is room for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from stm_tracker_ros.engine.history import Smaller
from stm_tracker_ros.engine.intake import Intake

MessageT = TypeVar("MessageT")
logger = logging.getLogger(__name__)


class Shrinker(Generic[MessageT]):
    """Its thread runs from `start` to `stop`, and sleeps unless it was woken.

    shrink: a message -> one with a smaller version of its image; None for one that cannot be made smaller.
    """

    def __init__(self, intake: Intake[MessageT], shrink: Callable[[MessageT], Smaller[MessageT] | None]) -> None:
        self._intake, self._shrink = intake, shrink
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._ended = False

    def start(self) -> None:
        """Begin; it is stopped."""
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the frame in work and join it."""
        if self._thread is not None:
            self._ended = True
            self._woken.set()
            self._thread.join()
            self._thread = None

    def wake(self) -> None:
        """A frame has come; never blocks."""
        self._woken.set()

    def work(self) -> None:
        """Make frames smaller until there is room."""
        while not self._ended and (frame := self._intake.too_large()) is not None:
            try:
                made = self._shrink(frame.message)
            except Exception as error:  # noqa: BLE001  a bad image is kept as it is
                logger.debug("a kept image cannot be made smaller: %s", error)
                made = None
            self._intake.exchange(frame.smaller(made))

    def _run(self) -> None:
        while not self._ended:
            self._woken.wait()
            self._woken.clear()
            self.work()
