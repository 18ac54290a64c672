"""What the engine thread does with a frame and with a named target; the only place that catches every error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Generic, TypeVar, Union

from stm_tracker_ros.core.errors import DeviceError, FrameError, TargetError
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Frame, ImageView, Pixels, Result
from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.engine.drop_policy import DropPolicy, DropReason, Reset, Skip
from stm_tracker_ros.engine.follower import Answer, Follower, check_result
from stm_tracker_ros.engine.history import Offered
from stm_tracker_ros.engine.set_target import Code, RefusalError, TargetAnswer, TargetRequest, target_on
from stm_tracker_ros.engine.stats import Stats, Status
from stm_tracker_ros.engine.target_state import State

MessageT = TypeVar("MessageT")
ValueT = TypeVar("ValueT")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Hooks(Generic[MessageT]):
    """What is injected; `engine.Engine` says what each of them is."""

    convert: Callable[[MessageT], Union[Pixels, ImageView]]
    publish: Callable[[Answer[MessageT]], None]
    on_fault: Callable[[str], None]
    clock_ns: Callable[[], int]
    is_device_error: Callable[[Exception], bool]


class Worker(Generic[MessageT]):
    """Owns the tracker and the target. One thread at a time; others read `status` and `fault` only."""

    def __init__(self, tracker: Tracker, hooks: Hooks[MessageT], stats: Stats, config: EngineConfig) -> None:
        self.status = Status(state=State.INACTIVE)
        self.fault = ""
        self._tracker, self._hooks, self._stats, self._config = tracker, hooks, stats, config
        self._policy = DropPolicy(config.max_age_ms)
        self._follower: Follower | None = None
        self._active = self._paused = False
        self._errors_in_row = 0
        self._targets_named = 0

    def activate(self, active: bool) -> State:
        """Begin or end, without target and unpaused; a fault is remembered until the next beginning."""
        self._active, self._paused, self._follower = active, False, None
        self._errors_in_row = 0
        self.fault = "" if active else self.fault
        return self._show()

    def pause(self, paused: bool) -> State:
        """Stop or go on tracking; the target is kept."""
        self._paused = paused
        return self._show()

    def clear(self) -> State:
        """Forget the target."""
        self._follower = None
        return self._show()

    def reconfigure(self, config: EngineConfig) -> State:
        """Use the live settings of `config` from now on."""
        self._config = config
        self._policy.max_age_ms = config.max_age_ms
        if self._follower is not None:
            self._follower.reconfigure(config.state)
        return self.status.state

    def handle(self, offered: Offered[MessageT]) -> None:
        """Track a frame or drop it; either is counted."""
        reason = self._unwanted(offered)
        if reason is None and self._follower is not None:
            reason = self._track(offered, self._follower)
        self._stats.left(reason)

    def begin(self, request: TargetRequest, offered: Offered[MessageT]) -> TargetAnswer:
        """Follow a target named on that frame. After a refusal the target before is followed further."""
        code = Code.NO_IMAGE
        try:
            frame = Frame(image=self._hooks.convert(offered.message), stamp_ns=offered.stamp_ns)
            code = Code.INTERNAL
            target = target_on(request, frame)
            result = check_result(self._tracker.init(frame, target), frame)
        except RefusalError as refusal:
            return TargetAnswer(code=refusal.code, message=str(refusal))
        except Exception as error:  # noqa: BLE001  a bad target is not a dead thread
            return self._not_begun(code, error)
        return self._follow(request, offered, result)

    def _unwanted(self, offered: Offered[MessageT]) -> DropReason | None:
        verdict = self._policy.judge(
            stamp_ns=offered.stamp_ns, arrival_ns=offered.arrival_ns, now_ns=self._hooks.clock_ns()
        )
        self._stats.judged(self._policy.offset_ns, isinstance(verdict, Reset))
        if isinstance(verdict, Reset):
            self._jumped(verdict)
        if self.fault:
            return DropReason.FAULT
        if self._paused:
            return DropReason.PAUSED
        if self._follower is None:
            return DropReason.NO_TARGET
        if isinstance(verdict, Skip):
            return verdict.reason
        return DropReason.DUPLICATE if self._follower.has_passed(offered) else None

    def _jumped(self, reset: Reset) -> None:
        logger.warning("stamps of the images jumped %s; the tracker goes on as if no time had passed", reset.jump.value)
        if self._follower is not None:
            self._follower.timeline.jump()

    def _track(self, offered: Offered[MessageT], follower: Follower) -> DropReason | None:
        """Answer one frame; gives why it was dropped, None if it was not."""
        reason: DropReason | None = DropReason.BAD_IMAGE
        try:
            frame = follower.frame(offered, self._hooks.convert(offered.message))
            reason = DropReason.TRACKER_ERROR
            result = check_result(self._timed("track", lambda: self._tracker.track(frame)), frame)
            answer = follower.answer(offered, frame, result)
            reason = None  # what fails from here on is an error, but the frame has its answer
            self._show()
            self._send(answer, offered)
            self._timed("memorize", self._tracker.memorize)
            self._errors_in_row = 0
        except Exception as error:  # noqa: BLE001  a bad frame is not a dead thread
            self._failed(reason, error)
        return reason

    def _send(self, answer: Answer[MessageT], offered: Offered[MessageT]) -> None:
        self._hooks.publish(answer)
        self._stats.took("arrival_to_answer", perf_counter_ns() - offered.received_ns)
        self._stats.answered(self._hooks.clock_ns() - offered.stamp_ns)

    def _timed(self, name: str, function: Callable[[], ValueT]) -> ValueT:
        start_ns = perf_counter_ns()
        value = function()
        self._stats.took(name, perf_counter_ns() - start_ns)
        return value

    def _failed(self, reason: DropReason | None, error: Exception) -> None:
        text = f"{reason.value if reason else 'after the answer'}: {type(error).__name__}: {error}"
        self._errors_in_row += 1
        logger.warning("%s", text, exc_info=error if self._errors_in_row == 1 else None)
        self._stats.failed(text)
        if self._ends_device(error):
            self._give_up(f"the device failed: {error}")
        elif self._errors_in_row >= self._config.fault_after:
            self._give_up(f"{self._errors_in_row} errors in a row, the last: {text}")

    def _ends_device(self, error: Exception) -> bool:
        return isinstance(error, DeviceError) or self._hooks.is_device_error(error)

    def _give_up(self, reason: str) -> None:
        logger.error("the engine gives up: %s", reason)
        self.fault, self._follower = reason, None
        self._show()
        try:
            self._hooks.on_fault(reason)
        except Exception:
            logger.exception("on_fault failed")

    def _follow(self, request: TargetRequest, offered: Offered[MessageT], result: Result) -> TargetAnswer:
        self._targets_named += 1
        target_id, class_id = request.id or f"target-{self._targets_named}", request.class_id or "object"
        self._follower = Follower(target_id, class_id, offered, result, self._config.state)
        self._show()
        return TargetAnswer(
            code=Code.OK,
            message=f"following {target_id}",
            id=target_id,
            class_id=class_id,
            stamp_used_ns=offered.stamp_ns,
            age_s=(self._hooks.clock_ns() - offered.stamp_ns) / 1e9,
            image=offered.message,
            result=result,
        )

    def _not_begun(self, code: Code, error: Exception) -> TargetAnswer:
        """After an error of the tracker that is no refusal its state is unknown: the target before ends too."""
        logger.warning("set_target failed", exc_info=error)
        self._stats.failed(f"set_target: {type(error).__name__}: {error}")
        if self._ends_device(error):
            self._give_up(f"the device failed: {error}")
        elif code is Code.INTERNAL and not isinstance(error, (TargetError, FrameError)):
            self.clear()
        return TargetAnswer(code=code, message=str(error) or type(error).__name__)

    def _show(self) -> State:
        """Let other threads see where the engine stands."""
        if not self._active:
            self.status = Status(state=State.INACTIVE, message=self.fault)
        elif self.fault:
            self.status = Status(state=State.FAULT, message=self.fault)
        elif self._follower is not None:
            self.status = self._follower.status(paused=self._paused)
        else:
            self.status = Status(state=State.PAUSED if self._paused else State.NO_TARGET)
        return self.status.state
