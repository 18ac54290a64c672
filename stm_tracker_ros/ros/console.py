"""What the node says on the console of its own accord: that it is ready, that no images come, or whose do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Union

from stm_tracker_ros.ros.image_source import InputReport
from stm_tracker_ros.ros.no_images import NoImages, PublisherFound

REPEAT_S = 60.0
Cause = tuple[Union[NoImages, None], tuple[PublisherFound, ...]]


class InputConsole:
    """Tells the log about the images, once for each change, and of a lack that lasts once a minute."""

    def __init__(self, info: Callable[[str], None], warn: Callable[[str], None]) -> None:
        self._info, self._warn = info, warn
        self._told: Cause | None = None
        self._told_s = 0.0
        self._received = 0
        self._flows = False

    def look(self, report: InputReport, received: int, now_s: float) -> None:
        """Look at the input anew. received: images since the node was activated; now_s: any clock that only rises."""
        has_come, self._received = received > self._received, received
        if has_come and not self._flows:
            self._told, self._flows = None, True
            nodes = ", ".join(sorted({publisher.node for publisher in report.publishers})) or "a node that has left"
            self._info(f"images come on {report.topic}, from {nodes}")
        elif report.why is not None and not has_come:
            self._complain((report.why, report.in_reach), report.message, now_s)
            self._flows = False
        elif report.mixed:
            self._complain((None, report.in_reach), report.mixed, now_s)

    def _complain(self, cause: Cause, message: str, now_s: float) -> None:
        if cause != self._told or now_s - self._told_s >= REPEAT_S:
            self._warn(message)
            self._told, self._told_s = cause, now_s


def ready(topic: str, facts: dict[str, str], node: str) -> str:
    """The line of a node that has become active. facts: tracker, device, precision and threads; node: its full name."""
    device = f"{facts['device']}, {facts['precision']}, {facts['threads']} thread(s)"
    return (
        f"ready: {facts['tracker']} on {device}, images from {topic}; name a target by the service {node}/set_target "
        f"or the topic {node}/init"
    )
