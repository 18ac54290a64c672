"""The nodes that the documents show, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import rclpy
from geometry_msgs.msg import Point, Twist
from rclpy.executors import SingleThreadedExecutor
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parents[2]
PATIENCE_S = 5.0


def shown(document, name):
    """The class of that name, as the document has it."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / document).read_text(encoding="utf-8"), re.M | re.S)
    (code,) = (block for block in blocks if f"class {name}(" in block)
    names = {"__name__": "snippet"}
    exec(compile(code, document, "exec"), names)
    return names[name]


@pytest.fixture
def started(ros_environment):
    """Starts a node; what it publishes is kept instead."""
    ours = not rclpy.ok()  # other tests leave theirs to the end
    if ours:
        rclpy.init()
    executor = SingleThreadedExecutor()
    nodes = []

    def start(kind, output):
        node = kind()
        nodes.append(node)
        executor.add_node(node)
        sent = []
        setattr(node, output, SimpleNamespace(publish=sent.append))
        return node, sent, lambda: executor.spin_once(timeout_sec=PATIENCE_S)

    yield start
    executor.shutdown()
    for node in nodes:
        node.destroy_node()
    if ours:
        rclpy.shutdown()


def detections(*at, hypotheses=1):
    message = Detection2DArray()
    for x, y in at:
        one = Detection2D(results=[ObjectHypothesisWithPose() for _ in range(hypotheses)])
        one.bbox.center.position.x, one.bbox.center.position.y = x, y
        message.detections.append(one)
    return message


def rates(twist):
    return twist.angular.z, twist.angular.y


def test_the_gimbal_turns_towards_the_target_and_stands_still_without_one(started):
    gimbal, sent, _ = started(shown("README.md", "Gimbal"), "rates")
    gimbal.follow(detections((320.0, 240.0)))
    gimbal.follow(detections((380.0, 180.0)))
    gimbal.follow(detections((260.0, 300.0)))
    gimbal.follow(detections((260.0, 300.0), hypotheses=2))
    gimbal.follow(detections())
    assert [rates(twist) for twist in sent] == [
        (0.0, 0.0),
        pytest.approx((-0.2, -0.2)),  # the target is at the right and above: REP 103 turns right and up, both negative
        pytest.approx((0.2, 0.2)),
        (0.0, 0.0),
        (0.0, 0.0),
    ]
    assert all(isinstance(twist, Twist) for twist in sent)


def test_the_gimbal_stands_still_when_nothing_comes(started):
    gimbal, sent, wait = started(shown("README.md", "Gimbal"), "rates")
    gimbal.follow(detections((0.0, 0.0)))
    assert rates(sent.pop()) != (0.0, 0.0)
    for _ in range(3):
        if not sent:
            wait()
    assert rates(sent[0]) == (0.0, 0.0)


def test_a_click_names_a_box_about_it(started):
    click, sent, _ = started(shown("docs/NODE.md", "Click"), "init")
    click.name_target(Point(x=100.0, y=50.0))
    (target,) = sent
    assert isinstance(target, Detection2D)
    assert (target.bbox.center.position.x, target.bbox.center.position.y) == (100.0, 50.0)
    assert target.bbox.size_x == target.bbox.size_y > 0
    assert (target.header.stamp.sec, target.bbox.center.theta) == (0, 0.0)
