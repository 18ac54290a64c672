import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from operator_side import picture, values
from sensor_msgs.msg import CompressedImage

pytestmark = pytest.mark.ros


@pytest.fixture
def camera(node):
    camera = node.camera()
    yield camera
    camera.close()


def input_error(node, *words):
    """The diagnostics say the same, as an error."""

    def fits(status):
        return status.level == DiagnosticStatus.ERROR and all(word in status.message for word in words)

    return node.diagnostics("input", fits)


def test_nobody_publishes(node):
    message = node.wait_message("no images", f"nobody publishes {node.namespace}/image")
    assert "start the camera" in message or "remap" in message
    assert values(input_error(node, "nobody publishes"))["publishers"] == "none"


def test_nobody_publishes_but_another_topic_has_images(node):
    elsewhere = node.camera(topic="front/image_raw")
    try:
        assert "remap" in node.wait_message(f"{node.namespace}/front/image_raw")
    finally:
        elsewhere.close()


def test_the_publisher_has_another_type(start_node):
    node = start_node(image_transport="raw")
    node.wait_ready()
    camera = node.camera(message_type=CompressedImage)
    node.wait_message("/operator publishes", "CompressedImage", "set image_transport to compressed or auto")
    assert "CompressedImage" in values(input_error(node, "CompressedImage"))["publishers"]
    camera.close()


def test_the_publisher_is_silent(node, camera):
    assert "ros2 topic hz" in node.wait_message("/operator publishes", "nothing has come for")
    assert "/operator" in values(input_error(node, "nothing has come for"))["publishers"]


def test_images_end_the_complaint_and_their_end_begins_it_again(node, camera):
    node.wait_message("nothing has come for")
    node.receive_from(camera)
    camera.show(picture())
    assert node.next_status(lambda status: not status.message).received > 0
    node.wait_message("/operator publishes", "nothing has come for")


def test_the_qos_of_the_publisher_does_not_fit(start_node):
    node = start_node(qos="reliable")
    node.wait_ready()
    camera = node.camera("best_effort")
    assert "set qos to auto" in node.wait_message("/operator offers", "best effort only")
    assert "best_effort" in values(input_error(node, "best effort only"))["publishers"]
    camera.close()


def test_an_inactive_node_does_not_complain_of_images(node):
    assert node.change_state("deactivate")
    idle = node.diagnostics("input", lambda status: "inactive" in status.message)
    assert idle.level == DiagnosticStatus.OK
    assert node.next_status().message == ""
    assert node.change_state("activate")


def test_simulated_time_without_a_clock_does_not_silence_the_node(start_node):
    node = start_node(use_sim_time=True, silent_after_s=60)
    node.wait_ready()
    node.wait_message("use_sim_time", "/clock")
    assert node.next_status().header.stamp.sec == 0
