"""Raw and compressed images, and those that cannot be used, from a camera's message to the node's answer."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from operator_side import Stream, drops, picture, values
from sensor_msgs.msg import CompressedImage, Image

from stm_tracker_ros.core.boxes import iou
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import convert, messages

pytestmark = pytest.mark.ros


def coded(extension, text):
    def encode(image):
        message = CompressedImage(format=text)
        message.data.frombytes(cv2.imencode(extension, image)[1].tobytes())
        return message

    return encode


def wide_png(image):
    """16 bits, of which the picture uses a few hundred values."""
    return coded(".png", "mono16; png compressed ")(image[..., 0].astype(np.uint16) * 2 + 8000)


def nv12(image):
    height, width = image.shape[:2]
    planar = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
    chroma = planar[height:].reshape(2, -1)
    message = Image(height=height, width=width, encoding="nv12", step=width)
    message.data.frombytes(planar[:height].tobytes() + chroma.T.tobytes())
    return message


JPEG, PNG = coded(".jpg", "bgr8; jpeg compressed bgr8"), coded(".png", "rgb8; png compressed bgr8")


@pytest.fixture
def camera_of(node):
    """Makes cameras of this node, which end with the test."""
    cameras = []

    def make(topic, message_type=CompressedImage, encode=None, of=node):
        cameras.append(of.camera(topic=topic, message_type=message_type, encode=encode))
        return cameras[-1]

    yield make
    for camera in cameras:
        camera.close()


@pytest.mark.parametrize(
    ("topic", "message_type", "encode", "transport"),
    [
        ("image", Image, None, "raw"),
        ("image", Image, nv12, "raw"),
        ("image/compressed", CompressedImage, JPEG, "compressed"),
        ("image/compressed", CompressedImage, wide_png, "compressed"),
        ("image", CompressedImage, PNG, "compressed"),
    ],
)
def test_it_is_tracked_as_a_raw_image_is(node, camera_of, topic, message_type, encode, transport):
    """One node, whose cameras change: by default it takes what is published."""
    camera = camera_of(topic, message_type, encode)
    answer = node.follow(camera)
    assert iou(messages.upright_box(answer.detection.bbox), Box(40, 30, 20, 20)) > 0.7
    node.track_until(camera, picture(x=50, y=34), lambda found: found.detections)
    moved = node.track(camera, picture(x=50, y=34))
    assert moved.header.frame_id == "camera_optical_frame"
    assert iou(messages.upright_box(moved.detections[0].bbox), Box(50, 34, 20, 20)) > 0.7
    assert (node.last.image_width, node.last.image_height) == (160, 120)
    with Stream(camera):
        found = values(node.diagnostics("input", lambda status: status.message == "images arrive"))
    assert (found["image transport"], found["topic"]) == (transport, f"{node.namespace}/{topic}")
    assert node.clear_target().success


def test_a_target_is_named_on_a_past_compressed_image(node, camera_of):
    camera = camera_of("image/compressed", encode=JPEG)
    node.follow(camera)
    past = node.track(camera, picture(x=100, y=80)).header.stamp
    now = node.track(camera, picture(blob=0)).header.stamp
    answer = node.set_target(box=(100, 80, 20, 20), stamp=past)
    assert answer.success, answer.message
    assert (answer.stamp_used, answer.frames_replayed) == (past, 1)
    assert answer.detection.header.stamp == now
    assert node.clear_target().success


def unknown(image):
    return convert.fill_image(Image(), image, "odd8")


def too_short(image):
    message = convert.fill_image(Image(), image, "bgr8")
    message.height += 1
    return message


def cut(image):
    message = JPEG(image)
    message.data = message.data[: len(message.data) // 2]
    return message


def damaged(image):
    """Its header is that of a PNG, what follows is none."""
    message = PNG(image)
    middle = message.data.tobytes().index(b"IDAT") + 4
    message.data[middle : middle + 20] = type(message.data)("B", bytes(20))
    return message


@pytest.mark.parametrize(
    ("topic", "message_type", "good", "bad", "said"),
    [
        ("image", Image, None, unknown, "image encoding 'odd8' is not known"),
        ("image", Image, None, too_short, "needed are"),
        ("image/compressed", CompressedImage, JPEG, cut, "cut short"),
        ("image/compressed", CompressedImage, PNG, damaged, "cannot be decoded"),
    ],
)
def test_an_image_that_cannot_be_used_is_told_without_a_target_until_a_good_one_comes(
    node, camera_of, topic, message_type, good, bad, said
):
    camera = camera_of(topic, message_type, good)
    node.receive_from(camera)
    with Stream(camera, lambda number: bad(picture())) as stream:
        node.wait_message("images cannot be used", said)
        assert node.last.state == State.NO_TARGET
        found = node.diagnostics("input", lambda status: said in status.message)
        assert found.level == DiagnosticStatus.ERROR
        stream.image = lambda number: picture()
        last = node.next_status(lambda status: not status.message)
        assert drops(last)["bad_image"] > 0


def test_a_choice_is_kept_and_what_it_rules_out_is_named(start_node, camera_of):
    """On a remapped topic, beside which the compressed one lies."""
    remapped = [str(Path(__file__).with_name("node_process.py")), "--ros-args", "-r", "image:=front/image_raw", "--"]
    node = start_node(program=remapped, image_transport="compressed")
    node.wait_ready()
    camera_of("front/image_raw", Image, of=node)
    node.wait_message("this node takes sensor_msgs/msg/CompressedImage", "set image_transport to raw or auto")
    with Stream(camera_of("front/image_raw/compressed", encode=JPEG, of=node)):
        found = values(node.diagnostics("input", lambda status: status.message == "images arrive"))
    assert (found["image transport"], found["topic"]) == (
        "compressed",
        f"{node.namespace}/front/image_raw/compressed",
    )
