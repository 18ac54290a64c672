"""A tracker that does not come back from an image: what the operator asks for is answered, and the process ends."""

import pytest
from lifecycle_msgs.srv import ChangeState
from operator_side import PATIENCE_S, transition_request
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


@pytest.mark.parametrize("blocks", ["the engine", "the executor"])
def test_it_ends_when_told_to(hanging, blocks):
    if blocks == "the executor":
        hanging.graph.node.create_client(ChangeState, f"{hanging.name}/change_state").call_async(
            transition_request("deactivate")
        )
        hanging.wait_state(State.INITIALISING)
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
