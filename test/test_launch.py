"""Launch files and rviz's configuration, as they are read; what they start is in test_launched.py."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from stm_tracker_ros.trackers import registry

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))
TRACKER_ARGUMENTS = {
    "name",
    "namespace",
    "tracker",
    "weights",
    "params_file",
    "image",
    "image_transport",
    "device",
    "precision",
    "use_sim_time",
    "autostart",
    "respawn",
    "log_level",
    "rviz",
}


def calls(file: Path, name: str) -> list[ast.Call]:
    tree = ast.parse(file.read_text())
    return [one for one in ast.walk(tree) if isinstance(one, ast.Call) and ast.unparse(one.func) == name]


def declared(file: Path) -> dict[str, dict[str, ast.expr]]:
    """Arguments of a launch file, each with the keywords of its declaration."""
    return {
        ast.literal_eval(one.args[0]): {str(keyword.arg): keyword.value for keyword in one.keywords}
        for one in calls(file, "DeclareLaunchArgument")
    }


def said(text: ast.expr) -> str:
    """A text, in which the table of trackers may be asked."""
    return str(eval(compile(ast.Expression(text), "a launch file", "eval"), {"registry": registry}))


def test_both_launch_files_are_there() -> None:
    assert [file.name for file in FILES] == ["demo.launch.py", "tracker.launch.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_argument_is_described_and_has_a_default(file: Path) -> None:
    for name, keywords in declared(file).items():
        assert said(keywords["description"]).endswith("."), name
        assert "default_value" in keywords, name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_argument_tracker_names_all_there_are(file: Path) -> None:
    description = said(declared(file)["tracker"]["description"])
    assert set(registry.names()) <= set(re.findall(r"\w+", description))
    for name in registry.names():
        assert (f"{name} (with mask)" in description) is registry.load(name).has_mask


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_argument_that_is_used_is_declared(file: Path) -> None:
    used = {one.args[0].value for one in calls(file, "LaunchConfiguration") if isinstance(one.args[0], ast.Constant)}
    assert used <= set(declared(file))


def test_the_tracker_takes_the_arguments_that_are_promised() -> None:
    assert set(declared(ROOT / "launch" / "tracker.launch.py")) == TRACKER_ARGUMENTS


def test_a_manual_deactivate_is_not_undone() -> None:
    handlers = calls(ROOT / "launch" / "tracker.launch.py", "OnStateTransition")
    states = [{str(k.arg): ast.unparse(k.value) for k in handler.keywords} for handler in handlers]
    assert [(one["start_state"], one["goal_state"]) for one in states] == [("'configuring'", "'inactive'")]


def test_every_executable_is_an_entry_point() -> None:
    scripts = (ROOT / "setup.py").read_text()
    for file in FILES:
        for kind in ("Node", "LifecycleNode"):
            for call in calls(file, kind):
                keywords = {str(k.arg): ast.unparse(k.value) for k in call.keywords}
                if keywords["package"] == "PACKAGE":
                    assert f'"{ast.literal_eval(keywords["executable"])} = ' in scripts


def test_rviz_asks_for_the_qos_that_the_node_offers() -> None:
    config = yaml.safe_load((ROOT / "config" / "tracker.rviz").read_text())
    topics = {
        one["Topic"]["Value"]: one["Topic"] for one in config["Visualization Manager"]["Displays"] if "Topic" in one
    }
    assert set(topics) == {"/stm_tracker/overlay", "/stm_tracker/markers"}
    assert {topic["Reliability Policy"] for topic in topics.values()} == {"Reliable"}
    assert {topic["Durability Policy"] for topic in topics.values()} == {"Volatile"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_launch_itself_takes_the_file(file: Path) -> None:
    if importlib.util.find_spec("launch_ros") is None:
        pytest.skip(f"{file.name} NOT RUN: launch comes with a ROS distribution only")
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    description = get_launch_description_from_python_launch_file(str(file))
    names = {argument.name for argument in description.get_launch_arguments()}
    assert set(declared(file)) <= names
