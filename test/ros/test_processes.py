import subprocess
import sys
from pathlib import Path

import pytest
from operator_side import values
from vision_msgs.msg import Detection2DArray

from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros.diagnostics import LOST_PREFIX

pytestmark = pytest.mark.ros


@pytest.fixture
def camera_process(ros_environment):
    processes = []

    def start(topic):
        script = Path(__file__).with_name("camera_process.py")
        processes.append(subprocess.Popen([sys.executable, str(script), topic], env=ros_environment))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_a_killed_camera_is_reported_and_a_new_one_followed(start_node, camera_process):
    node = start_node(silent_after_s=1)
    node.wait_ready()
    camera = camera_process(f"{node.namespace}/image")
    detections = node.ear("detections", Detection2DArray)
    node.wait(lambda: node.last.received > 3, "images of the camera's process")
    assert node.set_target().success
    node.wait(lambda: len(detections.messages) > 5, "answers")
    camera.kill()
    node.wait_message("no images", "/camera publishes", "nothing has come for")
    assert node.next_status().state == State.LOST
    camera_process(f"{node.namespace}/image")
    node.next_status(lambda status: not status.message)
    detections.messages.clear()
    node.wait(lambda: len(detections.messages) > 5 and detections.messages[-1].detections, "answers again")
    assert int(values(node.diagnostics("input", lambda _: True))[f"{LOST_PREFIX}middleware_lost"]) < 30


def test_the_program_with_the_shipped_tracker(start_node):
    """As `ros2 run stm_tracker_ros tracker_node` does it: the real tracker, its defaults."""
    node = start_node(program=["-m", "stm_tracker_ros.ros.node"], tracker__name="stmtrack_lite")
    node.wait_ready()
    node.follow(node.camera())
    facts = values(node.diagnostics("tracker", lambda status: values(status).get("track (ms)")))
    assert facts["tracker"] == "stmtrack_lite"
    assert len(facts["weights sha256"]) == 64
