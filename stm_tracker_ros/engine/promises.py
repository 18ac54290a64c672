"""Futures that are answered once, by whoever comes first: the engine's thread, or a clock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import TypeVar

ValueT = TypeVar("ValueT")


def give(future: Future[ValueT], answer: ValueT) -> bool:
    """Answer, unless an answer or a cancellation came before."""
    try:
        future.set_result(answer)
    except InvalidStateError:
        return False
    return True


def complete(future: Future[ValueT], function: Callable[[], ValueT]) -> None:
    """Give a future the function's value or exception, unless it was cancelled."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except Exception as error:  # noqa: BLE001  the caller's error belongs to the caller
        future.set_exception(error)


def limit_time(future: Future[ValueT], late: Callable[[str], ValueT], limit_ms: float) -> None:
    """Answer by what `late` makes of the words, if nobody has answered in time."""
    said = f"no answer within {limit_ms:g} ms; the request is given up"
    timer = threading.Timer(limit_ms / 1e3, lambda: give(future, late(said)))
    timer.daemon = True
    future.add_done_callback(lambda _: timer.cancel())
    timer.start()
