"""ROS parameters from the typed configuration: declared with descriptors, validated by the configuration itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from stm_tracker_ros.core.config import OFF, Setting, former_names, section, settings, unknown_name, with_changes
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.ros import compat
from stm_tracker_ros.ros.config import NodeConfig

TRACKER_PREFIX = "tracker."
# Names that rclpy declares by itself, some of them later.
_RCLPYS_OWN = ("use_sim_time", "start_type_description_service")
_QOS_PREFIX = "qos_overrides."


@dataclass(frozen=True, kw_only=True)
class AllConfig:
    """Everything that has a parameter; `tracker` is the configuration of the chosen tracker."""

    node: NodeConfig = section(NodeConfig)
    engine: EngineConfig = section(EngineConfig)
    tracker: Any

    def settings(self) -> dict[str, Setting]:
        """By the name of the parameter: node and engine without prefix, the tracker's behind `tracker.`."""
        own = [*settings(self.node), *settings(self.engine), *settings(self.tracker, TRACKER_PREFIX)]
        return {setting.name: setting for setting in own}

    def former_names(self) -> dict[str, str]:
        """Names of parameters that are none any more -> what became of them, in words."""
        return former_names(self.node) | former_names(self.engine) | former_names(self.tracker, TRACKER_PREFIX)

    def changed(self, values: Mapping[str, Any]) -> AllConfig:
        """A copy with these values by parameter name. Raises ConfigError as `with_changes` does."""
        known = self.settings()
        for name in values:
            if name not in known:
                raise ConfigError(unknown_name("parameter", name, known, self.former_names()))
        node, engine = _names(settings(self.node)), _names(settings(self.engine))
        return dataclasses.replace(
            self,
            node=with_changes(self.node, {name: values[name] for name in values if name in node}),
            engine=with_changes(self.engine, {name: values[name] for name in values if name in engine}),
            tracker=with_changes(self.tracker, _behind_prefix(values, node)),
        )


class Parameters:
    """Declares the parameters of a node and keeps the configuration that they say.

    default_tracker_config: the tracker's name -> its default configuration; raises ConfigError for an unknown name.
    on_change: called with the configuration after a live change, before the caller is told that it worked.
    Raises ConfigError for an override that is unknown (the nearest name is given), of a wrong type or not allowed.
    """

    def __init__(
        self, node: Node, default_tracker_config: Callable[[str], Any], on_change: Callable[[AllConfig], None]
    ) -> None:
        overrides = {name: v for name, v in compat.parameter_overrides(node).items() if name not in _RCLPYS_OWN}
        _refuse_qos_overrides(overrides)
        name = overrides.get("tracker.name", NodeConfig().tracker.name)
        self.config = AllConfig(tracker=default_tracker_config(str(name))).changed(overrides)
        self._node, self._on_change = node, on_change
        for one in self.config.settings().values():
            node.declare_parameter(one.name, one.value, _descriptor(one), ignore_override=True)
        compat.on_parameters_set(node, self._validate, self._apply)

    def unknown(self, name: str) -> str:
        """What to say of a parameter of that name: what it is called now, or which one is near; empty if it is one."""
        if self._node.has_parameter(name):
            return ""
        return unknown_name("parameter", name, self.config.settings(), self.config.former_names())

    def _validate(self, parameters: list[Parameter]) -> SetParametersResult:
        try:
            self.config.changed(_own(parameters))
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _apply(self, parameters: list[Parameter]) -> None:
        values = _own(parameters)
        if values:
            self.config = self.config.changed(values)
            self._on_change(self.config)


def _descriptor(setting: Setting) -> ParameterDescriptor:
    rule = setting.rule
    descriptor = ParameterDescriptor(
        name=setting.name,
        description=rule.doc,
        additional_constraints=rule.allowed,
        read_only=not rule.live,
        # rclpy refuses a whole number for a float, and YAML's `off`, which is false, for the word, before we are asked;
        # with dynamic typing we check it ourselves.
        dynamic_typing=setting.kind is float or OFF in rule.choices,
    )
    if rule.low is not None and rule.high is not None:
        if setting.kind is float:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(rule.low), to_value=float(rule.high))
            ]
        else:
            descriptor.integer_range = [IntegerRange(from_value=int(rule.low), to_value=int(rule.high), step=1)]
    return descriptor


def _behind_prefix(values: Mapping[str, Any], node_names: frozenset[str]) -> dict[str, Any]:
    prefixed = (name for name in values if name.startswith(TRACKER_PREFIX) and name not in node_names)
    return {name.removeprefix(TRACKER_PREFIX): values[name] for name in prefixed}


def _names(some: Iterable[Setting]) -> frozenset[str]:
    return frozenset(setting.name for setting in some)


def _own(parameters: list[Parameter]) -> dict[str, Any]:
    return {parameter.name: parameter.value for parameter in parameters if parameter.name not in _RCLPYS_OWN}


def _refuse_qos_overrides(overrides: Mapping[str, Any]) -> None:
    """They would be ignored: the subscription's quality of service follows the camera, the outputs' is fixed."""
    for name in overrides:
        if name.startswith(_QOS_PREFIX):
            raise ConfigError(
                f"parameter {name!r} is not allowed; the image subscription is set by the parameters qos and "
                "qos_depth, and the outputs are always reliable, volatile, keep last 1"
            )
