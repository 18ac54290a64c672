"""The node's own settings; those of engine and tracker join them as parameters in `params.py`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stm_tracker_ros.core.compute import MOST_THREADS, PRECISIONS, default_threads
from stm_tracker_ros.core.config import section, setting, validate
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.ros.qos import CHOICES
from stm_tracker_ros.ros.transport import TRANSPORTS
from stm_tracker_ros.trackers import registry

DEVICES = "auto, cpu, cuda or cuda:N"


@dataclass(frozen=True, kw_only=True)
class TrackerChoice:
    """Which tracker; its own settings stand beside these, as `tracker.memory.history` and the like."""

    name: str = setting("stmtrack_lite", "name of the tracker", words="one of " + ", ".join(registry.names()))
    weights: str = setting("", "weights file (safetensors); empty = the shipped ones")


@dataclass(frozen=True, kw_only=True)
class NodeConfig:
    """Settings of the node."""

    tracker: TrackerChoice = section(TrackerChoice)
    autostart: bool = setting(True, "configure and activate by itself; false where a launch file drives transitions")
    device: str = setting("auto", "where the tracker runs; auto = on a GPU where there is one", words=DEVICES)
    precision: str = setting(
        "auto",
        "of convolutions and products; auto = the fastest that costs the tracker nothing and the device can do",
        choices=PRECISIONS,
    )
    threads: int = setting(default_threads(), "threads of one tracker step on the CPU", low=1, high=MOST_THREADS)
    qos: str = setting(
        "auto",
        "of the image subscription; auto = reliable where every publisher offers it, else best effort",
        choices=CHOICES,
    )
    qos_depth: int = setting(
        1,
        "images that the middleware keeps for us, whatever their size; raise it with policy every_frame",
        low=1,
        high=10000,
    )
    image_transport: str = setting(
        "auto",
        "raw = sensor_msgs/Image on the topic image; compressed = sensor_msgs/CompressedImage (JPEG, PNG) on "
        "image/compressed, or on image itself; auto = what is published there, raw where both are",
        choices=TRANSPORTS,
    )
    silent_after_s: float = setting(2.0, "time without images after which the node says why", low=0.1, high=3600)
    status_rate_hz: float = setting(10.0, "rate of ~/status, images or not", low=0.1, high=100)

    def __post_init__(self) -> None:
        validate(self)
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            raise ConfigError(f"device is {self.device!r}; allowed is {DEVICES}")
