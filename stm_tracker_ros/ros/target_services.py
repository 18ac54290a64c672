"""The operator's ways in: ~/set_target, ~/init, ~/clear_target, ~/pause, ~/confirm.

The services are coroutines in a callback group of their own: they wait for the engine without keeping the executor
from receiving images. A future that another thread completes does not wake the executor by itself; we do.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import TypeVar

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool, Trigger
from vision_msgs.msg import Detection2D

from stm_tracker_msgs.srv import SetTarget
from stm_tracker_ros.core.errors import TargetError
from stm_tracker_ros.engine.engine import Engine
from stm_tracker_ros.engine.set_target import Code, RefusalError, TargetAnswer
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import messages, qos
from stm_tracker_ros.ros.messages import ImageMessage

ResultT = TypeVar("ResultT")
_INACTIVE = "the node is not active; activate it first (ros2 lifecycle set NODE activate, after configure)"
_AGAIN = "tracker.search.again"
_NO_SEARCH = f"{_AGAIN} is off: nothing is looked for elsewhere; allowed are auto and confirm, or set_target with a box"
_NOT_PAUSED = "the node was deactivated before the answer; activated again it is not paused"
_STILL_PAUSED = "still paused: the tracker is at work on an image that came before, and did not end in time"
_ENDED = "the node was deactivated before the answer; activate it, and name the target again"


class TargetServices:
    """Serves them as long as the node lives.

    engine: gives the running engine, None while the node is inactive. frame_id: of the last image, empty without one.
    """

    def __init__(
        self,
        node: Node,
        engine: Callable[[], Engine[ImageMessage] | None],
        frame_id: Callable[[], str] = lambda: "",
    ) -> None:
        self._node, self._engine, self._frame_id = node, engine, frame_id
        group, profile = ReentrantCallbackGroup(), qos.service()
        node.create_service(SetTarget, "~/set_target", self._set_target, callback_group=group, qos_profile=profile)
        node.create_service(Trigger, "~/clear_target", self._clear_target, callback_group=group, qos_profile=profile)
        node.create_service(Trigger, "~/confirm", self._confirm, callback_group=group, qos_profile=profile)
        node.create_service(SetBool, "~/pause", self._pause, callback_group=group, qos_profile=profile)
        node.create_subscription(Detection2D, "~/init", self._init, qos.output(), callback_group=group)

    async def _set_target(self, request: SetTarget.Request, response: SetTarget.Response) -> SetTarget.Response:
        engine = self._engine()
        if engine is None:
            return _fill(response, TargetAnswer(code=Code.INACTIVE, message=_INACTIVE))
        try:
            target = messages.request_of_service(request)
        except RefusalError as refusal:
            return _fill(response, TargetAnswer(code=refusal.code, message=str(refusal)))
        except TargetError as error:
            return _fill(response, TargetAnswer(code=Code.MASK_SIZE, message=str(error)))
        starts = engine.starts
        answer = await self._finished(engine.set_target(target))
        if answer.success and (self._engine() is not engine or engine.starts != starts):
            answer = TargetAnswer(code=Code.INACTIVE, message=_ENDED)
        return _fill(response, answer)

    async def _clear_target(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        engine = self._engine()
        response.success, response.message = False, _INACTIVE
        if engine is not None:
            state: State = await self._finished(engine.clear_target())
            response.success, response.message = True, f"no target; state {state.name}"
        return response

    async def _confirm(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        engine = self._engine()
        response.success, response.message = False, _INACTIVE
        if engine is not None and self._searches():
            answer = await self._finished(engine.confirm())
            response.success, response.message = answer.success, answer.message
        elif engine is not None:
            response.message = _NO_SEARCH
        return response

    def _searches(self) -> bool:
        """Whether the tracker looks for a target that is away, as far as its parameters tell."""
        return not self._node.has_parameter(_AGAIN) or self._node.get_parameter(_AGAIN).value != "off"

    async def _pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        engine = self._engine()
        response.success, response.message = False, _INACTIVE
        if engine is not None:
            starts = engine.starts
            state: State = await self._finished(engine.pause(request.data))
            holds = self._engine() is engine and engine.starts == starts and state is not State.INACTIVE
            response.success, response.message = holds, f"state {state.name}" if holds else _NOT_PAUSED
            if holds and state is State.PAUSED and not request.data:
                response.success, response.message = False, _STILL_PAUSED
        return response

    def _init(self, message: Detection2D) -> None:
        engine = self._engine()
        if engine is None:
            self._node.get_logger().warning(f"init: {_INACTIVE}")
            return
        drawn_in, own = message.header.frame_id, self._frame_id()
        if drawn_in and own and drawn_in.strip("/") != own.strip("/"):
            said = f"drawn on an image of frame {drawn_in!r}; allowed is {own!r}, that of the images here, or none"
            self._node.get_logger().warning(f"init: refused, {Code.BAD_REQUEST.name}: {said}")
            return
        engine.set_target(messages.request_of_detection(message)).add_done_callback(self._log_init)

    def _log_init(self, future: concurrent.futures.Future[TargetAnswer]) -> None:
        answer = future.result()
        logger = self._node.get_logger()
        if answer.success:
            logger.info(f"init: {answer.message}")
        else:
            logger.warning(f"init: refused, {answer.code.name}: {answer.message}")

    async def _finished(self, future: concurrent.futures.Future[ResultT]) -> ResultT:
        done = Future()

        def complete(_: concurrent.futures.Future[ResultT]) -> None:
            done.set_result(None)
            executor = self._node.executor
            if executor is not None:
                executor.wake()

        future.add_done_callback(complete)
        await done
        return future.result()


def _fill(response: SetTarget.Response, answer: TargetAnswer) -> SetTarget.Response:
    response.success, response.code, response.message = answer.success, int(answer.code), answer.message
    response.id, response.stamp_used = answer.id, messages.to_time(answer.stamp_used_ns)
    response.age, response.frames_replayed = float(answer.age_s), answer.frames_replayed
    if answer.result is not None and answer.place is not None and isinstance(answer.image, (Image, CompressedImage)):
        response.detection = messages.detection(
            answer.image.header,
            answer.place,
            score=answer.result.score,
            target_id=answer.id,
            class_id=answer.class_id,
            uncertain=answer.uncertain,
        )
    return response
