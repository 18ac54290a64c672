"""No request ends the process: what callbacks raise, ours or rclpy's own, is refused, logged and counted.

rclpy raises out of its callbacks where a request does not fit (a transition of another state, a parameter of an unknown
type), and out of the executor itself where a message cannot be read (text that is not UTF-8): both would end the
process, and leave the client without an answer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from time import monotonic
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from stm_tracker_ros.engine.stats import LONGEST_ERROR

_LINES_A_SECOND = 10
Callback = Callable[[Any, Any], Any]


class Guard:
    """Counts and logs what callbacks raise, and what is refused because of it."""

    def __init__(self, logger: Any) -> None:
        self.errors = 0
        self.last_error = ""
        self._logger = logger
        self._second_s, self._lines = 0.0, 0

    def note(self, where: str, error: Exception) -> str:
        """An error in `where`; gives its words."""
        text = f"{where}: {type(error).__name__}: {error}"[:LONGEST_ERROR]
        self.errors, self.last_error = self.errors + 1, text
        if self._may_log():
            self._logger.error(text)
        return text

    def refuse(self, text: str) -> None:
        """A request that does not fit, and is no error of ours."""
        if self._may_log():
            self._logger.warning(text)

    def _may_log(self) -> bool:
        """Thousands of bad requests fill no log."""
        if monotonic() - self._second_s >= 1:
            self._second_s, self._lines = monotonic(), 0
        self._lines += 1
        return self._lines <= _LINES_A_SECOND


class GuardedExecutor(SingleThreadedExecutor):
    """Drops a message or request that rclpy cannot read, instead of raising with its callback group still taken."""

    def __init__(self, guard: Guard, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._guard_of_takes = guard

    def _take_subscription(self, sub: Any) -> Any:
        return self._taken(super()._take_subscription, sub, "message")

    def _take_service(self, srv: Any) -> Any:
        return self._taken(super()._take_service, srv, "request")

    def _taken(self, take: Callable[[Any], Any], entity: Any, what: str) -> Any:
        try:
            return take(entity)
        except Exception as error:  # noqa: BLE001  whatever rclpy makes of bytes that are no message
            name = getattr(entity, "topic_name", None) or getattr(entity, "srv_name", "")
            self._guard_of_takes.note(f"a {what} of {name} cannot be read", error)
            return None


def guard_services(node: Node, guard: Guard, unknown: Callable[[str], str]) -> None:
    """Let every service of `node`, rclpy's own among them, answer with a refusal instead of raising.

    unknown: what to say of a parameter of that name, empty if there is one: rclpy names none.
    """
    for service in node.services:
        service.callback = _guarded(service, guard, unknown)


def _guarded(service: Any, guard: Guard, unknown: Callable[[str], str]) -> Callback:
    inner, kind, name = service.callback, service.srv_type, service.srv_name
    if kind is SetParameters:
        return _one_by_one(inner, name, guard, unknown)
    if kind is SetParametersAtomically:
        inner = _of_known_names(inner, unknown)

    async def callback(request: Any, response: Any) -> Any:
        try:
            answer = inner(request, response)
            return await answer if inspect.isawaitable(answer) else answer
        except Exception as error:  # noqa: BLE001  a bad request is not a dead node
            return _refusal(kind, request, name, error, guard)

    return callback


def _one_by_one(inner: Callback, name: str, guard: Guard, unknown: Callable[[str], str]) -> Callback:
    """Parameters that are not set together are validated alone: one of unknown type leaves the others as they are."""

    def callback(request: SetParameters.Request, response: SetParameters.Response) -> SetParameters.Response:
        for parameter in request.parameters:
            if reason := unknown(parameter.name):
                response.results.append(SetParametersResult(successful=False, reason=reason))
                continue
            try:
                one = inner(SetParameters.Request(parameters=[parameter]), SetParameters.Response())
                response.results.append(one.results[0])
            except Exception as error:  # noqa: BLE001  a bad parameter is not a dead node
                text = guard.note(f"{name}, parameter {parameter.name!r}", error)
                response.results.append(SetParametersResult(successful=False, reason=text))
        return response

    return callback


def _of_known_names(inner: Callback, unknown: Callable[[str], str]) -> Callback:
    def callback(request: SetParametersAtomically.Request, response: SetParametersAtomically.Response) -> Any:
        for parameter in request.parameters:
            if reason := unknown(parameter.name):
                response.result = SetParametersResult(successful=False, reason=reason)
                return response
        return inner(request, response)

    return callback


def _refusal(kind: Any, request: Any, name: str, error: Exception, guard: Guard) -> Any:
    response = kind.Response()
    if kind is ChangeState:
        asked = request.transition.label or f"number {request.transition.id}"
        guard.refuse(f"change_state: transition {asked} refused, it does not fit the node's state: {error}")
        return response
    text = guard.note(name, error)
    if kind is SetParametersAtomically:
        response.result = SetParametersResult(successful=False, reason=text)
    if hasattr(response, "message"):
        response.message = text
    return response
