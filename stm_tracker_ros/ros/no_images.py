"""Why no images arrive, in words that name the fix; pure text, so that every cause can be tested by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

IMAGE_TYPE = "sensor_msgs/msg/Image"
COMPRESSED_TYPE = "sensor_msgs/msg/CompressedImage"
NAMELESS = {
    "_NODE_NAME_UNKNOWN_": "a node of unknown name",
    "_CREATED_BY_BARE_DDS_APP_": "a DDS application without a ROS node",
}
"""What rmw gives for a node's name where discovery has none, or none yet; and what that means."""


class NoImages(str, Enum):
    """The causes, the first that holds is reported."""

    NO_PUBLISHER = "no_publisher"
    WRONG_TYPE = "wrong_type"
    INCOMPATIBLE_QOS = "incompatible_qos"
    SILENT = "publisher_silent"


@dataclass(frozen=True, kw_only=True)
class PublisherFound:
    """One publisher on the image topic; reliability is reliable, best_effort or unknown."""

    node: str
    type_name: str
    reliability: str


def node_name(namespace: str, name: str) -> str:
    """The full name of a publisher's node, or words for one without a name."""
    return NAMELESS.get(name) or f"{namespace.rstrip('/')}/{name}"


def cause(publishers: Sequence[PublisherFound], wanted_reliability: str) -> NoImages:
    """Why a subscription that asks for `wanted_reliability` gets nothing from these publishers."""
    if not publishers:
        return NoImages.NO_PUBLISHER
    right_type = [p for p in publishers if p.type_name == IMAGE_TYPE]
    if not right_type:
        return NoImages.WRONG_TYPE
    if wanted_reliability == "reliable" and any(p.reliability == "best_effort" for p in right_type):
        return NoImages.INCOMPATIBLE_QOS
    return NoImages.SILENT


def explain(
    why: NoImages, topic: str, publishers: Sequence[PublisherFound], *, silent_s: float, elsewhere: Sequence[str]
) -> str:
    """The sentence for the operator.

    topic: resolved name; silent_s: seconds without an image; elsewhere: other topics with images on this graph.
    """
    nodes = ", ".join(sorted({p.node for p in publishers}))
    if why is NoImages.NO_PUBLISHER:
        return f"no images: nobody publishes {topic}; {_remap(elsewhere)}"
    if why is NoImages.WRONG_TYPE:
        types = ", ".join(sorted({p.type_name for p in publishers}))
        return f"no images: {nodes} publishes {topic} as {types}, this node takes {IMAGE_TYPE}; {_other_type(types)}"
    if why is NoImages.INCOMPATIBLE_QOS:
        return f"no images: {_best_effort(publishers, topic)}; set qos to auto or best_effort"
    text = f"no images: {nodes} publishes {topic}, QoS and type fit, but nothing has come for {silent_s:.1f} s"
    return f"{text}; look at the camera (ros2 topic hz {topic}), at the network, and at ROS_DOMAIN_ID on both sides"


def _best_effort(publishers: Sequence[PublisherFound], topic: str) -> str:
    """Who cannot serve a subscription that asks for reliable, and who could and does not."""
    fitting = [p for p in publishers if p.type_name == IMAGE_TYPE]
    unfit = ", ".join(sorted({p.node for p in fitting if p.reliability == "best_effort"}))
    silent = ", ".join(sorted({p.node for p in fitting if p.reliability != "best_effort"}))
    text = f"{unfit} offers {topic} best effort only, this node asks for reliable (parameter qos)"
    return f"{text}, and {silent}, which would fit, sends nothing" if silent else text


def _remap(elsewhere: Sequence[str]) -> str:
    if not elsewhere:
        return "no other image topic is in sight either: start the camera, check ROS_DOMAIN_ID and the discovery range"
    return f"image topics in sight: {', '.join(elsewhere)}; remap with --ros-args -r image:={elsewhere[0]}"


def _other_type(types: str) -> str:
    if COMPRESSED_TYPE in types:
        return "decompress it (ros2 run image_transport republish compressed raw) and remap image to the raw topic"
    return "remap image to the camera's raw image topic"
