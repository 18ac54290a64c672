"""The tracker that library users get: plain arrays in, results out, memory kept up to date without being asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.errors import NotInitialisedError, TargetError
from stm_tracker_ros.core.masks import binary
from stm_tracker_ros.core.named_target import on_image
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Frame, Pixels, Result, Target
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.engine.sized import SizedTracker
from stm_tracker_ros.engine.target_state import State, TargetState
from stm_tracker_ros.trackers import registry

NOMINAL_RATE_HZ = 30


@dataclass(frozen=True, kw_only=True)
class VideoResult(Result):
    """A tracker's answer with what the node would say of it.

    state: TRACKING, UNCERTAIN or LOST, by the node's default thresholds and the frames' stamps.
    """

    state: State


class VideoTracker:
    """Follows one target through the frames it is given; not thread-safe.

    A frame is a height x width x 3 uint8 BGR array (stamped at 30 Hz by its number) or a `core.types.Frame`.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = SizedTracker(tracker)
        self._state: TargetState | None = None
        self._frames = 0
        self._pending = False

    def init(self, frame: Pixels | Frame, target: Sequence[float] | Pixels | Target) -> VideoResult:
        """Start on this frame with a box x, y, width, height, a mask (height x width, non-zero = target) or a Target.

        Raises TargetError, FrameError.
        """
        self._frames, self._pending = 0, False
        stamped = self._stamped(frame)
        result = self._tracker.init(stamped, on_image(_target(target), stamped.width, stamped.height))
        self._state = TargetState(StateConfig(), stamped.stamp_ns)
        return _with_state(result, self._state.state)

    def track(self, frame: Pixels | Frame) -> VideoResult:
        """Find the target in the next frame, after learning from the last. Raises NotInitialisedError, FrameError."""
        if self._state is None:
            raise NotInitialisedError("no target yet; call init(frame, target) first")
        self.memorize()
        stamped = self._stamped(frame)
        result = self._tracker.track(stamped)
        self._pending = True
        state = self._state.update(result.score, stamped.stamp_ns, hopeless=bool(result.trouble))
        return _with_state(result, state)

    def memorize(self) -> None:
        """Learn from the last frame now, for callers that have idle time after an answer; else `track` does it."""
        if self._pending:
            self._tracker.memorize()
        self._pending = False

    def _stamped(self, frame: Pixels | Frame) -> Frame:
        if isinstance(frame, Frame):
            return frame
        stamp_ns = round(self._frames * 1_000_000_000 / NOMINAL_RATE_HZ)
        self._frames += 1
        return Frame(image=np.asarray(frame), stamp_ns=stamp_ns)


def open_tracker(
    name: str, weights: str | None, device: str, precision: str, settings: Mapping[str, object]
) -> VideoTracker:
    """See `stm_tracker_ros.load`."""
    entry = registry.load(name)
    config = with_changes(entry.default_config, settings)
    path = Path(weights) if weights else None
    return VideoTracker(entry.from_checkpoint(path, device=device, precision=precision, config=config))


def _with_state(result: Result, state: State) -> VideoResult:
    return VideoResult(**vars(result), state=state)


def _target(given: Sequence[float] | Pixels | Target) -> Target:
    if isinstance(given, Target):
        return given
    array = np.asarray(given)
    if array.ndim == 2:
        return Target(mask=binary(array))
    if array.shape != (4,):
        raise TargetError(f"target has shape {array.shape}; allowed are a box of 4 numbers or a height x width mask")
    return Target(box=Box(*(float(v) for v in array)))
