"""What the launch files start: parameters with their types, names, topics, transitions. Launch itself stands in."""

from __future__ import annotations

from pathlib import Path

import pytest
from launch_stand_in import ROOT, Launched, Started

from stm_tracker_ros.demo import sample

pytestmark = pytest.mark.pure


def tracker(**arguments: str) -> Started:
    return Launched("tracker.launch.py", **arguments).started["tracker_node"]


def test_by_default_the_node_has_its_own_settings_and_launch_drives_it() -> None:
    found = Launched("tracker.launch.py")
    assert list(found.started) == ["tracker_node"]
    node = found.started["tracker_node"]
    assert (node.name, node.namespace, node.files, node.respawn) == ("stm_tracker", "", [], False)
    assert node.parameters == {"autostart": False}
    assert node.remappings == {"image": "image"}
    assert node.arguments == ["--ros-args", "--log-level", "info"]
    assert [event.transition_id for event in found.emitted] == [1]
    (handler,) = found.handlers
    assert (handler.start_state, handler.goal_state) == ("configuring", "inactive")
    assert [one.event.transition_id for one in handler.entities] == [3]


def test_every_argument_reaches_the_node_under_its_parameter() -> None:
    node = tracker(
        name="eye",
        namespace="/drone_1",
        tracker="dmb_lite",
        weights="/w/a.safetensors",
        image="/camera/image_raw",
        image_transport="raw",
        device="cpu",
        precision="fp32",
        use_sim_time="true",
        log_level="debug",
    )
    assert (node.name, node.namespace, node.remappings) == ("eye", "/drone_1", {"image": "/camera/image_raw"})
    assert node.parameters == {
        "autostart": False,
        "tracker.name": "dmb_lite",
        "tracker.weights": "/w/a.safetensors",
        "image_transport": "raw",
        "device": "cpu",
        "precision": "fp32",
        "use_sim_time": True,
    }
    assert node.arguments[-1] == "debug"


@pytest.mark.parametrize("word", ["off", "no", "12", "1e3", "null", "~", "a: b", "[x]", "0x10", "2026-01-01"])
@pytest.mark.parametrize("argument", ["tracker", "weights", "device", "precision", "image_transport"])
def test_a_word_stays_a_word_whatever_yaml_makes_of_it(argument: str, word: str) -> None:
    values = tracker(**{argument: word}).parameters
    assert [value for name, value in values.items() if name != "autostart"] == [word]


@pytest.mark.parametrize(("given", "value"), [("true", True), ("false", False)])
def test_simulated_time_is_a_truth_value_and_left_alone_where_nothing_is_said(given: str, value: bool) -> None:
    assert tracker(use_sim_time=given).parameters["use_sim_time"] is value
    assert "use_sim_time" not in tracker().parameters


@pytest.mark.parametrize(("autostart", "value"), [("true", True), ("false", False)])
def test_a_node_that_is_started_again_starts_itself(autostart: str, value: bool) -> None:
    found = Launched("tracker.launch.py", respawn="true", autostart=autostart)
    assert found.started["tracker_node"].respawn
    assert found.started["tracker_node"].parameters == {"autostart": value}
    assert (found.emitted, found.handlers) == ([], [])


def test_without_autostart_nobody_drives_it() -> None:
    found = Launched("tracker.launch.py", autostart="false")
    assert found.started["tracker_node"].parameters == {"autostart": False}
    assert (found.emitted, found.handlers) == ([], [])


@pytest.mark.parametrize("given", ["dmb.yaml", str(ROOT / "config" / "replay.yaml")])
def test_a_file_of_parameters_is_one_of_the_package_or_of_the_user(given: str) -> None:
    node = tracker(params_file=given, tracker="dmv_lite")
    assert node.files == [str(ROOT / "config" / Path(given).name)]
    assert node.parameters["tracker.name"] == "dmv_lite"


def test_a_file_of_parameters_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(FileNotFoundError, match=r"params_file is 'dbm.yaml'.*dmb.yaml, dmv.yaml, replay.yaml"):
        tracker(params_file="dbm.yaml")


@pytest.mark.parametrize(
    ("namespace", "private"),
    [("", "eye"), ("drone_1", "drone_1/eye"), ("/drone_1", "/drone_1/eye"), ("/", "/eye")],
)
def test_rviz_looks_at_this_node(namespace: str, private: str) -> None:
    viewer = Launched("tracker.launch.py", name="eye", namespace=namespace, rviz="true", use_sim_time="true")
    started = viewer.started["rviz2"]
    assert started.remappings == {f"/stm_tracker/{one}": f"{private}/{one}" for one in ("overlay", "markers")}
    assert started.arguments == ["-d", str(ROOT / "config" / "tracker.rviz")]
    assert started.parameters == {"use_sim_time": True}


def test_the_demo_plays_its_sample_to_the_node_and_ends_with_the_client() -> None:
    found = Launched("demo.launch.py")
    assert sorted(found.started) == ["demo_camera", "demo_client", "tracker_node"]
    camera, client, node = (found.started[name] for name in ("demo_camera", "demo_client", "tracker_node"))
    assert camera.parameters == {"video": str(sample.packaged().video), "fps": 30.0, "loop": False}
    assert client.parameters == {"box": str([float(number) for number in sample.packaged().first_box])}
    assert camera.remappings == node.remappings == {"image": "/camera/image_raw"}
    assert (camera.name, node.name) == ("camera", "stm_tracker")
    ends = [one for one in found.handlers if hasattr(one, "on_exit")]
    assert [one.target_action.executable for one in ends] == ["demo_client"]


def test_what_the_demo_is_given_is_passed_on() -> None:
    given = {"tracker": "dmb_lite", "weights": "12", "device": "cpu", "precision": "off", "log_level": "warn"}
    found = Launched("demo.launch.py", video="1999", fps="15", loop="true", box="[1, 2, 30.5, 40]", **given)
    node = found.started["tracker_node"]
    assert node.parameters == {
        "autostart": False,
        "tracker.name": "dmb_lite",
        "tracker.weights": "12",
        "device": "cpu",
        "precision": "off",
    }
    assert node.arguments[-1] == "warn"
    assert found.started["demo_camera"].parameters == {"video": "1999", "fps": 15, "loop": True}
    assert found.started["demo_client"].parameters == {"box": "[1, 2, 30.5, 40]"}
