"""A target named on an older image, followed through the kept ones to the present, before the operator is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from stm_tracker_ros.engine.catch_up import Cost, next_frame
from stm_tracker_ros.engine.drop_policy import JUMP_BACK_NS, JUMP_FORWARD_NS
from stm_tracker_ros.engine.history import Offered
from stm_tracker_ros.engine.set_target import Code, TargetAnswer
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.engine.target_track import Answer
from stm_tracker_ros.engine.worker import Worker

MessageT = TypeVar("MessageT")
_REPLACED = "the target was cleared, or another one named, before the answer"


class Replay(Generic[MessageT]):
    """One frame a step, so that commands go between them. In the engine's thread alone.

    Nothing of it is published, for all of it is past. A frame stays what it was counted as when it came; gone through
    here, it is one of `frames_replayed`.
    """

    def __init__(
        self,
        worker: Worker[MessageT],
        kept: Callable[[int], list[Offered[MessageT]]],
        named: Offered[MessageT],
        answer: TargetAnswer,
        *,
        end_ns: int,
        cost: Cost,
        steady_ns: Callable[[], int],
    ) -> None:
        """A target that the worker has just begun to follow.

        kept: gives the frames behind a place in the stream. named: the frame that it was named on. answer: what the
        operator would be told now. end_ns: when time is up, by `steady_ns`. cost: of a frame, kept from target to
        target.
        """
        self._worker, self._target, self._kept = worker, worker.target, kept
        self._at, self._named, self._named_answer = named, named, answer
        self._end_ns, self._cost, self._steady_ns = end_ns, cost, steady_ns
        self._last: Answer[MessageT] | None = None
        self._count = 0

    def step(self, waiting: Callable[[], Offered[MessageT] | None]) -> bool:
        """Go through one more frame; False where it has come to its end. waiting: gives the next live frame.

        What is kept is read first: a frame that comes in between is then a live one, and not gone through.
        """
        if not self._worker.is_following(self._target):
            return False
        started_ns = self._steady_ns()
        kept = [frame for frame in self._kept(self._at.position) if self._is_later(frame)]
        frame = next_frame(self._at, kept, waiting(), left_ns=self._end_ns - started_ns, cost_ns=self._cost.usual_ns)
        if frame is None:
            return False
        if self._jumps(frame):
            self._worker.jump()
        self._at = frame
        answer = self._worker.replay(frame)
        if answer is not None:
            self._last, self._count = answer, self._count + 1
            self._cost.add(self._steady_ns() - started_ns)
        return True

    def answer(self) -> TargetAnswer:
        """What the operator is told now: where the target is, and how many frames were gone through."""
        if not self._worker.has(self._target):
            return TargetAnswer(code=Code.INTERNAL, message=_REPLACED)
        age_s = self._worker.age_s(self._named)
        if self._last is None:
            return replace(self._named_answer, age_s=age_s)
        seen = f"; {self._last.state.name} after {self._count} images"
        return replace(
            self._named_answer,
            message=self._named_answer.message + (seen if self._last.state is not State.TRACKING else ""),
            age_s=age_s,
            frames_replayed=self._count,
            image=self._last.message,
            result=self._last.result,
            place=self._last.place,
            uncertain=self._last.state is State.UNCERTAIN,
        )

    def _is_later(self, frame: Offered[MessageT]) -> bool:
        """Whether time has passed since the frame that it has come to; a bag that began again counts too."""
        step_ns = self._worker.time_of(frame) - self._worker.time_of(self._at)
        return step_ns > 0 or step_ns < -JUMP_BACK_NS

    def _jumps(self, frame: Offered[MessageT]) -> bool:
        """Whether the stamps have jumped on the way to that frame: they say something else than the arrivals."""
        step_ns = self._worker.time_of(frame) - self._worker.time_of(self._at)
        return step_ns - (frame.received_ns - self._at.received_ns) > JUMP_FORWARD_NS
