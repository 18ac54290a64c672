"""Where the time of a frame goes: trackers name their stages, and whoever wants to know listens.

Costs a fraction of a microsecond where nobody does.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StageTimes:
    """Milliseconds by stage since `clear`. synchronize: waits for the device, so that a stage's work counts as its."""

    def __init__(self, synchronize: Callable[[], None]) -> None:
        self.milliseconds: dict[str, float] = defaultdict(float)
        self.synchronize = synchronize


_listener: StageTimes | None = None


@contextmanager
def listening(times: StageTimes) -> Iterator[None]:
    """Have the stages of the trackers in this process write their times; one listener at a time."""
    global _listener
    before, _listener = _listener, times
    try:
        yield
    finally:
        _listener = before


class stage:  # noqa: N801 - reads as a word of the language: with stage("read"):
    """Time what is done inside it as the stage of that name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        if _listener is not None:
            self._started_ns = time.perf_counter_ns()

    def __exit__(self, *error: object) -> None:
        if _listener is not None:
            _listener.synchronize()
            _listener.milliseconds[self._name] += (time.perf_counter_ns() - self._started_ns) / 1e6
