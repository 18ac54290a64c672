import pytest

from stm_tracker_ros.ros.no_images import (
    COMPRESSED_TYPE,
    IMAGE_TYPE,
    NoImages,
    PublisherFound,
    cause,
    explain,
    node_name,
)

pytestmark = pytest.mark.pure


def found(type_name=IMAGE_TYPE, reliability="reliable", node="/camera"):
    return PublisherFound(node=node, type_name=type_name, reliability=reliability)


@pytest.mark.parametrize(
    ("publishers", "wanted", "why"),
    [
        ([], "reliable", NoImages.NO_PUBLISHER),
        ([found(COMPRESSED_TYPE)], "reliable", NoImages.WRONG_TYPE),
        ([found(reliability="best_effort")], "reliable", NoImages.INCOMPATIBLE_QOS),
        ([found(COMPRESSED_TYPE), found(reliability="best_effort")], "reliable", NoImages.INCOMPATIBLE_QOS),
        ([found(reliability="best_effort")], "best_effort", NoImages.SILENT),
        ([found(reliability="best_effort"), found()], "reliable", NoImages.INCOMPATIBLE_QOS),
        ([found(reliability="unknown")], "reliable", NoImages.SILENT),
        ([found()], "best_effort", NoImages.SILENT),
    ],
)
def test_the_first_cause_that_holds(publishers, wanted, why):
    assert cause(publishers, wanted) is why


@pytest.mark.parametrize(
    ("why", "publishers", "elsewhere", "sentence"),
    [
        (
            NoImages.NO_PUBLISHER,
            [],
            ["/left/image_raw", "/right/image_raw"],
            "no images: nobody publishes /image; image topics in sight: /left/image_raw, /right/image_raw; "
            "remap with --ros-args -r image:=/left/image_raw",
        ),
        (
            NoImages.NO_PUBLISHER,
            [],
            [],
            "no images: nobody publishes /image; no other image topic is in sight either: start the camera, check "
            "ROS_DOMAIN_ID and the discovery range",
        ),
        (
            NoImages.INCOMPATIBLE_QOS,
            [found(reliability="best_effort"), found(node="/dead")],
            [],
            "no images: /camera offers /image best effort only, this node asks for reliable (parameter qos), and "
            "/dead, which would fit, sends nothing; set qos to auto or best_effort",
        ),
        (
            NoImages.WRONG_TYPE,
            [found(COMPRESSED_TYPE)],
            [],
            "no images: /camera publishes /image as sensor_msgs/msg/CompressedImage, this node takes "
            "sensor_msgs/msg/Image; decompress it (ros2 run image_transport republish compressed raw) and remap image "
            "to the raw topic",
        ),
        (
            NoImages.WRONG_TYPE,
            [found("std_msgs/msg/String")],
            [],
            "no images: /camera publishes /image as std_msgs/msg/String, this node takes sensor_msgs/msg/Image; remap "
            "image to the camera's raw image topic",
        ),
        (
            NoImages.INCOMPATIBLE_QOS,
            [found(reliability="best_effort")],
            [],
            "no images: /camera offers /image best effort only, this node asks for reliable (parameter qos); set qos "
            "to auto or best_effort",
        ),
        (
            NoImages.SILENT,
            [found(node="/left"), found(node="/right")],
            [],
            "no images: /left, /right publishes /image, QoS and type fit, but nothing has come for 2.5 s; look at the "
            "camera (ros2 topic hz /image), at the network, and at ROS_DOMAIN_ID on both sides",
        ),
    ],
)
def test_the_sentence_names_the_fix(why, publishers, elsewhere, sentence):
    assert explain(why, "/image", publishers, silent_s=2.5, elsewhere=elsewhere) == sentence


@pytest.mark.parametrize(
    ("namespace", "name", "full"),
    [
        ("/", "camera", "/camera"),
        ("/drone", "camera", "/drone/camera"),
        ("_NODE_NAMESPACE_UNKNOWN_", "_NODE_NAME_UNKNOWN_", "a node of unknown name"),
        ("_CREATED_BY_BARE_DDS_APP_", "_CREATED_BY_BARE_DDS_APP_", "a DDS application without a ROS node"),
    ],
)
def test_a_node_is_named_in_full_where_it_has_a_name(namespace, name, full):
    assert node_name(namespace, name) == full
