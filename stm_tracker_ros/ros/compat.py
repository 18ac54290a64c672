"""Everything that differs between the rclpy of Humble (3.3) and that of Jazzy (7.1) and later, in one place.

What an older rclpy lacks: MessageInfo in the image callback (losses are estimated from stamps then), `matched` and
`incompatible_type` events (the graph is looked at twice a second instead), the module `rclpy.event_handler`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

HAS_MESSAGE_INFO = hasattr(Subscription, "CallbackType")
_KNOWN_EVENTS = frozenset(inspect.signature(SubscriptionEventCallbacks.__init__).parameters)

OnMessage = Callable[[Any, "int | None"], None]


def refused_start(error: RuntimeError) -> str:
    """What rclpy.init has against the arguments, in words: of unknown ones rclpy raises the bare list."""
    is_unknown = type(error).__name__ == "UnknownROSArgsError"
    return (
        f"unknown ROS arguments {error}; allowed are those of ros2 run, as -p name:=value" if is_unknown else str(error)
    )


def parameter_overrides(node: Node) -> Mapping[str, Any]:
    """Values given from outside (command line, files) by parameter name; rclpy keeps the only list private."""
    return {name: parameter.value for name, parameter in node._parameter_overrides.items()}


def on_parameters_set(node: Node, validate: Callable[[list[Any]], Any], apply: Callable[[list[Any]], None]) -> None:
    """`validate` may refuse parameters (gives a SetParametersResult), `apply` is called when all of them are set.

    Humble knows no callback after the fact: there they are applied when we have allowed them.
    """
    if hasattr(node, "add_post_set_parameters_callback"):
        node.add_on_set_parameters_callback(validate)
        node.add_post_set_parameters_callback(apply)
        return

    def both(parameters: list[Any]) -> Any:
        result = validate(parameters)
        if result.successful:
            apply(parameters)
        return result

    node.add_on_set_parameters_callback(both)


def create_subscription(
    node: Node,
    message_type: type,
    topic: str,
    on_message: OnMessage,
    qos: QoSProfile,
    *,
    callback_group: Any,
    events: Mapping[str, Callable[[Any], None]],
) -> Subscription:
    """A subscription whose callback gets the message and the publisher's sequence number (None where there is none).

    events: callbacks by rclpy's names (matched, message_lost, incompatible_qos, ...); those that this rclpy or this
    middleware does not have are left out.
    """

    def subscribe(wanted: Mapping[str, Callable[[Any], None]]) -> Subscription:
        callbacks = SubscriptionEventCallbacks(**wanted, use_default_callbacks=False)
        callback = _with_sequence_number(on_message)
        return node.create_subscription(
            message_type, topic, callback, qos, callback_group=callback_group, event_callbacks=callbacks
        )

    known = {name: callback for name, callback in events.items() if name in _KNOWN_EVENTS}
    try:
        return subscribe(known)
    except UnsupportedEventTypeError:
        return subscribe({})


def _with_sequence_number(on_message: OnMessage) -> Callable[..., None]:
    if not HAS_MESSAGE_INFO:
        return lambda message: on_message(message, None)

    def callback(message: Any, info: Mapping[str, int]) -> None:
        on_message(message, info["publication_sequence_number"])

    return callback
