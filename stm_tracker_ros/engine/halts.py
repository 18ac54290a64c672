"""Orders to stop hold from the moment they are given, though the engine's thread may be at work on an image."""

from __future__ import annotations

from dataclasses import replace

from stm_tracker_ros.engine.drop_policy import DropReason
from stm_tracker_ros.engine.stats import Status
from stm_tracker_ros.engine.target_state import State

AT_ONCE_MS = 200.0
"""An operator who says stop is answered within this time, however long the tracker takes."""
AT_WORK = "stopped; the tracker is still at work on an image that came before"


class Halts:
    """The orders that wait for the engine's thread: NO_TARGET is a clear, PAUSED a pause. From any thread."""

    def __init__(self) -> None:
        self._orders: list[DropReason] = []

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
        return orders[-1] if orders else None

    @property
    def clears(self) -> bool:
        """Whether a clear waits."""
        return DropReason.NO_TARGET in self._orders

    def seen_in(self, status: Status) -> Status:
        """What the engine's thread says of itself, as these orders leave it."""
        orders = tuple(self._orders)
        if not orders or status.state in (State.FAULT, State.INACTIVE):
            return status
        paused = DropReason.PAUSED in orders or status.state is State.PAUSED
        kept = Status(state=State.NO_TARGET, image_stamp_ns=status.image_stamp_ns)
        known = kept if DropReason.NO_TARGET in orders else status
        return replace(known, state=State.PAUSED if paused else State.NO_TARGET, message=AT_WORK)
