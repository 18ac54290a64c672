"""What the image source makes of the graph, without a graph."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy

from stm_tracker_ros.ros.image_source import publisher_found

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(
    ("namespace", "name", "expected"),
    [
        ("/drone", "camera", "/drone/camera"),
        ("_NODE_NAMESPACE_UNKNOWN_", "_NODE_NAME_UNKNOWN_", "a node of unknown name"),
    ],
)
def test_a_publisher_is_named_by_its_node_where_that_is_known(namespace, name, expected):
    endpoint = SimpleNamespace(
        node_namespace=namespace,
        node_name=name,
        topic_type="sensor_msgs/msg/Image",
        qos_profile=QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT),
    )
    found = publisher_found("/image", endpoint)
    assert (found.node, found.topic, found.reliability) == (expected, "/image", "best_effort")
    assert found.type_name == "sensor_msgs/msg/Image"
