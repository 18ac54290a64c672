"""A worker of the engine whose frames come by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from engine_bench import MS, REQUEST, STEP_NS, FakeTracker, convert, offered

from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.engine.names import TargetNames
from stm_tracker_ros.engine.stats import Snapshot, Stats
from stm_tracker_ros.engine.worker import Hooks, Worker

START_NS = 1000 * MS
MASK = np.zeros((60, 80), np.uint8)


class Shift:
    """A worker whose frames come by hand; named target on position 1 unless said otherwise."""

    def __init__(self, config: EngineConfig | None = None, *, named: bool = True, **hooks: Any) -> None:
        self.tracker, self.stats = FakeTracker(), Stats()
        self.answers: list[Any] = []
        self.faults: list[str] = []
        self.shown: list[Any] = []
        self.now_ns = START_NS
        given: dict[str, Any] = {
            "convert": convert,
            "publish": self.publish,
            "show": lambda message, image, state: self.shown.append((message.stamp_ns, image.shape, state)),
            "on_fault": self.faults.append,
            "clock_ns": lambda: self.now_ns,
            "steady_ns": lambda: self.now_ns,
            "is_device_error": lambda error: "CUDA" in str(error),
            "same_picture": lambda one, other: False,
            "names": TargetNames(),
        }
        self.worker: Worker[Any] = Worker(
            self.tracker, Hooks(**{**given, **hooks}), self.stats, config or EngineConfig()
        )
        self.worker.activate(True)
        if named:
            assert self.worker.begin(REQUEST, offered(START_NS, 1)).success
            self.tracker.calls.clear()

    def publish(self, answer: Any) -> None:
        self.tracker.calls.append(("publish", answer.stamp_ns))
        self.answers.append(answer)

    def frame(self, stamp_ns: int, position: int, *, late_ns: int = 0, **message: Any) -> None:
        self.stats.arrived(stamp_ns)
        self.now_ns = stamp_ns + late_ns
        self.worker.handle(offered(stamp_ns, position, late_ns=late_ns, **message))

    def frames(self, count: int, first: int = 2, **message: Any) -> None:
        for n in range(first, first + count):
            self.frame(START_NS + (n - 1) * STEP_NS, n, **message)

    def snapshot(self, later_ms: int = 0) -> Snapshot:
        now_ns = self.now_ns + later_ms * MS
        return self.stats.snapshot(
            self.worker.status,
            now_ns=now_ns,
            lost=(0, False),
            stamp_trouble="",
            image_size=self.worker.image_size,
            image_trouble=self.worker.image_trouble,
        )

    @property
    def counts(self) -> dict[str, int]:
        found = self.snapshot()
        assert found.waiting == 0
        return {"tracked": found.tracked} | {r.value: n for r, n in found.dropped.items() if n}


def raising(error: Exception) -> Any:
    def fail() -> None:
        raise error

    return fail
