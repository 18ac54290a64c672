"""Follow one target that the operator names through a camera stream, with memory-network trackers.

tracker = stm_tracker_ros.load("stmtrack_lite")
tracker.init(frame, box)            # height x width x 3 uint8 BGR; x, y, width, height in pixels
result = tracker.track(frame)       # result.box, result.score, result.mask, result.state
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike

    import torch

    from stm_tracker_ros.core.errors import (
        CheckpointError,
        ConfigError,
        DataError,
        DeviceError,
        FrameError,
        LibraryError,
        NotInitialisedError,
        ProcessError,
        StmTrackerError,
        TargetError,
    )
    from stm_tracker_ros.core.types import Box, Candidate, Frame, Result, RotatedBox, Target
    from stm_tracker_ros.engine.target_state import State
    from stm_tracker_ros.front_door import VideoResult, VideoTracker

__version__ = "0.2.0"
__all__ = (
    "Box",
    "Candidate",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DeviceError",
    "Frame",
    "FrameError",
    "LibraryError",
    "NotInitialisedError",
    "ProcessError",
    "Result",
    "RotatedBox",
    "State",
    "StmTrackerError",
    "Target",
    "TargetError",
    "VideoResult",
    "VideoTracker",
    "__version__",
    "load",
)
# Imported when first asked for: the package itself loads neither numpy nor OpenCV nor torch.
_FRONT_DOOR = ("VideoResult", "VideoTracker")
_TYPES = ("Box", "Candidate", "Frame", "Result", "RotatedBox", "Target")
_PLACES = (
    dict.fromkeys(_FRONT_DOOR, "front_door") | dict.fromkeys(_TYPES, "core.types") | {"State": "engine.target_state"}
)


def load(
    name: str = "stmtrack_lite",
    *,
    weights: str | PathLike[str] | None = None,
    device: str | int | torch.device = "auto",
    threads: int | None = None,
    precision: str = "auto",
    settings: Mapping[str, object] | None = None,
) -> VideoTracker:
    """A tracker by name, ready for `init`; needs no ROS.

    weights: a safetensors file, by default the one that comes with the package.
    device: auto (a GPU where there is one), cpu, cuda or cuda:N, the number of a GPU, or a torch.device.
    threads: of torch and OpenCV, by default all usable cores but one, as on the command line: with all of them a busy
        machine is ten times slower. They are the process's: the last `load` sets them for all trackers in it, and for
        what else uses torch there.
    precision: fp32, bf16, fp16, or auto: the fastest that costs this tracker nothing and that the device can do.
    settings: changes of the tracker's configuration by dotted name, such as {"memory.history": 32}, and of the state's,
        such as {"state.tracking_score": 0.7}.
    Each thread may have a tracker of its own, each process must. Raises ConfigError, CheckpointError, DeviceError,
    LibraryError, ProcessError.
    """
    from stm_tracker_ros import libraries

    libraries.check()
    from stm_tracker_ros.front_door import open_tracker

    return open_tracker(name, weights, device=device, threads=threads, precision=precision, settings=settings or {})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _FRONT_DOOR:
        from stm_tracker_ros import libraries

        libraries.check_opencv()
    place = _PLACES.get(name, "core.errors")
    return getattr(importlib.import_module(f"{__name__}.{place}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
