"""Where images come from: raw ones on the image topic, or compressed ones beside it; pure, so that it can be tested.

The names are those of image_transport: compressed images of TOPIC are on TOPIC/compressed. A driver that publishes
them on TOPIC itself is taken as well.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

TRANSPORTS = ("auto", "raw", "compressed")
IMAGE_TYPE = "sensor_msgs/msg/Image"
COMPRESSED_TYPE = "sensor_msgs/msg/CompressedImage"
COMPRESSED_SUFFIX = "/compressed"


class Route(NamedTuple):
    """A topic and the type of its messages."""

    topic: str
    type_name: str

    @property
    def transport(self) -> str:
        """Raw or compressed."""
        return "raw" if self.type_name == IMAGE_TYPE else "compressed"


def routes(choice: str, image: str, compressed: str) -> tuple[Route, ...]:
    """The routes that a choice of TRANSPORTS allows, the best first.

    image: resolved name of the image topic; compressed: that of its compressed images, the same if it ends so.
    """
    raw, beside, itself = Route(image, IMAGE_TYPE), Route(compressed, COMPRESSED_TYPE), Route(image, COMPRESSED_TYPE)
    of_compressed = (beside,) if beside == itself else (beside, itself)
    return {"raw": (raw,), "compressed": of_compressed, "auto": (raw, *of_compressed)}[choice]


class RouteChoice:
    """Which route to take now: the best one that somebody publishes, but for those on which nothing came.

    One that has served for long stays as long as it is published, and so does the last one while none is, for a camera
    that starts again is found there at once. Where nothing came on any of those published, each has its turn.
    """

    def __init__(self, allowed: Sequence[Route]) -> None:
        self._allowed = allowed
        self._silent: set[Route] = set()
        self.route = allowed[0]

    def look(self, published: Collection[Route], *, is_silent: bool, has_served: bool) -> Route:
        """The route to take.

        published: those with a publisher. is_silent: nothing came on the present one for long. has_served: images have
        come on it for long, and do.
        """
        self._silent &= set(published)
        if has_served and self.route in published:
            return self.route
        if is_silent:
            self._silent.add(self.route)
        else:
            self._silent.discard(self.route)
        here = [route for route in self._allowed if route in published]
        fresh = [route for route in here if route not in self._silent]
        if here and not fresh:
            # A new round, in the order of preference; but nobody has two turns, one after the other.
            self._silent = {self.route} if self.route == here[0] else set()
            fresh = [route for route in here if route not in self._silent]
        if fresh:
            self.route = fresh[0]
        return self.route
