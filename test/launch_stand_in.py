"""Stands in for `launch` and `launch_ros`, which come with a ROS distribution only: on PyPI there is neither.

It knows what our launch files use and nothing else, by the same names and keywords, so that a wrong one is an error.
Of parameters it makes what launch_ros does: a value that is a substitution is read as YAML, unless its type is said.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
Arguments = dict[str, str]


@dataclass
class LaunchConfiguration:
    variable_name: str

    def perform(self, context: LaunchContext) -> str:
        return context.arguments[self.variable_name]


@dataclass
class PathJoinSubstitution:
    substitutions: list[Any]

    def perform(self, context: LaunchContext) -> str:
        return str(Path(*(said(one, context) for one in self.substitutions)))


@dataclass
class FindPackageShare:
    package: str

    def perform(self, context: LaunchContext) -> str:
        assert self.package == "stm_tracker_ros"
        return str(ROOT)


@dataclass
class DeclareLaunchArgument:
    name: str
    default_value: str
    description: str
    choices: list[str] | None = None


@dataclass
class OpaqueFunction:
    function: Callable[[LaunchContext], list[Any]]


@dataclass
class PythonLaunchDescriptionSource:
    location: Any


@dataclass
class IncludeLaunchDescription:
    source: PythonLaunchDescriptionSource
    launch_arguments: Any


@dataclass
class IfCondition:
    predicate: Any


@dataclass
class ParameterValue:
    value: Any
    value_type: type


@dataclass(kw_only=True, eq=False)
class Node:
    package: str
    executable: str
    name: Any
    namespace: Any = ""
    parameters: list[Any] = field(default_factory=list)
    remappings: list[Any] = field(default_factory=list)
    arguments: list[Any] = field(default_factory=list)
    additional_env: dict[str, str] | None = None
    respawn: bool = False
    respawn_delay: float = 0.0
    condition: IfCondition | None = None
    output: str = "log"


class LifecycleNode(Node):
    pass


@dataclass
class EmitEvent:
    event: Any
    condition: IfCondition | None = None


@dataclass
class RegisterEventHandler:
    event_handler: Any
    condition: IfCondition | None = None


@dataclass(kw_only=True)
class OnProcessExit:
    target_action: Node
    on_exit: list[Any]


@dataclass(kw_only=True)
class OnStateTransition:
    target_lifecycle_node: LifecycleNode
    start_state: str
    goal_state: str
    entities: list[Any]


@dataclass(kw_only=True)
class Shutdown:
    reason: str


@dataclass(kw_only=True)
class ChangeState:
    lifecycle_node_matcher: Any
    transition_id: int


@dataclass
class LaunchDescription:
    entities: list[Any]


@dataclass
class LaunchContext:
    arguments: Arguments


class Transition:
    TRANSITION_CONFIGURE, TRANSITION_ACTIVATE = 1, 3  # lifecycle_msgs/msg/Transition


MODULES: dict[str, dict[str, Any]] = {
    "launch": {"LaunchContext": LaunchContext, "LaunchDescription": LaunchDescription},
    "launch.actions": {
        one.__name__: one
        for one in (
            DeclareLaunchArgument,
            EmitEvent,
            IncludeLaunchDescription,
            OpaqueFunction,
            RegisterEventHandler,
        )
    },
    "launch.conditions": {"IfCondition": IfCondition},
    "launch.event_handlers": {"OnProcessExit": OnProcessExit},
    "launch.events": {"Shutdown": Shutdown, "matches_action": lambda action: action},
    "launch.launch_description_sources": {"PythonLaunchDescriptionSource": PythonLaunchDescriptionSource},
    "launch.substitutions": {
        "LaunchConfiguration": LaunchConfiguration,
        "PathJoinSubstitution": PathJoinSubstitution,
    },
    "launch_ros": {},
    "launch_ros.actions": {"LifecycleNode": LifecycleNode, "Node": Node},
    "launch_ros.event_handlers": {"OnStateTransition": OnStateTransition},
    "launch_ros.events": {},
    "launch_ros.events.lifecycle": {"ChangeState": ChangeState},
    "launch_ros.parameter_descriptions": {"ParameterValue": ParameterValue},
    "launch_ros.substitutions": {"FindPackageShare": FindPackageShare},
    "lifecycle_msgs": {},
    "lifecycle_msgs.msg": {"Transition": Transition},
}


@dataclass(kw_only=True)
class Started:
    """A process that launch would start. parameters: by file and by name, the last one of a name wins."""

    executable: str
    name: str
    namespace: str
    files: list[str]
    parameters: dict[str, Any]
    remappings: dict[str, str]
    arguments: list[str]
    environment: dict[str, str]
    respawn: bool

    def ros_arguments(self, folder: Path) -> list[str]:
        """Its command line; values lie in a file, as launch_ros has it."""
        values = folder / f"{self.name}.yaml"
        values.write_text(yaml.dump({"/**": {"ros__parameters": self.parameters}}))
        rules = [f"__node:={self.name}", *(f"{one}:={other}" for one, other in self.remappings.items())]
        rules += [f"__ns:=/{self.namespace.strip('/')}"] if self.namespace else []
        remapped = [word for rule in rules for word in ("-r", rule)]
        files = [word for file in [*self.files, str(values)] for word in ("--params-file", file)]
        return [*self.arguments, "--ros-args", *remapped, *files]


class Launched:
    """What a launch file starts, and which events it emits and handles, with these arguments."""

    def __init__(self, file: str, **arguments: str) -> None:
        self.started: dict[str, Started] = {}
        self.emitted: list[Any] = []
        self.handlers: list[Any] = []
        with _modules():
            self._walk(_description(ROOT / "launch" / file), LaunchContext(dict(arguments)))

    def _walk(self, entities: list[Any], context: LaunchContext) -> None:
        for one in entities:
            if isinstance(one, DeclareLaunchArgument):
                given = context.arguments.setdefault(one.name, one.default_value)
                assert one.choices is None or given in one.choices, f"{one.name}:={given}"
            elif isinstance(one, OpaqueFunction):
                self._walk(one.function(context), context)
            elif isinstance(one, IncludeLaunchDescription):
                passed = {name: said(value, context) for name, value in one.launch_arguments}
                file = Path(said(one.source.location, context))
                self._walk(_description(file), LaunchContext({**context.arguments, **passed}))
            elif getattr(one, "condition", None) is None or said(one.condition.predicate, context) == "true":
                self._note(one, context)

    def _note(self, one: Any, context: LaunchContext) -> None:
        if isinstance(one, EmitEvent):
            self.emitted.append(one.event)
        elif isinstance(one, RegisterEventHandler):
            self.handlers.append(one.event_handler)
        else:
            assert isinstance(one, Node), one
            self.started[one.executable] = _started(one, context)


def said(value: Any, context: LaunchContext) -> str:
    """The words of a substitution, or of what is a text already."""
    return str(value.perform(context)) if hasattr(value, "perform") else str(value)


def _started(node: Node, context: LaunchContext) -> Started:
    tables = [one for one in node.parameters if isinstance(one, dict)]
    return Started(
        executable=node.executable,
        name=said(node.name, context),
        namespace=said(node.namespace, context),
        files=[said(one, context) for one in node.parameters if not isinstance(one, dict)],
        parameters={name: _parameter(value, context) for table in tables for name, value in table.items()},
        remappings={said(one, context): said(other, context) for one, other in node.remappings},
        arguments=[said(one, context) for one in node.arguments],
        environment=node.additional_env or {},
        respawn=node.respawn,
    )


def _parameter(value: Any, context: LaunchContext) -> Any:
    if isinstance(value, ParameterValue):
        assert value.value_type is str
        return said(value.value, context)
    if hasattr(value, "perform"):
        found = yaml.safe_load(said(value, context) or "''")
        assert not isinstance(found, list) or len({type(one) for one in found}) == 1, f"{found} is of several types"
        return found
    assert isinstance(value, (bool, int, float, str)), value
    return value


def _description(file: Path) -> list[Any]:
    spec = importlib.util.spec_from_file_location("launched", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.generate_launch_description().entities)


@contextmanager
def _modules() -> Iterator[None]:
    """In place of what is installed, if it is: the tests are the same everywhere."""
    before = {name: sys.modules.get(name) for name in MODULES}
    for name, content in MODULES.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(content)
    try:
        yield
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
