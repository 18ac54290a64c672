"""The node's console: one line when it is ready, and of images only what has changed."""

from dataclasses import replace

import pytest
from operator_side import picture

from stm_tracker_ros.ros.console import REPEAT_S, InputConsole
from stm_tracker_ros.ros.image_source import InputReport
from stm_tracker_ros.ros.no_images import NoImages, PublisherFound

pytestmark = pytest.mark.ros

CAMERA = PublisherFound(node="/camera", topic="/image", type_name="sensor_msgs/msg/Image", reliability="reliable")


@pytest.fixture
def told():
    return []


@pytest.fixture
def console(told):
    return InputConsole(lambda text: told.append(f"info: {text}"), lambda text: told.append(f"warning: {text}"))


def report(why=None, message="", publishers=(CAMERA,), mixed="", in_reach=()):
    return InputReport(
        topic="/image",
        transport="raw",
        publishers=publishers,
        reliability="reliable",
        depth=1,
        silent_s=0.0,
        reported_lost=0,
        why=why,
        message=message,
        mixed=mixed,
        in_reach=in_reach,
    )


def test_a_lack_of_images_is_told_once_and_again_after_a_minute(console, told):
    for seconds in range(3):
        console.look(report(NoImages.SILENT, f"no images: for {seconds} s"), 0, 10.0 + seconds)
    assert told == ["warning: no images: for 0 s"]
    console.look(report(NoImages.SILENT, "no images: still"), 0, 10.0 + REPEAT_S)
    assert told[1:] == ["warning: no images: still"]


def test_it_is_no_other_lack_when_another_transport_is_tried(console, told):
    compressed = replace(CAMERA, topic="/image/compressed", type_name="sensor_msgs/msg/CompressedImage")
    for number in range(10):
        tried = (CAMERA, compressed)[number % 2]
        console.look(report(NoImages.SILENT, "no images", (tried,), in_reach=(CAMERA, compressed)), 0, 10.0 + number)
    assert told == ["warning: no images"]


def test_another_cause_is_told_at_once(console, told):
    console.look(report(NoImages.NO_PUBLISHER, "no images: nobody", ()), 0, 10.0)
    console.look(report(NoImages.SILENT, "no images: silent"), 0, 10.5)
    console.look(report(NoImages.NO_PUBLISHER, "no images: nobody", ()), 0, 11.0)
    assert told == ["warning: no images: nobody", "warning: no images: silent", "warning: no images: nobody"]


def test_images_of_two_cameras_are_told_once_and_again_after_a_minute(console, told):
    for number in range(1, 5):
        console.look(report(mixed="mixed"), number, 10.0 + number)
    assert told == ["info: images come on /image, from /camera", "warning: mixed"]
    console.look(report(mixed="mixed"), 9, 12.0 + REPEAT_S)
    assert told[2:] == ["warning: mixed"]


def test_images_that_come_are_told_once_and_again_after_a_lack(console, told):
    console.look(report(), 0, 9.0)
    assert told == []
    for received in (1, 15, 30):
        console.look(report(), received, 10.0)
    assert told == ["info: images come on /image, from /camera"]
    console.look(report(NoImages.SILENT, "no images"), 30, 12.0)
    console.look(report(publishers=()), 31, 13.0)
    assert told[1:] == ["warning: no images", "info: images come on /image, from a node that has left"]


def test_a_node_activated_again_counts_from_nothing(console, told):
    console.look(report(), 5, 9.0)
    console.look(report(), 0, 10.0)
    console.look(report(), 1, 11.0)
    assert told == ["info: images come on /image, from /camera"]


def test_the_node_says_it_is_ready_and_waits_for_images(start_node):
    node = start_node(silent_after_s=0.3)
    node.wait_ready()
    node.wait(lambda: "no images: nobody publishes" in node.log.read_text(), "a warning")
    log = node.log.read_text()
    (ready,) = [line for line in log.splitlines() if "ready: " in line]
    assert " on cpu, " in ready
    assert f"images from {node.namespace}/image; " in ready
    assert f"service {node.name}/set_target" in ready
    camera = node.camera()
    node.receive_from(camera)
    camera.show(picture())
    node.wait(lambda: f"images come on {node.namespace}/image, from /operator" in node.log.read_text(), "the news")
    camera.close()
