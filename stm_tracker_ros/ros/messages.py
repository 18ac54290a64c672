"""Between the engine's vocabulary and ROS messages, both ways."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Union

from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import BoundingBox2D, Detection2D, Detection2DArray, ObjectHypothesisWithPose
from visualization_msgs.msg import Marker, MarkerArray

from stm_tracker_msgs.srv import SetTarget
from stm_tracker_ros.core.boxes import corners, upright
from stm_tracker_ros.core.errors import FrameError, TargetError
from stm_tracker_ros.core.types import Box, Pixels, RotatedBox
from stm_tracker_ros.engine.candidates import NamedCandidate
from stm_tracker_ros.engine.names import UNCERTAIN_CLASS
from stm_tracker_ros.engine.place import Place
from stm_tracker_ros.engine.set_target import Code, RefusalError, TargetRequest
from stm_tracker_ros.ros import convert

_NS_PER_S = 1_000_000_000
_FIRST_SECOND, _LAST_SECOND = -(2**31), 2**31 - 1  # of builtin_interfaces/Time
ImageMessage = Union[Image, CompressedImage]
MARKER_LIFETIME = Duration(sec=2)  # what nobody draws anew is gone: no camera, an inactive node, a fault


def to_ns(stamp: Time) -> int:
    """Nanoseconds of a stamp."""
    return int(stamp.sec) * _NS_PER_S + int(stamp.nanosec)


def to_time(stamp_ns: int) -> Time:
    """The stamp of these nanoseconds, or the nearest that there is."""
    second = min(max(stamp_ns // _NS_PER_S, _FIRST_SECOND), _LAST_SECOND)
    return Time(sec=second, nanosec=stamp_ns % _NS_PER_S)


def detection(
    header: Header, place: Place, *, score: float, target_id: str, class_id: str, uncertain: bool = False
) -> Detection2D:
    """One detection; rotated where the tracker says how, else theta is 0. Its pose is unused: identity.

    uncertain: told by a second hypothesis of class UNCERTAIN_CLASS, score 0: who reads detections alone must know.
    """
    message = Detection2D(header=header, id=target_id, bbox=_bounding_box(place))
    message.results.append(_hypothesis(class_id, score))
    if uncertain:
        message.results.append(_hypothesis(UNCERTAIN_CLASS, 0.0))
    return message


def _hypothesis(class_id: str, score: float) -> ObjectHypothesisWithPose:
    message = ObjectHypothesisWithPose()
    message.hypothesis.class_id, message.hypothesis.score = class_id, float(score)
    return message


def detections(header: Header, found: Sequence[Detection2D]) -> Detection2DArray:
    """The array of one frame."""
    return Detection2DArray(header=header, detections=list(found))


def candidate(header: Header, one: NamedCandidate, class_id: str) -> Detection2D:
    """What may be the target, as a detection of its class; its id says whether it can be confirmed."""
    return detection(header, Place(one.box, None), score=one.score, target_id=one.id, class_id=class_id)


def outline(header: Header, place: Place, *, width: int, height: int, color: tuple[float, float, float]) -> MarkerArray:
    """The box as a line in the optical frame, 1 m ahead, for a camera whose focal length is its image's width.

    Turned where the tracker says how. Until camera_info is used this is a picture of the box, not a place in the world.
    """
    marker = _line(header, "target", Marker.LINE_STRIP, color)
    marker.points = _around(place, width, height)
    return MarkerArray(markers=[marker])


def candidate_outlines(
    header: Header, boxes: Sequence[Box], *, width: int, height: int, color: tuple[float, float, float]
) -> Marker:
    """Boxes in one marker, drawn as by `outline`; without any it takes away those before."""
    marker = _line(header, "candidates", Marker.LINE_LIST, color)
    for box in boxes:
        points = _around(Place(box, None), width, height)
        marker.points += [end for side in pairwise(points) for end in side]
    marker.action = Marker.ADD if marker.points else Marker.DELETE
    return marker


def _line(header: Header, namespace: str, kind: int, color: tuple[float, float, float]) -> Marker:
    marker = Marker(header=header, ns=namespace, type=kind, action=Marker.ADD)
    marker.lifetime = MARKER_LIFETIME
    marker.scale.x = 0.004
    marker.color.r, marker.color.g, marker.color.b, marker.color.a = (*color, 1.0)
    return marker


def _around(place: Place, width: int, height: int) -> list[Point]:
    """Five points from corner to corner and back. Focal length = width: a pixel is 1 / width off the axis at 1 m."""
    places = (corners(_rotated(place)) - (width / 2, height / 2)) / width
    return [Point(x=float(x), y=float(y), z=1.0) for x, y in (*places, places[0])]


def no_outline(header: Header) -> MarkerArray:
    """Takes the outline away."""
    return MarkerArray(markers=[Marker(header=header, ns="target", action=Marker.DELETEALL)])


def request_of_service(request: SetTarget.Request) -> TargetRequest:
    """What the operator asks for. Raises TargetError for a mask that cannot be read, RefusalError for a turned box."""
    theta = request.box.center.theta
    if math.isfinite(theta) and theta != 0:
        raise RefusalError(Code.BAD_REQUEST, f"box.center.theta is {theta:g}; allowed is 0: give the upright box")
    box, mask = upright_box(request.box), _mask(request.mask)
    if mask is not None and not (request.box.size_x or request.box.size_y):
        box = None
    return TargetRequest(
        box=box,
        mask=mask,
        stamp_ns=to_ns(request.stamp),
        id=request.id,
        class_id=request.class_id,
    )


def request_of_detection(message: Detection2D) -> TargetRequest:
    """The same from a detection; its header is that of the image on which it was drawn."""
    return TargetRequest(
        box=upright_box(message.bbox),
        stamp_ns=to_ns(message.header.stamp),
        id=message.id,
        class_id=message.results[0].hypothesis.class_id if message.results else "",
    )


def _bounding_box(place: Place) -> BoundingBox2D:
    message = BoundingBox2D()
    center_x, center_y, size_x, size_y, theta = _rotated(place)
    message.center.position.x, message.center.position.y = float(center_x), float(center_y)
    message.center.theta, message.size_x, message.size_y = float(theta), float(size_x), float(size_y)
    return message


def _rotated(place: Place) -> RotatedBox:
    """The rotated box where there is one; else the upright one, theta 0."""
    if place.rotated is not None:
        return place.rotated
    return RotatedBox(*place.box.center, place.box.width, place.box.height, 0.0)


def upright_box(message: BoundingBox2D) -> Box | None:
    """The upright box around what was given; None where every field is 0."""
    size_x, size_y, theta = message.size_x, message.size_y, message.center.theta
    center = message.center.position
    if not (size_x or size_y or center.x or center.y):
        return None
    # What is not finite is refused by the engine, in words; numpy would warn of an infinite angle.
    theta = theta if math.isfinite(theta) else math.nan
    return upright(RotatedBox(center.x, center.y, size_x, size_y, theta))


def _mask(message: Image) -> Pixels | None:
    if not message.data:
        return None
    try:
        return convert.mask(message)
    except FrameError as error:
        raise TargetError(f"mask: {error}") from error
