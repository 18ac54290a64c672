"""A thread that does one thing at a fixed rate by the steady clock, whatever the executor is busy with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic


class Periodic:
    """Calls `function` every `period_s` until it is closed; what that raises goes to `on_error`.

    The heartbeat must go on while the executor loads a tracker or waits for the engine to end.
    """

    def __init__(
        self, name: str, period_s: float, function: Callable[[], None], on_error: Callable[[str, Exception], object]
    ) -> None:
        self._name, self._period_s, self._function, self._on_error = name, period_s, function, on_error
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Call it no more; returns when the last call has ended."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        due = monotonic()
        while not self._ended.wait(max(0.0, due - monotonic())):
            due = max(due + self._period_s, monotonic())  # no burst after a stall
            try:
                self._function()
            except Exception as error:  # noqa: BLE001  one beat that fails is not the last one
                self._on_error(self._name, error)
