"""What a tracked frame becomes on the wire: called in the engine thread, once a frame.

The publishers live as long as the node, so that none is destroyed while the engine publishes.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float32, Header
from vision_msgs.msg import Detection2D, Detection2DArray
from visualization_msgs.msg import MarkerArray

from stm_tracker_ros import drawing
from stm_tracker_ros.core.types import Frame, ImageView, Pixels
from stm_tracker_ros.engine.engine import Answer
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import convert, messages, qos
from stm_tracker_ros.ros.messages import ImageMessage

_JPEG_QUALITY = 80
_GREEN, _AMBER, _BLUE = (0.3, 0.9, 0.3), (1.0, 0.75, 0.0), (0.25, 0.65, 1.0)


class Outputs:
    """Publishes answers: exactly one detections, mask (of trackers that have one) and confidence a frame.

    A mask is as large as an image of grey: its bytes are copied only for those who take them. Candidates come while the
    target is away, and one empty array when there are none any more.
    """

    def __init__(self, node: Node, *, has_mask: bool) -> None:
        def publisher(message_type: type, name: str) -> Publisher:
            return node.create_publisher(message_type, f"~/{name}", qos.output())

        self._detections = publisher(Detection2DArray, "detections")
        self._detection = publisher(Detection2D, "detection")
        self._candidates = publisher(Detection2DArray, "candidates")
        self._shows_candidates = False
        self._confidence = publisher(Float32, "confidence")
        self._mask = publisher(Image, "mask") if has_mask else None
        self._overlay = publisher(Image, "overlay")
        self._overlay_compressed = publisher(CompressedImage, "overlay/compressed")
        self._markers = publisher(MarkerArray, "markers")

    def publish(self, answer: Answer[ImageMessage]) -> None:
        """All outputs of one frame, with the header of its image; the pictures only where somebody looks."""
        header = answer.message.header
        found = _detections(answer)
        self._detections.publish(messages.detections(header, found))
        for one in found:
            self._detection.publish(one)
        if self._mask is not None and _watched(self._mask):
            self._mask.publish(_mask_message(answer))
        self._confidence.publish(Float32(data=float(answer.result.score)))
        if _watched(self._candidates):
            self._publish_candidates(answer)
        self._publish_pictures(answer)

    def _publish_candidates(self, answer: Answer[ImageMessage]) -> None:
        if not (answer.candidates or self._shows_candidates):
            return
        header = answer.message.header
        found = [messages.candidate(header, one, answer.class_id) for one in answer.candidates]
        self._candidates.publish(messages.detections(header, found))
        self._shows_candidates = bool(found)

    def show(self, message: ImageMessage, image: Pixels | ImageView, state: State) -> None:
        """The pictures of an image that no target is followed in: it and the state, and no outline any more."""
        header = message.header
        if _watched(self._markers):
            self._markers.publish(messages.no_outline(header))
        self._publish_overlay(header, lambda: drawing.draw_overlay(_bgr(image), state=state.name, center_cross=True))

    def _publish_pictures(self, answer: Answer[ImageMessage]) -> None:
        if _watched(self._markers):
            self._markers.publish(_markers(answer))
        self._publish_overlay(answer.message.header, lambda: _draw(answer))

    def _publish_overlay(self, header: Header, draw: Callable[[], Pixels]) -> None:
        raw, compressed = _watched(self._overlay), _watched(self._overlay_compressed)
        if not (raw or compressed):
            return
        picture = draw()
        if raw:
            self._overlay.publish(convert.fill_image(Image(header=header), picture, "bgr8"))
        if compressed:
            self._overlay_compressed.publish(_jpeg(picture, CompressedImage(header=header, format="jpeg")))


def _watched(publisher: Publisher) -> bool:
    return bool(publisher.get_subscription_count())


def _detections(answer: Answer[ImageMessage]) -> list[Detection2D]:
    if answer.place is None:
        return []
    return [
        messages.detection(
            answer.message.header,
            answer.place,
            score=answer.result.score,
            target_id=answer.target_id,
            class_id=answer.class_id,
            uncertain=answer.state is State.UNCERTAIN,
        )
    ]


def _mask_message(answer: Answer[ImageMessage]) -> Image:
    mask = answer.result.mask
    if mask is None or answer.place is None:
        mask = np.zeros(answer.image.shape[:2], np.uint8)
    return convert.fill_image(Image(header=answer.message.header), mask, "mono8")


def _markers(answer: Answer[ImageMessage]) -> MarkerArray:
    header, (height, width, _) = answer.message.header, answer.image.shape
    color = _GREEN if answer.state is State.TRACKING else _AMBER
    if answer.place is None:
        array = messages.no_outline(header)
    else:
        array = messages.outline(header, answer.place, width=width, height=height, color=color)
    boxes = [one.box for one in answer.candidates]
    array.markers.append(messages.candidate_outlines(header, boxes, width=width, height=height, color=_BLUE))
    return array


def _bgr(image: Pixels | ImageView) -> Pixels:
    return Frame(image=image, stamp_ns=0).bgr()


def _draw(answer: Answer[ImageMessage]) -> Pixels:
    place = answer.place
    return drawing.draw_overlay(
        _bgr(answer.image),
        box=None if place is None else place.box,
        state=answer.state.name,
        score=answer.result.score,
        mask=None if place is None else answer.result.mask,
        rotated=None if place is None else place.rotated,
        target_id=answer.target_id,
        latency_ms=answer.age_ns / 1e6,
        unseen_s=answer.unseen_ns / 1e9,
        expected=drawing.waited_for(answer.result, place is not None),
        region=answer.result.region,
        candidates=[(one.box, f"{one.id} {one.score:.2f}".lstrip()) for one in answer.candidates],
        center_cross=True,
    )


def _jpeg(picture: Pixels, message: CompressedImage) -> CompressedImage:
    _, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
    message.data.frombytes(data.data)
    return message
