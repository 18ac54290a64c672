"""What the tests of the engine share: a tracker that does as told, messages, and an engine around them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stm_tracker_ros.core.errors import FrameError
from stm_tracker_ros.core.types import Box, Frame, Result, Target
from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.engine.engine import Answer, Engine
from stm_tracker_ros.engine.history import Offered
from stm_tracker_ros.engine.names import TargetNames
from stm_tracker_ros.engine.set_target import TargetAnswer, TargetRequest

MS = 1_000_000
STEP_NS = 33 * MS
GUARD_S = 20.0
BOX = Box(10, 12, 20, 16)
REQUEST = TargetRequest(box=BOX)


@dataclass
class Message:
    """An image message, 80 x 60 px unless said otherwise; a broken one cannot be converted."""

    stamp_ns: int = 0
    broken: bool = False
    size: tuple[int, int] = (80, 60)


def convert(message: Message, received_ns: int) -> np.ndarray:
    if message.broken:
        raise FrameError("encoding 'odd' is unknown")
    width, height = message.size
    return np.zeros((height, width, 3), np.uint8)


class Coded:
    """An image whose pixels are decoded when somebody looks, or cannot be; counts the looks."""

    def __init__(self, broken: bool, size: tuple[int, int] = (80, 60)) -> None:
        self.shape = size[1], size[0], 3
        self.looks = 0
        self._broken = broken

    def region(self, left: int, top: int, right: int, bottom: int) -> np.ndarray:
        self.looks += 1
        if self._broken:
            raise FrameError("it cannot be decoded")
        return np.zeros((bottom - top, right - left, 3), np.uint8)


def wait_until(holds: Callable[[], bool]) -> None:
    """For what no event tells."""
    pause = threading.Event()
    for _ in range(round(GUARD_S * 1000)):
        if holds():
            return
        pause.wait(0.001)
    raise AssertionError("it never came true")


def no_op() -> None:
    """Nothing happens."""


@dataclass
class FakeTracker:
    """Notes every call; `before[name]` runs in it and may wait or raise."""

    score: float = 0.9
    calls: list[tuple[str, Any]] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    box: Box = BOX
    first: Frame | None = None  # the target was named on it
    more: dict[str, Any] = field(default_factory=dict)  # of its results

    def init(self, frame: Frame, target: Target) -> Result:
        self.calls.append(("init", target))
        self.first = frame
        self.before.get("init", no_op)()
        return Result(box=target.box or self.box, score=1.0)

    def track(self, frame: Frame) -> Result:
        self.calls.append(("track", frame.stamp_ns))
        self.frames.append(frame)
        self.before.get("track", no_op)()
        return Result(box=self.box, score=self.score, **self.more)

    def memorize(self) -> None:
        self.calls.append(("memorize", None))
        self.before.get("memorize", no_op)()

    def confirm(self, box: Box) -> None:
        self.calls.append(("confirm", box))
        self.before.get("confirm", no_op)()

    def reconfigure(self, config: Any) -> None:
        self.calls.append(("reconfigure", config))


class Gate:
    """Stops whoever passes until it is opened."""

    def __init__(self) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self._reached.set()
        assert self._opened.wait(GUARD_S), "the gate was never opened"

    def wait_reached(self) -> None:
        assert self._reached.wait(GUARD_S), "nobody came to the gate"

    def open(self) -> None:
        self._opened.set()


class Bench:
    """An engine with a fake tracker and a clock that stands at `now_ns`; a context that starts and stops it."""

    def __init__(self, config: EngineConfig | None = None, **hooks: Any) -> None:
        self.tracker = FakeTracker()
        self.now_ns = 10**18
        self.answers: list[Answer[Message]] = []
        self.faulted: Future[str] = Future()
        self.stamp_ns = self.now_ns
        self._done = threading.Semaphore(0)
        self.tracker.before["memorize"] = self._done.release
        self.engine: Engine[Message] = Engine(
            self.tracker,
            convert=convert,
            publish=self.publish,
            on_fault=self.faulted.set_result,
            clock_ns=lambda: self.now_ns,
            config=config,
            **{"names": TargetNames(), **hooks},
        )

    def publish(self, answer: Answer[Message]) -> None:
        self.tracker.calls.append(("publish", answer.stamp_ns))
        self.answers.append(answer)

    def __enter__(self) -> Bench:
        self.engine.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.stop()

    def offer(self, stamp_ns: int | None = None, *, broken: bool = False, sequence: int | None = None) -> int:
        """Offer a message, one step after the last one if no stamp is given; gives its stamp."""
        self.stamp_ns = self.stamp_ns + STEP_NS if stamp_ns is None else stamp_ns
        self.now_ns = max(self.now_ns, self.stamp_ns)
        message = Message(self.stamp_ns, broken)
        self.engine.offer(message, stamp_ns=self.stamp_ns, arrival_ns=self.now_ns, nbytes=100, sequence=sequence)
        return self.stamp_ns

    def name_target(self, request: TargetRequest = REQUEST) -> TargetAnswer:
        return self.engine.set_target(request).result(GUARD_S)

    def drain(self) -> None:
        """Wait until no frame waits and none is in work."""
        wait_until(lambda: self.engine.snapshot().waiting == 0)

    def wait_memorized(self) -> None:
        assert self._done.acquire(timeout=GUARD_S), "no frame was memorized"


def offered(stamp_ns: int, position: int, *, late_ns: int = 0, **message: Any) -> Offered[Message]:
    """A message as it reaches the worker; it arrives `late_ns` after its stamp, by a clock that nobody sets."""
    return Offered(
        message=Message(stamp_ns, **message),
        stamp_ns=stamp_ns,
        arrival_ns=stamp_ns + late_ns,
        received_ns=stamp_ns + late_ns,
        nbytes=100,
        position=position,
    )
