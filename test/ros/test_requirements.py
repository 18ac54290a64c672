import importlib.util
import platform
import sys
from importlib.machinery import ModuleSpec

import pytest

from stm_tracker_ros.ros import node, requirements

pytestmark = pytest.mark.pure


@pytest.fixture
def without(monkeypatch):
    def hide(*modules):
        there = ModuleSpec("module", None, origin="somewhere")
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in modules else there)

    return hide


def test_nothing_is_missing(without):
    without()
    assert requirements.missing_messages() == ""
    assert requirements.missing_libraries() == ""


def test_our_messages_are_built_with_a_link_and_colcon(without):
    without("stm_tracker_msgs")
    text = requirements.missing_messages()
    for words in (sys.executable, "stm_tracker_msgs", "ln -s stm_tracker_ros/stm_tracker_msgs", "colcon build"):
        assert words in text
    assert "vision_msgs" not in text


def test_ros_itself_and_its_messages_come_from_the_distribution(without):
    without("rclpy", "vision_msgs")
    text = requirements.missing_messages()
    assert "/opt/ros/" in text
    assert "vision_msgs" not in text
    without("vision_msgs")
    assert "apt install ros-$ROS_DISTRO-vision-msgs" in requirements.missing_messages()


@pytest.mark.parametrize(("machine", "words"), [("x86_64", "pip install 'torch>=2.2'"), ("aarch64", "Jetson")])
def test_torch_depends_on_the_platform(without, monkeypatch, machine, words):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    without("torch")
    text = requirements.missing_libraries()
    assert words in text
    assert sys.executable in text
    assert "safetensors" not in text


@pytest.mark.parametrize("name", ["tracker_node", "demo_camera", "demo_client"])
@pytest.mark.parametrize(("module", "words"), [("rclpy", "/opt/ros/"), ("stm_tracker_msgs", "colcon build")])
def test_the_programs_say_it_in_one_line(without, capsys, name, module, words):
    without(module)
    programs = {"tracker_node": node.main, "demo_camera": node.demo_camera, "demo_client": node.demo_client}
    assert programs[name]() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{name}: error: ")
    assert words in line


def test_a_ros_of_another_python_is_no_traceback(without, capsys, monkeypatch):
    def load(name):
        raise ImportError("No module named 'rclpy._rclpy_pybind11'\nThe C extension is missing", name="rclpy._rclpy")

    without()
    monkeypatch.setattr(importlib, "import_module", load)
    assert node.main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot load rclpy._rclpy" in line
    assert "of another Python?" in line


def test_the_source_folder_of_our_messages_is_not_taken_for_the_messages(monkeypatch):
    there, folder = ModuleSpec("module", None, origin="somewhere"), ModuleSpec("stm_tracker_msgs", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: folder if name == "stm_tracker_msgs" else there)
    assert "stm_tracker_msgs" in requirements.missing_messages()


@pytest.mark.parametrize("name", ["tracker_node", "demo_camera", "demo_client"])
def test_ctrl_c_while_it_imports_is_no_traceback(monkeypatch, capsys, name):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(requirements, "missing_messages", interrupted)
    programs = {"tracker_node": node.main, "demo_camera": node.demo_camera, "demo_client": node.demo_client}
    assert programs[name]() == 130
    assert capsys.readouterr().err == f"{name}: interrupted\n"
