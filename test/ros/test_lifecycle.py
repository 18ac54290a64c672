import subprocess
import sys
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from operator_side import drops, picture, ros_arguments, values
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from sensor_msgs.msg import Image

from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import convert

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def node(start_shared_node):
    node = start_shared_node(threads=3, device="cpu", max_age_ms=30000)
    node.wait_ready()
    return node


def test_the_transitions_one_by_one(start_node):
    node = start_node(autostart=False)
    node.wait_state(State.UNCONFIGURED)
    assert node.diagnostics("tracker", lambda s: "UNCONFIGURED" in s.message).level == DiagnosticStatus.WARN
    assert node.change_state("configure")
    node.wait_state(State.INACTIVE)
    camera = node.camera()
    camera.show(picture())
    assert node.next_status().received == 0
    assert node.change_state("activate")
    node.wait_state(State.NO_TARGET)
    node.follow(camera)
    assert node.change_state("deactivate")
    node.wait_state(State.INACTIVE)
    assert node.next_status().id == ""
    assert not camera.subscribers()
    assert node.change_state("activate")
    node.follow(camera)
    assert node.change_state("deactivate")
    assert node.change_state("cleanup")
    node.wait_state(State.UNCONFIGURED)
    assert node.next_status().received == 0
    node.diagnostics("tracker", lambda status: "weights" not in values(status) and status.hardware_id == "none")
    assert node.change_state("configure")
    assert node.change_state("activate")
    node.follow(camera)


def test_what_cannot_be_configured_says_why_and_stays(start_node):
    node = start_node(tracker__weights="/nowhere/weights.safetensors")
    message = node.wait_message("cannot be configured", "/nowhere/weights.safetensors do not exist")
    assert node.last.state == State.UNCONFIGURED
    assert message in node.log.read_text()
    error = node.diagnostics("tracker", lambda status: "/nowhere" in status.message)
    assert error.level == DiagnosticStatus.ERROR
    assert not node.change_state("configure")


def test_an_unforeseen_error_of_a_transition_is_logged(start_node):
    node = start_node(tracker__name="broken")
    node.wait_message("cannot configure", "KeyError", "nobody foresaw")
    assert node.last.state == State.UNCONFIGURED
    assert "nobody foresaw" in node.log.read_text()


@pytest.mark.parametrize("module", ["torch", "safetensors"])
def test_a_missing_library_is_named_with_its_cure(start_node, module):
    node = start_node(environment={"HIDE_MODULE": module})
    message = node.wait_message("cannot be configured", f"cannot import {module}")
    assert sys.executable in message
    assert "pip install" in message


def test_an_absent_device_is_named(start_node):
    node = start_node(environment={"WITH_TORCH": "1"}, device="cuda:77")
    node.wait_message("cannot be configured", "'cuda:77' is not there", "try auto or cpu")
    assert node.last.state == State.UNCONFIGURED


def test_out_of_memory_deactivates_with_the_reason(start_node):
    node = start_node(tracker__fails="memory")
    node.wait_ready()
    camera = node.camera()
    node.receive_from(camera)
    assert node.set_target().success
    camera.show(picture())
    node.wait_message("deactivated", "out of memory")
    assert node.last.state == State.FAULT
    assert not camera.subscribers()
    assert node.diagnostics("tracker", lambda s: "out of memory" in s.message).level == DiagnosticStatus.ERROR
    assert node.change_state("activate")
    node.wait_state(State.NO_TARGET)
    assert node.next_status(lambda status: "memory" not in status.message)


def test_errors_that_last_deactivate_and_activate_goes_on_with_the_target(start_node):
    node = start_node(tracker__fails="value", fault_after_ms=300)
    node.wait_ready()
    camera = node.camera()
    node.receive_from(camera)
    assert node.set_target(id="boat").success
    camera.show(picture())
    node.wait(lambda: drops(node.last).get("tracker_error") == 1, "the error to be counted")
    assert node.last.state != State.FAULT
    node.repeat(camera, lambda: node.last.state == State.FAULT)
    assert "nobody foresaw" in node.wait_message("deactivated", "nothing but errors")
    assert not node.change_state("deactivate"), "it has done so itself"
    assert node.next_status().state == State.FAULT
    assert node.change_state("activate")
    after = node.next_status(lambda status: status.state != State.FAULT)
    assert after.id == "boat"
    assert after.state in (State.UNCERTAIN, State.LOST), "nobody has looked at it meanwhile"


def test_a_device_that_fails_while_the_node_deactivates_is_not_forgotten(start_node):
    node = start_node(tracker__fails="memory", tracker__track_s=1.5)
    node.start_work()
    assert node.change_state("deactivate")
    node.wait_message("deactivated", "out of memory")
    assert node.last.state == State.FAULT


def test_bad_images_end_nothing_and_the_target_is_kept(start_node):
    node = start_node(fault_after_ms=1)
    node.wait_ready()
    camera = node.camera()
    node.follow(camera)
    message = convert.fill_image(Image(), picture(), "bgr8")
    message.step = 7
    before = node.next_status()
    node.repeat(camera, lambda: node.last.state == State.LOST, image=message)
    assert node.last.id == before.id
    node.wait_message("dropped as bad_image", "step 7")
    node.repeat(camera, lambda: node.last.state == State.TRACKING)
    assert node.last.id == before.id


@pytest.mark.parametrize(
    ("name", "words"),
    [("max_age", "unknown parameter 'max_age'; did you mean 'max_age_ms'?"), ("use_sim_time", "expecting type 'BOOL'")],
)
def test_parameters_that_are_not_allowed_end_the_program_with_the_reason(ros_environment, name, words):
    script, given = Path(__file__).with_name("node_process.py"), {"tracker.name": "brightest", name: 1}
    command = [sys.executable, str(script), *ros_arguments("/test_parameters", given)]
    ended = subprocess.run(command, env=ros_environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_live_parameters_take_effect_and_others_refuse(node):
    camera = node.camera()
    node.follow(camera)
    assert node.track(camera, picture()).detections[0].results[0].hypothesis.score == 1.0
    assert set_parameter(node, "tracker.memory.decay", 0.45).successful
    assert node.track(camera, picture()).detections[0].results[0].hypothesis.score == pytest.approx(0.9)
    assert set_parameter(node, "tracker.memory.decay", 1).successful
    assert node.track(camera, picture()).detections[0].results[0].hypothesis.score == 1.0
    refused = set_parameter(node, "tracker.memory.decay", 7.0)
    assert not refused.successful
    assert not set_parameter(node, "tracker.memory.history", 9).successful
    assert not set_parameter(node, "state.lost_score", 0.9).successful
    assert set_parameter(node, "state.tracking_score", 1).successful
    assert get_parameter(node, "tracker.memory.decay").integer_value == 1


def test_parameters_describe_themselves(node):
    names = ["tracker.memory.history", "state.lost_score", "qos"]
    request = DescribeParameters.Request(names=names)
    found = node.graph.call(DescribeParameters, f"{node.name}/describe_parameters", request).descriptors
    history, score, choice = found
    assert (history.description, history.read_only) == ("frames kept", True)
    assert (history.integer_range[0].from_value, history.integer_range[0].to_value) == (1, 100)
    assert (score.read_only, score.floating_point_range[0].to_value) == (False, 1.0)
    assert "auto, reliable, best_effort" in choice.additional_constraints


def test_whole_numbers_serve_as_floats(node):
    assert get_parameter(node, "max_age_ms").double_value == 30000.0


def test_diagnostics_name_the_facts(node):
    node.clear_target()
    node.receive_from(node.camera())
    facts = values(node.diagnostics("tracker", lambda status: status.level == DiagnosticStatus.OK))
    assert (facts["tracker"], facts["threads"], facts["device"]) == ("brightest", "3", "cpu")
    assert facts["precision"] == "fp32"
    assert facts["rmw"].startswith("rmw_")
    assert "threads: 3" in node.log.read_text()


def set_parameter(node, name, value):
    if isinstance(value, int):
        wire = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=value)
    else:
        wire = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
    request = SetParameters.Request(parameters=[Parameter(name=name, value=wire)])
    return node.graph.call(SetParameters, f"{node.name}/set_parameters", request).results[0]


def get_parameter(node, name):
    request = GetParameters.Request(names=[name])
    return node.graph.call(GetParameters, f"{node.name}/get_parameters", request).values[0]
