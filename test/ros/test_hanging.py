"""A tracker that does not come back from an image: what the operator asks for is answered, and the process ends."""

import time

import pytest
from lifecycle_msgs.srv import GetState
from operator_side import PATIENCE_S
from rcl_interfaces.srv import GetParameters
from vision_msgs.msg import Detection2DArray

from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import runner

pytestmark = pytest.mark.ros


@pytest.fixture
def hanging(start_node):
    """A node whose tracker is at work on an image for a minute."""
    node = start_node(tracker__track_s=60.0)
    node.exit_status = runner.EXIT_UNFINISHED
    node.start_work()
    return node


@pytest.mark.parametrize("transitions", [(), ("deactivate",), ("active_shutdown",)])
def test_it_ends_when_told_to(hanging, transitions):
    for transition in transitions:
        assert hanging.change_state(transition)
    hanging.ask_to_end()
    assert hanging.process.wait(PATIENCE_S / 2) == runner.EXIT_UNFINISHED
    assert "the process ends without it" in hanging.log.read_text()


def test_stop_is_answered_and_holds(hanging):
    detections = hanging.ear("detections", Detection2DArray)
    paused = hanging.pause(True)
    assert (paused.success, paused.message) == (True, "state PAUSED")
    assert hanging.next_status(lambda status: status.state == State.PAUSED).id == "target-1"
    cleared = hanging.clear_target()
    assert (cleared.success, cleared.message) == (True, "no target; state PAUSED")
    status = hanging.next_status()
    assert (status.state, status.id, "still at work" in status.message) == (State.PAUSED, "", True)
    assert detections.messages == []


def test_deactivate_is_answered_and_holds(hanging):
    asked_s = time.monotonic()
    assert hanging.change_state("deactivate")
    assert time.monotonic() - asked_s < 5, "the tracker hangs for a minute"
    detections = hanging.ear("detections", Detection2DArray)
    status = hanging.next_status()
    assert (status.state, "still at work" in status.message) == (State.INACTIVE, True)
    state = hanging.graph.call(GetState, f"{hanging.name}/get_state", GetState.Request())
    assert state.current_state.label == "inactive"
    request = GetParameters.Request(names=["max_age_ms"])
    assert hanging.graph.call(GetParameters, f"{hanging.name}/get_parameters", request).values
    answers = [hanging.set_target(), hanging.clear_target(), hanging.pause(True)]
    assert [(one.success, "not active" in one.message) for one in answers] == [(False, True)] * 3
    for transition, word in (("activate", "activated"), ("cleanup", "cleaned up")):
        assert not hanging.change_state(transition)
        hanging.wait_message(f"cannot be {word}: the tracker is still at work")
        assert hanging.last.state == State.INACTIVE
    assert detections.messages == []


def test_activate_goes_on_once_the_tracker_has_come_back(start_node):
    node = start_node(tracker__track_s=1.5)
    detections = node.ear("detections", Detection2DArray)
    node.start_work()
    assert node.change_state("deactivate")
    assert "still at work" in node.next_status().message
    assert node.change_state("activate"), "it waits a little"
    status = node.next_status()
    assert (status.state, "still at work" in status.message) == (State.NO_TARGET, False)
    assert detections.messages == []
