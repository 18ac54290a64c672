"""What the demo's programs share: parameters that are refused in words, by name, value and what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.node import Node

from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.ros import compat

NodeT = TypeVar("NodeT", bound=Node)


def parameter(node: Node, name: str, default: Any) -> Any:
    """Of any type, for whoever takes whole numbers for floats, which rclpy refuses."""
    return node.declare_parameter(name, default, ParameterDescriptor(dynamic_typing=True)).value


def text(node: Node, name: str, default: str = "") -> str:
    """A parameter that is text. Raises ConfigError."""
    given = parameter(node, name, default)
    if not isinstance(given, str):
        raise ConfigError(f"{name} is {given!r}; allowed is text, which YAML has in quotes: {name}:='\"{given}\"'")
    return given


def truth(node: Node, name: str, default: bool) -> bool:
    """A parameter that is true or false. Raises ConfigError."""
    given = parameter(node, name, default)
    if not isinstance(given, bool):
        raise ConfigError(f"{name} is {given!r}; allowed are true and false")
    return given


def started(make_node: Callable[[], NodeT]) -> NodeT:
    """rclpy, and the node. Raises ConfigError for arguments, names and parameters that rclpy itself refuses.

    rclpy is shut down again where there is no node.
    """
    try:
        rclpy.init()
    except RuntimeError as error:
        raise ConfigError(compat.refused_start(error)) from error
    try:
        return make_node()
    except BaseException as error:
        rclpy.try_shutdown()
        if isinstance(error, (ParameterException, NameValidationException)):
            raise ConfigError(str(error)) from error
        raise
