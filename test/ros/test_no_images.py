import pytest

from stm_tracker_ros.ros.no_images import NoImages, PublisherFound, cause, explain, node_name
from stm_tracker_ros.ros.transport import COMPRESSED_TYPE, IMAGE_TYPE, routes

pytestmark = pytest.mark.pure

TEXT_TYPE = "std_msgs/msg/String"


def found(type_name=IMAGE_TYPE, reliability="reliable", node="/camera", topic="/image"):
    return PublisherFound(node=node, topic=topic, type_name=type_name, reliability=reliability)


def compressed(reliability="reliable", node="/camera"):
    return found(COMPRESSED_TYPE, reliability, node, "/image/compressed")


def allowed(choice):
    return routes(choice, "/image", "/image/compressed")


@pytest.mark.parametrize(
    ("choice", "publishers", "wanted", "why"),
    [
        ("auto", [], "reliable", NoImages.NO_PUBLISHER),
        ("raw", [compressed()], "reliable", NoImages.NO_PUBLISHER),
        ("raw", [found(COMPRESSED_TYPE)], "reliable", NoImages.WRONG_TYPE),
        ("auto", [found(TEXT_TYPE)], "reliable", NoImages.WRONG_TYPE),
        ("compressed", [found()], "reliable", NoImages.WRONG_TYPE),
        ("auto", [found(COMPRESSED_TYPE)], "reliable", NoImages.SILENT),
        ("compressed", [compressed()], "reliable", NoImages.SILENT),
        ("raw", [found(reliability="best_effort")], "reliable", NoImages.INCOMPATIBLE_QOS),
        ("auto", [compressed("best_effort")], "reliable", NoImages.INCOMPATIBLE_QOS),
        ("raw", [found(COMPRESSED_TYPE), found(reliability="best_effort")], "reliable", NoImages.INCOMPATIBLE_QOS),
        ("raw", [found(reliability="best_effort")], "best_effort", NoImages.SILENT),
        ("raw", [found(reliability="best_effort"), found()], "reliable", NoImages.INCOMPATIBLE_QOS),
        ("auto", [found(reliability="unknown")], "reliable", NoImages.SILENT),
        ("auto", [found()], "best_effort", NoImages.SILENT),
    ],
)
def test_the_first_cause_that_holds(choice, publishers, wanted, why):
    assert cause(publishers, allowed(choice), wanted) is why


@pytest.mark.parametrize(
    ("choice", "why", "publishers", "elsewhere", "sentence"),
    [
        (
            "raw",
            NoImages.NO_PUBLISHER,
            [],
            ["/left/image_raw", "/right/image_raw"],
            "no images: nobody publishes /image; image topics in sight: /left/image_raw, /right/image_raw; "
            "remap with --ros-args -r image:=/left/image_raw",
        ),
        (
            "auto",
            NoImages.NO_PUBLISHER,
            [],
            [],
            "no images: nobody publishes /image or /image/compressed; no other image topic is in sight either: start "
            "the camera, check ROS_DOMAIN_ID and the discovery range",
        ),
        (
            "raw",
            NoImages.NO_PUBLISHER,
            [compressed()],
            [],
            "no images: nobody publishes /image; /camera publishes /image/compressed as "
            "sensor_msgs/msg/CompressedImage: set image_transport to compressed or auto",
        ),
        (
            "raw",
            NoImages.INCOMPATIBLE_QOS,
            [found(reliability="best_effort"), found(node="/dead")],
            [],
            "no images: /camera offers /image best effort only, this node asks for reliable (parameter qos), and "
            "/dead, which would fit, sends nothing; set qos to auto or best_effort",
        ),
        (
            "raw",
            NoImages.WRONG_TYPE,
            [found(COMPRESSED_TYPE)],
            [],
            "no images: /camera publishes /image as sensor_msgs/msg/CompressedImage, this node takes "
            "sensor_msgs/msg/Image; set image_transport to compressed or auto",
        ),
        (
            "compressed",
            NoImages.WRONG_TYPE,
            [found()],
            [],
            "no images: /camera publishes /image as sensor_msgs/msg/Image, this node takes "
            "sensor_msgs/msg/CompressedImage; set image_transport to raw or auto",
        ),
        (
            "auto",
            NoImages.WRONG_TYPE,
            [found(TEXT_TYPE)],
            [],
            "no images: /camera publishes /image as std_msgs/msg/String, this node takes sensor_msgs/msg/Image or "
            "sensor_msgs/msg/CompressedImage; remap image to the camera's image topic",
        ),
        (
            "auto",
            NoImages.INCOMPATIBLE_QOS,
            [compressed("best_effort")],
            [],
            "no images: /camera offers /image/compressed best effort only, this node asks for reliable (parameter "
            "qos); set qos to auto or best_effort",
        ),
        (
            "auto",
            NoImages.SILENT,
            [found(node="/left"), found(node="/right")],
            [],
            "no images: /left, /right publishes /image, QoS and type fit, but nothing has come for 2.5 s; look at the "
            "camera (ros2 topic hz /image), at the network, and at ROS_DOMAIN_ID on both sides",
        ),
        (
            "auto",
            NoImages.SILENT,
            [compressed()],
            [],
            "no images: /camera publishes /image/compressed, QoS and type fit, but nothing has come for 2.5 s; look at "
            "the camera (ros2 topic hz /image/compressed), at the network, and at ROS_DOMAIN_ID on both sides",
        ),
    ],
)
def test_the_sentence_names_the_fix(choice, why, publishers, elsewhere, sentence):
    said = explain(why, "/image", publishers, allowed(choice), silent_s=2.5, elsewhere=elsewhere)
    assert said == sentence


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
