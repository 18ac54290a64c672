"""Why no images arrive, in words that name the fix; pure text, so that every cause can be tested by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from stm_tracker_ros.ros.transport import COMPRESSED_TYPE, IMAGE_TYPE, Route

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
    """One publisher on the image topic or its compressed one; reliability is reliable, best_effort or unknown."""

    node: str
    topic: str
    type_name: str
    reliability: str


def node_name(namespace: str, name: str) -> str:
    """The full name of a publisher's node, or words for one without a name."""
    return NAMELESS.get(name) or f"{namespace.rstrip('/')}/{name}"


def cause(publishers: Sequence[PublisherFound], allowed: Sequence[Route], wanted_reliability: str) -> NoImages:
    """Why a subscription that asks for `wanted_reliability` on one of the routes gets nothing from these publishers.

    publishers: on the image topic and on that of its compressed images, also where that is not allowed.
    """
    topics = {route.topic for route in allowed}
    if not any(one.topic in topics for one in publishers):
        return NoImages.NO_PUBLISHER
    fitting = _fitting(publishers, allowed)
    if not fitting:
        return NoImages.WRONG_TYPE
    if wanted_reliability == "reliable" and any(one.reliability == "best_effort" for one in fitting):
        return NoImages.INCOMPATIBLE_QOS
    return NoImages.SILENT


def explain(
    why: NoImages,
    image: str,
    publishers: Sequence[PublisherFound],
    allowed: Sequence[Route],
    *,
    silent_s: float,
    elsewhere: Sequence[str],
) -> str:
    """The sentence for the operator.

    image: resolved name of the image topic; publishers: as of `cause`; allowed: routes, the best first; silent_s:
    seconds without an image; elsewhere: other topics with images on this graph.
    """
    topics = " or ".join(dict.fromkeys(route.topic for route in allowed))
    if why is NoImages.NO_PUBLISHER:
        return f"no images: nobody publishes {topics}; {_other_transport(publishers) or _remap(elsewhere)}"
    if why is NoImages.WRONG_TYPE:
        return f"no images: {_wrong_type(publishers, allowed)}"
    if why is NoImages.INCOMPATIBLE_QOS:
        return f"no images: {_best_effort(_fitting(publishers, allowed))}; set qos to auto or best_effort"
    fitting = _fitting(publishers, allowed)
    nodes, where = _nodes(fitting), " and ".join(dict.fromkeys(one.topic for one in fitting))
    text = f"no images: {nodes} publishes {where}, QoS and type fit, but nothing has come for {silent_s:.1f} s"
    topic = fitting[0].topic if fitting else image
    return f"{text}; look at the camera (ros2 topic hz {topic}), at the network, and at ROS_DOMAIN_ID on both sides"


def _fitting(publishers: Sequence[PublisherFound], allowed: Sequence[Route]) -> list[PublisherFound]:
    return [one for one in publishers if Route(one.topic, one.type_name) in allowed]


def _nodes(publishers: Sequence[PublisherFound]) -> str:
    return ", ".join(sorted({one.node for one in publishers}))


def _other_transport(publishers: Sequence[PublisherFound]) -> str:
    """The fix where images are there by the transport that the parameter rules out; else empty."""
    for one in publishers:
        if one.type_name in (IMAGE_TYPE, COMPRESSED_TYPE):
            return f"{one.node} publishes {one.topic} as {one.type_name}: set image_transport to {_takes(one)} or auto"
    return ""


def _wrong_type(publishers: Sequence[PublisherFound], allowed: Sequence[Route]) -> str:
    topics = {route.topic for route in allowed}
    wrong = [one for one in publishers if one.topic in topics]
    where, types = " and ".join(dict.fromkeys(one.topic for one in wrong)), sorted({one.type_name for one in wrong})
    wanted = " or ".join(dict.fromkeys(route.type_name for route in allowed))
    known = next((one for one in publishers if one.type_name in (IMAGE_TYPE, COMPRESSED_TYPE)), None)
    fix = f"set image_transport to {_takes(known)} or auto" if known else "remap image to the camera's image topic"
    return f"{_nodes(wrong)} publishes {where} as {', '.join(types)}, this node takes {wanted}; {fix}"


def _takes(publisher: PublisherFound) -> str:
    return Route(publisher.topic, publisher.type_name).transport


def _best_effort(fitting: Sequence[PublisherFound]) -> str:
    """Who cannot serve a subscription that asks for reliable, and who could and does not."""
    unfit = [one for one in fitting if one.reliability == "best_effort"]
    silent = _nodes([one for one in fitting if one.reliability != "best_effort"])
    topics = " and ".join(dict.fromkeys(one.topic for one in unfit))
    text = f"{_nodes(unfit)} offers {topics} best effort only, this node asks for reliable (parameter qos)"
    return f"{text}, and {silent}, which would fit, sends nothing" if silent else text


def _remap(elsewhere: Sequence[str]) -> str:
    if not elsewhere:
        return "no other image topic is in sight either: start the camera, check ROS_DOMAIN_ID and the discovery range"
    return f"image topics in sight: {', '.join(elsewhere)}; remap with --ros-args -r image:={elsewhere[0]}"
