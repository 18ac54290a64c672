"""Orders to stop hold from the moment they are given, though the engine's thread may be at work on an image."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from stm_tracker_ros.engine.drop_policy import DropReason
from stm_tracker_ros.engine.promises import give
from stm_tracker_ros.engine.stats import Status
from stm_tracker_ros.engine.target_state import State

AT_ONCE_MS = 200.0
"""An operator who says stop is answered within this time, however long the tracker takes."""
AT_WORK = "stopped; the tracker is still at work on an image that came before"
SentT = ParamSpec("SentT")
ValueT = TypeVar("ValueT")


class Halts:
    """The orders that wait for the engine's thread: NO_TARGET is a clear, PAUSED a pause. From any thread.

    stopped: the engine was stopped, and its thread has not come to its end.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._orders: list[DropReason] = []
        self._sending = threading.Lock()
        self._promised: dict[Future[Any], Callable[[], object]] = {}

    def stop(self) -> None:
        """Nothing goes out from now on, until `end`; what is on its way is waited for, since no tracker works there."""
        with self._sending:
            self.stopped = True
        for answer in tuple(self._promised.values()):
            answer()

    def promise(self, future: Future[ValueT], answer: Callable[[], ValueT]) -> None:
        """Who waits for the engine's thread gets that answer when it is stopped, unless there was one before."""
        self._promised[future] = lambda: give(future, answer())
        future.add_done_callback(lambda _: self._promised.pop(future, None))

    def end(self) -> None:
        """The engine's thread has come to its end."""
        self.stopped = False

    def unless_stopped(self, send: Callable[SentT, None]) -> Callable[SentT, None]:
        """`send`, which does nothing while it is stopped."""

        def sent(*arguments: SentT.args, **named: SentT.kwargs) -> None:
            with self._sending:
                if not self.stopped:
                    send(*arguments, **named)

        return sent

    def add(self, order: DropReason) -> None:
        """It holds from now on."""
        self._orders.append(order)

    def done(self, order: DropReason) -> None:
        """The engine's thread has done it: its own state tells of it from now on."""
        self._orders.remove(order)

    @property
    def reason(self) -> DropReason | None:
        """Why the image in work must not be answered; None if it may."""
        orders = tuple(self._orders)
        return DropReason.INACTIVE if self.stopped else orders[-1] if orders else None

    @property
    def clears(self) -> bool:
        """Whether a clear waits."""
        return DropReason.NO_TARGET in self._orders

    def seen_in(self, status: Status) -> Status:
        """What the engine's thread says of itself, as these orders leave it."""
        orders = tuple(self._orders)
        if not (orders or self.stopped) or status.state in (State.FAULT, State.INACTIVE):
            return status
        kept = Status(state=State.NO_TARGET, image_stamp_ns=status.image_stamp_ns)
        if self.stopped:
            return replace(kept, state=State.INACTIVE, message=AT_WORK)
        paused = DropReason.PAUSED in orders or status.state is State.PAUSED
        known = kept if DropReason.NO_TARGET in orders else status
        return replace(known, state=State.PAUSED if paused else State.NO_TARGET, message=AT_WORK)
