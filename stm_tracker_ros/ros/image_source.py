"""The image subscription: takes the transport and the QoS that the publishers offer, knows why nothing comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from stm_tracker_ros.ros import compat, no_images, qos, transport
from stm_tracker_ros.ros.config import NodeConfig
from stm_tracker_ros.ros.messages import ImageMessage
from stm_tracker_ros.ros.mixture import Mixture
from stm_tracker_ros.ros.no_images import NoImages, PublisherFound
from stm_tracker_ros.ros.transport import COMPRESSED_SUFFIX, COMPRESSED_TYPE, IMAGE_TYPE, Route, RouteChoice

_DEPTH_SUFFIX = "/compressedDepth"  # CompressedImage by type, but its data are no picture
_MESSAGES = {IMAGE_TYPE: Image, COMPRESSED_TYPE: CompressedImage}


@dataclass(frozen=True, kw_only=True)
class InputReport:
    """What is known about the input now.

    topic, transport: subscribed now; raw or compressed. publishers: of that topic, whatever their type. in_reach: of
    all topics that may be subscribed.
    silent_s: seconds since the last image, or since the node was activated; None while it is not.
    reported_lost: messages that the middleware itself says it lost; those that newer ones superseded in our reader
        before we took them are not among them, they only show as gaps in the publisher's numbering.
    why, message: cause and explanation while nothing comes; None and empty otherwise.
    mixed: what to do where the images of several cameras come; empty otherwise.
    """

    topic: str
    transport: str
    publishers: tuple[PublisherFound, ...]
    reliability: str
    depth: int
    silent_s: float | None
    reported_lost: int
    why: NoImages | None
    message: str
    mixed: str = ""
    in_reach: tuple[PublisherFound, ...] = ()


class ImageSource:
    """Subscribes the images, again when the publishers call for another transport or QoS; in the executor's thread.

    on_image gets the message and the publisher's number of it, None where rclpy or the middleware has none.
    on_change is called before the first message of another topic: its numbers are others.
    """

    def __init__(
        self, node: Node, on_image: compat.OnMessage, on_change: Callable[[], None], config: NodeConfig
    ) -> None:
        self._node, self._on_image, self._on_change, self._config = node, on_image, on_change, config
        self._group = MutuallyExclusiveCallbackGroup()
        self._image, self._compressed = _topics(node)
        # What is resolved already would be remapped a second time.
        self._given_names = {self._compressed: self._image + COMPRESSED_SUFFIX, self._image: "image"}
        self._allowed = transport.routes(config.image_transport, self._image, self._compressed)
        self._choice = RouteChoice(self._allowed)
        self._subscription: Subscription | None = None
        self._subscribed = self._choice.route, qos.choose(config.qos, ())
        self._reported_lost = 0
        self._mixture = Mixture()
        self._opened_ns = self._first_image_ns = self._last_image_ns = 0
        self._endpoints = self._look()
        # An event handler must not destroy the subscription that it belongs to: it asks for the check instead.
        self._check_soon = node.create_guard_condition(self.check)

    def open(self) -> None:
        """Subscribe."""
        self._mixture = Mixture()
        self._last_image_ns, self._reported_lost = perf_counter_ns(), 0
        self._endpoints = self._look()
        self._choice = RouteChoice(self._allowed)
        self._subscribe(*self._wanted(is_silent=False, has_served=False))

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def check(self) -> None:
        """Look at the graph: subscribe again if the publishers call for another transport or reliability."""
        self._endpoints = self._look()
        if self._subscription is None:
            return
        now_ns, patience_ns = perf_counter_ns(), self._config.silent_after_s * 1e9
        is_silent = now_ns - max(self._last_image_ns, self._opened_ns) >= patience_ns
        has_served = not is_silent and 0 < self._first_image_ns < now_ns - patience_ns
        route, reliability = self._wanted(is_silent=is_silent, has_served=has_served)
        if (route, reliability) != self._subscribed:
            self._tell(route, reliability, is_silent)
            if route != self._subscribed[0]:
                self._on_change()
            self._subscribe(route, reliability)

    def _tell(self, route: Route, reliability: ReliabilityPolicy, is_silent: bool) -> None:
        text, logger = f"subscribing {route.topic}, {route.transport}, {qos.word(reliability)}", self._node.get_logger()
        if is_silent:  # which happens every few seconds while a camera is silent
            logger.debug(f"{text}: nothing came before")
        else:
            logger.info(f"{text}: that is what is published")

    def report(self) -> InputReport:
        """See InputReport."""
        in_reach = tuple(self._publishers())
        route, reliability = self._subscribed
        silent_s = None if self._subscription is None else (perf_counter_ns() - self._last_image_ns) / 1e9
        why = None
        if silent_s is not None and silent_s >= self._config.silent_after_s:
            why = no_images.cause(in_reach, self._allowed, qos.word(reliability))
        publishers = tuple(one for one in in_reach if one.topic == route.topic)
        return InputReport(
            topic=route.topic,
            transport=route.transport,
            publishers=publishers,
            reliability=qos.word(reliability),
            depth=self._config.qos_depth,
            silent_s=silent_s,
            reported_lost=self._reported_lost,
            why=why,
            message="" if why is None else self._explain(why, silent_s or 0.0),
            mixed=self._mixture.explain(route.topic, publishers, perf_counter_ns() / 1e9) if why is None else "",
            in_reach=in_reach,
        )

    def _explain(self, why: NoImages, silent_s: float) -> str:
        elsewhere = self._image_topics_elsewhere() if why is NoImages.NO_PUBLISHER else ()
        return no_images.explain(
            why, self._image, self._publishers(), self._allowed, silent_s=silent_s, elsewhere=elsewhere
        )

    def _wanted(self, *, is_silent: bool, has_served: bool) -> tuple[Route, ReliabilityPolicy]:
        published = {Route(topic, info.topic_type) for topic, info in self._endpoints}
        route = self._choice.look(published, is_silent=is_silent, has_served=has_served)
        offered = [info.qos_profile.reliability for topic, info in self._endpoints if (topic, info.topic_type) == route]
        return route, qos.choose(self._config.qos, offered)

    def _subscribe(self, route: Route, reliability: ReliabilityPolicy) -> None:
        self.close()
        self._subscribed = route, reliability
        self._opened_ns, self._first_image_ns = perf_counter_ns(), 0
        events: dict[str, Callable[[Any], None]] = {
            "matched": lambda _: self._check_soon.trigger(),
            "incompatible_qos": lambda _: self._check_soon.trigger(),
            "message_lost": self._count_reported,
        }
        self._subscription = compat.create_subscription(
            self._node,
            _MESSAGES[route.type_name],
            self._given_names[route.topic],
            self._take,
            qos.keep_last(reliability, self._config.qos_depth),
            callback_group=self._group,
            events=events,
        )

    def _take(self, message: ImageMessage, sequence: int | None) -> None:
        self._last_image_ns = perf_counter_ns()
        self._first_image_ns = self._first_image_ns or self._last_image_ns
        self._mixture.add(sequence, self._last_image_ns / 1e9)
        self._on_image(message, sequence)

    def _count_reported(self, event: Any) -> None:
        self._reported_lost += event.total_count_change

    def _publishers(self) -> list[PublisherFound]:
        return [publisher_found(topic, info) for topic, info in self._endpoints]

    def _look(self) -> list[tuple[str, Any]]:
        """Publishers of the image topic and of its compressed images, whichever of them are allowed."""
        topics = dict.fromkeys((self._image, self._compressed))
        return [(topic, info) for topic in topics for info in self._node.get_publishers_info_by_topic(topic)]

    def _image_topics_elsewhere(self) -> list[str]:
        """What `image` could be remapped to: topics with images that the chosen transport can take."""
        own, allowed = self._node.get_fully_qualified_name() + "/", {route.type_name for route in self._allowed}
        found = [
            name.removesuffix(COMPRESSED_SUFFIX) if IMAGE_TYPE not in types else name
            for name, types in self._node.get_topic_names_and_types()
            if allowed & set(types) and self._is_elsewhere(name, own)
        ]
        return sorted(set(found))

    def _is_elsewhere(self, name: str, own: str) -> bool:
        usable = not name.startswith(own) and not name.endswith(_DEPTH_SUFFIX)
        return usable and bool(self._node.count_publishers(name))


def _topics(node: Node) -> tuple[str, str]:
    """The image topic and that of its compressed images, by their full names, remapped."""
    image = node.resolve_topic_name("image")
    return image, image if image.endswith(COMPRESSED_SUFFIX) else node.resolve_topic_name(image + COMPRESSED_SUFFIX)


def publisher_found(topic: str, info: Any) -> PublisherFound:
    """What rclpy says of a publisher of that topic (a TopicEndpointInfo), in our words."""
    return PublisherFound(
        node=no_images.node_name(info.node_namespace, info.node_name),
        topic=topic,
        type_name=info.topic_type,
        reliability=qos.word(info.qos_profile.reliability),
    )
