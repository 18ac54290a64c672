"""Follow one target that the operator names through a camera stream, with memory-network trackers.

tracker = stm_tracker_ros.load("stmtrack_lite")
tracker.init(frame, box)            # height x width x 3 uint8 BGR; x, y, width, height in pixels
result = tracker.track(frame)       # result.box, result.score, result.mask
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stm_tracker_ros.front_door import VideoTracker

__version__ = "0.2.0"


def load(
    name: str = "stmtrack_lite",
    *,
    weights: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    settings: dict[str, object] | None = None,
) -> VideoTracker:
    """A tracker by name, ready for `init`; needs no ROS.

    weights: a safetensors file, by default the one that comes with the package. device: auto, cpu or cuda:N.
    precision: fp32, bf16, fp16, or auto: the fastest that costs this tracker nothing and that the device can do.
    settings: changes of the tracker's configuration by dotted name, such as {"memory.history": 32}.
    Raises ConfigError, CheckpointError, DeviceError.
    """
    from stm_tracker_ros.front_door import open_tracker

    return open_tracker(name, weights, device, precision, settings or {})
