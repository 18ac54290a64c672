"""What happens to a message before it waits: its place in the stream, its stamp, its entry in the history."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter_ns
from typing import Generic, TypeVar

from stm_tracker_ros.engine.config import HistoryConfig
from stm_tracker_ros.engine.history import History, Offered
from stm_tracker_ros.engine.loss import LossCounter

MessageT = TypeVar("MessageT")


class Intake(Generic[MessageT]):
    """Thread-safe; nothing here takes long."""

    def __init__(self, config: HistoryConfig, steady_ns: Callable[[], int] = perf_counter_ns) -> None:
        self._config, self._steady_ns = config, steady_ns
        self._lock = threading.Lock()
        self._loss = LossCounter()
        self._received = self._lost_before = self._lost_when_started = 0
        self._history: History[MessageT] = History(config)

    def admit(
        self, message: MessageT, *, stamp_ns: int, arrival_ns: int, nbytes: int, sequence: int | None
    ) -> Offered[MessageT]:
        """The message with its place in the stream; the arrival stands for a stamp of 0."""
        with self._lock:
            received_ns = self._steady_ns()
            lost = self._lost_before + self._loss.add(sequence, stamp_ns or arrival_ns, arrival_ns, received_ns)
            self._received += 1
            frame = Offered(
                message=message,
                stamp_ns=stamp_ns or arrival_ns,
                arrival_ns=arrival_ns,
                received_ns=received_ns,
                nbytes=nbytes,
                position=self._received + lost,
                has_stamp=bool(stamp_ns),
            )
            self._history.add(frame)
        return frame

    @property
    def lost(self) -> tuple[int, bool]:
        """Frames lost before us since `restart`, and whether they are estimated."""
        with self._lock:
            return self._lost_before + self._loss.total - self._lost_when_started, self._loss.estimated

    def find(self, stamp_ns: int, tolerance_ms: float) -> tuple[Offered[MessageT] | None, int]:
        """The frame of that stamp (0 = newest), if it is kept; and how many frames are kept."""
        with self._lock:
            return self._history.find(stamp_ns, round(tolerance_ms * 1e6)), len(self._history)

    def after(self, position: int) -> list[Offered[MessageT]]:
        """The kept frames behind that place in the stream, the oldest first."""
        with self._lock:
            return self._history.after(position)

    def too_large(self) -> Offered[MessageT] | None:
        """The kept frame to be made smaller next; None if there is none."""
        with self._lock:
            return self._history.too_large()

    def exchange(self, frame: Offered[MessageT]) -> None:
        """Keep that version of a frame, unless it was forgotten meanwhile."""
        with self._lock:
            self._history.exchange(frame)

    def forget(self) -> None:
        """Empty the history."""
        with self._lock:
            self._history = History(self._config)

    def restart(self) -> None:
        """Count losses from 0: what came while nobody listened is none."""
        self.change_source()
        with self._lock:
            self._lost_when_started = self._lost_before

    def change_source(self) -> None:
        """The next message has another publisher's number, and says nothing of what was lost before it."""
        with self._lock:
            self._lost_before += self._loss.total
            self._loss = LossCounter()
