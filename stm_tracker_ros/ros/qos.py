"""Which quality of service the image subscription asks for, and which of ours the outputs offer.

Best effort, the usual advice for sensor data, loses four of five raw images on default transport settings: an
image is larger than the default shared-memory segment and the socket buffers, and nobody repairs what is dropped.
Reliable does not connect to a best-effort publisher at all. So `auto` asks for reliable where every publisher offers
it, else for best effort; with no publisher in sight it starts with reliable and looks again when one comes.
"""

from __future__ import annotations

from collections.abc import Iterable

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

CHOICES = ("auto", "reliable", "best_effort")
_REQUESTS = 1000
_WORDS = {ReliabilityPolicy.RELIABLE: "reliable", ReliabilityPolicy.BEST_EFFORT: "best_effort"}


def keep_last(reliability: ReliabilityPolicy, depth: int = 1) -> QoSProfile:
    """Volatile, keep last `depth`."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=DurabilityPolicy.VOLATILE
    )


def output() -> QoSProfile:
    """All our outputs: reliable (rviz2's Image display asks for it), volatile, keep last 1."""
    return keep_last(ReliabilityPolicy.RELIABLE)


def service() -> QoSProfile:
    """Our services: as many requests may wait as a mad operator sends at once; rclpy's default loses all but 10."""
    return keep_last(ReliabilityPolicy.RELIABLE, _REQUESTS)


def choose(choice: str, offered: Iterable[ReliabilityPolicy]) -> ReliabilityPolicy:
    """The reliability to ask for; `choice` is one of CHOICES, `offered` what every publisher found offers."""
    if choice == "auto":
        all_reliable = all(one == ReliabilityPolicy.RELIABLE for one in offered)
        return ReliabilityPolicy.RELIABLE if all_reliable else ReliabilityPolicy.BEST_EFFORT
    return ReliabilityPolicy.RELIABLE if choice == "reliable" else ReliabilityPolicy.BEST_EFFORT


def word(reliability: ReliabilityPolicy) -> str:
    """The name that parameters and messages use."""
    return _WORDS.get(reliability, "unknown")


def compatible(wanted: ReliabilityPolicy, offered: ReliabilityPolicy) -> bool:
    """Whether a subscription that asks for `wanted` gets anything from a publisher that offers `offered`."""
    return wanted != ReliabilityPolicy.RELIABLE or offered != ReliabilityPolicy.BEST_EFFORT
