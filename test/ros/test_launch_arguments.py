"""rcl and our node take the command lines that launch makes of the launch files."""

from contextlib import contextmanager

import pytest
import rclpy
from launch_stand_in import ROOT, Launched

from stm_tracker_ros.core.errors import TargetError
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.ros import demo_client
from stm_tracker_ros.ros.params import Parameters
from stm_tracker_ros.trackers import registry

pytestmark = pytest.mark.ros

FILES = sorted(file.name for file in (ROOT / "config").glob("*.yaml"))


@contextmanager
def launched(folder, graph, executable, file="tracker.launch.py", **arguments):
    """A node of ROS with that command line."""
    line = Launched(file, **arguments).started[executable].ros_arguments(folder)
    node = rclpy.create_node("any", cli_args=line, use_global_arguments=False, context=graph.node.context)
    yield node
    node.destroy_node()


def configured(node):
    return Parameters(node, lambda name: registry.load(name).default_config, lambda config: None).config


def test_name_namespace_and_topics(tmp_path, graph):
    given = {"name": "eye", "namespace": "drone_1", "image": "/camera/image_raw"}
    with launched(tmp_path, graph, "tracker_node", **given) as node:
        assert node.get_fully_qualified_name() == "/drone_1/eye"
        assert node.resolve_topic_name("image") == "/camera/image_raw"
        assert node.resolve_topic_name("~/status") == "/drone_1/eye/status"


@pytest.mark.parametrize("file", FILES)
def test_every_file_of_parameters_is_taken_and_arguments_win(tmp_path, graph, file):
    given = {"params_file": file, "tracker": "dmb_lite", "device": "cpu", "use_sim_time": "true"}
    with launched(tmp_path, graph, "tracker_node", **given) as node:
        config = configured(node)
        assert (config.node.tracker.name, config.node.device, config.node.autostart) == ("dmb_lite", "cpu", False)
        assert node.get_parameter("use_sim_time").value is True


def test_a_file_of_the_users_with_a_mode_without_quotes(tmp_path, graph):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "/**:\n  ros__parameters:\n    tracker:\n      search:\n        again: off\n    state.lost_score: 0\n"
    )
    with launched(tmp_path, graph, "tracker_node", params_file=str(file)) as node:
        config = configured(node)
        assert (config.tracker.search.again, config.engine.state.lost_score) == ("off", 0.0)


@pytest.mark.parametrize("box", ["[1, 2, 30.5, 40]", "1,2,30.5,40"])
def test_the_demos_box_may_have_whole_numbers_among_others(tmp_path, graph, box):
    with launched(tmp_path, graph, "demo_client", "demo.launch.py", box=box) as node:
        assert demo_client._box(node.declare_parameter("box", "").value) == Box(1, 2, 30.5, 40)


@pytest.mark.parametrize("box", ["off", "", "[1, 2, 3]", "[a, b, c, d]"])
def test_what_is_no_box_is_refused(box):
    with pytest.raises(TargetError, match=r"allowed is \[x, y, width, height\]"):
        demo_client._box(box)
