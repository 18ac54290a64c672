"""The engine thread: takes frames and commands, owns the tracker, answers, and learns after the answer is out."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar, Union

from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import ImageView, Pixels, Result
from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.engine.set_target import TargetAnswer, TargetRequest
from stm_tracker_ros.engine.stats import Snapshot
from stm_tracker_ros.engine.target_state import State

MessageT = TypeVar("MessageT")
ValueT = TypeVar("ValueT")


@dataclass(frozen=True, kw_only=True)
class Answer(Generic[MessageT]):
    """One tracked frame, ready to publish.

    message: the image as it was offered; its header belongs into every output.
    stamp_ns: its stamp (the arrival where the stamp was 0).
    result: what the tracker says, also while `state` says that it is not to be trusted.
    state: TRACKING, UNCERTAIN or LOST; `state.has_valid_box` decides whether the box goes out.
    gap: frames lost or dropped since the frame tracked before.
    """

    message: MessageT
    stamp_ns: int
    result: Result
    state: State
    target_id: str
    class_id: str
    gap: int


class Engine(Generic[MessageT]):
    """Runs one tracker on a stream of messages that it does not look into.

    tracker: used from the engine thread only.
    convert: message -> image; called in the engine thread; raises FrameError for an image that cannot be used.
    publish: called in the engine thread, once a tracked frame, before the tracker memorizes.
    on_fault: called in the engine thread with the reason when the engine has given up (state FAULT: it drops all
        frames until `stop` and `start`). It must not call `stop` itself, but have it called from another thread.
    clock_ns: the node's clock, the one of `arrival_ns`; durations are measured with time.perf_counter_ns.
    is_device_error: recognises errors after which the device is of no use (out of memory), beside DeviceError; they
        fault at once.
    """

    def __init__(
        self,
        tracker: Tracker,
        *,
        convert: Callable[[MessageT], Union[Pixels, ImageView]],
        publish: Callable[[Answer[MessageT]], None],
        on_fault: Callable[[str], None],
        config: EngineConfig | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
        is_device_error: Callable[[Exception], bool] = lambda error: False,
    ) -> None: ...

    def start(self) -> None:
        """Begin without target, unpaused, with an empty history; counters go on. Does nothing while running."""

    def stop(self) -> None:
        """End the thread after the frame in work and join it; waiting frames are dropped as inactive, waiting
        set_targets refused. Does nothing while stopped. Not to be called from the engine thread."""

    def offer(
        self, message: MessageT, *, stamp_ns: int, arrival_ns: int, nbytes: int, sequence: int | None = None
    ) -> None:
        """Hand over a received image; never blocks, works in every state; the image callback calls nothing else.

        stamp_ns: header stamp, 0 = missing. arrival_ns: by the node's clock. nbytes: size of the image's data.
        sequence: the publisher's sequence number, None where the middleware has none.
        """

    def set_target(self, request: TargetRequest) -> Future[TargetAnswer]:
        """Follow another target; never blocks, never raises. The future always gets an answer, within
        `set_target_timeout_ms`, from the engine thread, a timer thread or at once; its done-callback
        (`future.add_done_callback`) is the place to wake an executor. Cancelling it gives the request up.
        """
        raise AssertionError

    def clear_target(self) -> Future[State]:
        """Forget the target before the next frame; the future gives the state after."""
        raise AssertionError

    def pause(self, paused: bool) -> Future[State]:
        """Stop or go on tracking before the next frame; the target is kept. The future gives the state after."""
        raise AssertionError

    def reconfigure(self, config: EngineConfig) -> Future[State]:
        """Apply the live settings of `config` before the next frame; the others are read when an engine is made."""
        raise AssertionError

    def submit(self, function: Callable[[], ValueT]) -> Future[ValueT]:
        """Run `function` in the engine thread before the next frame (at once in the caller's while stopped): the way
        to the tracker's own live settings."""
        raise AssertionError

    def snapshot(self) -> Snapshot:
        """What diagnostics and status report; from any thread, never waits for a frame."""
        raise AssertionError
