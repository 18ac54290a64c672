"""The image subscription: asks for the QoS that the publishers can give, knows why nothing comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from stm_tracker_ros.ros import compat, no_images, qos
from stm_tracker_ros.ros.no_images import IMAGE_TYPE, NoImages, PublisherFound


@dataclass(frozen=True, kw_only=True)
class InputReport:
    """What is known about the input now.

    silent_s: seconds since the last image, or since the subscription was opened; None while it is closed.
    reported_lost: messages that the middleware itself says it lost; those that newer ones superseded in our reader
        before we took them are not among them, they only show as gaps in the publisher's numbering.
    why, message: cause and explanation while nothing comes; None and empty otherwise.
    """

    topic: str
    publishers: tuple[PublisherFound, ...]
    reliability: str
    depth: int
    silent_s: float | None
    reported_lost: int
    why: NoImages | None
    message: str


class ImageSource:
    """Subscribes `image`, again when the publishers call for another QoS. Lives in the executor's thread.

    on_image gets the message and the publisher's number of it, None where rclpy or the middleware has none.
    """

    def __init__(
        self, node: Node, on_image: compat.OnMessage, *, choice: str, depth: int, silent_after_s: float
    ) -> None:
        self._node, self._on_image = node, on_image
        self._choice, self._depth, self._silent_after_s = choice, depth, silent_after_s
        self._group = MutuallyExclusiveCallbackGroup()
        self._topic = node.resolve_topic_name("image")
        self._subscription: Subscription | None = None
        self._reliability = qos.choose(choice, ())
        self._reported_lost = 0
        self._last_image_ns = 0
        self._endpoints = self._look()
        # An event handler must not destroy the subscription that it belongs to: it asks for the check instead.
        self._check_soon = node.create_guard_condition(self.check)

    def open(self) -> None:
        """Subscribe."""
        self._last_image_ns, self._reported_lost = perf_counter_ns(), 0
        self._endpoints = self._look()
        self._subscribe(qos.choose(self._choice, self._offered()))

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def check(self) -> None:
        """Look at the graph: subscribe again if the publishers call for another reliability."""
        self._endpoints = self._look()
        if self._subscription is None:
            return
        wanted = qos.choose(self._choice, self._offered())
        if wanted != self._reliability:
            self._node.get_logger().info(f"subscribing {self._topic} again, {qos.word(wanted)}: publishers changed")
            self._subscribe(wanted)

    def report(self) -> InputReport:
        """See InputReport."""
        publishers = tuple(publisher_found(info) for info in self._endpoints)
        silent_s = None if self._subscription is None else (perf_counter_ns() - self._last_image_ns) / 1e9
        why = self._why(publishers, silent_s)
        return InputReport(
            topic=self._topic,
            publishers=publishers,
            reliability=qos.word(self._reliability),
            depth=self._depth,
            silent_s=silent_s,
            reported_lost=self._reported_lost,
            why=why,
            message="" if why is None else self._explain(why, publishers, silent_s or 0.0),
        )

    def _why(self, publishers: tuple[PublisherFound, ...], silent_s: float | None) -> NoImages | None:
        if silent_s is None or silent_s < self._silent_after_s:
            return None
        return no_images.cause(publishers, qos.word(self._reliability))

    def _explain(self, why: NoImages, publishers: tuple[PublisherFound, ...], silent_s: float) -> str:
        elsewhere = self._image_topics_elsewhere() if why is NoImages.NO_PUBLISHER else ()
        return no_images.explain(why, self._topic, publishers, silent_s=silent_s, elsewhere=elsewhere)

    def _subscribe(self, reliability: ReliabilityPolicy) -> None:
        self.close()
        self._reliability = reliability
        events: dict[str, Callable[[Any], None]] = {
            "matched": lambda _: self._check_soon.trigger(),
            "incompatible_qos": lambda _: self._check_soon.trigger(),
            "message_lost": self._count_reported,
        }
        profile = qos.keep_last(reliability, self._depth)
        self._subscription = compat.create_subscription(
            self._node, Image, "image", self._take, profile, callback_group=self._group, events=events
        )

    def _take(self, message: Image, sequence: int | None) -> None:
        self._last_image_ns = perf_counter_ns()
        self._on_image(message, sequence)

    def _count_reported(self, event: Any) -> None:
        self._reported_lost += event.total_count_change

    def _offered(self) -> list[ReliabilityPolicy]:
        return [info.qos_profile.reliability for info in self._endpoints if info.topic_type == IMAGE_TYPE]

    def _look(self) -> list[Any]:
        return list(self._node.get_publishers_info_by_topic(self._topic))

    def _image_topics_elsewhere(self) -> list[str]:
        own = self._node.get_fully_qualified_name() + "/"
        return [
            name
            for name, types in self._node.get_topic_names_and_types()
            if IMAGE_TYPE in types and not name.startswith(own) and self._node.count_publishers(name)
        ]


def publisher_found(info: Any) -> PublisherFound:
    """What rclpy says of a publisher (a TopicEndpointInfo), in our words."""
    return PublisherFound(
        node=no_images.node_name(info.node_namespace, info.node_name),
        type_name=info.topic_type,
        reliability=qos.word(info.qos_profile.reliability),
    )
