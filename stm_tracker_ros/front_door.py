"""The tracker that library users get: plain arrays in, results out, memory kept up to date without being asked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

from stm_tracker_ros import as_given
from stm_tracker_ros.core.compute import checked_threads, default_threads, device_text
from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.errors import (
    CheckpointError,
    ConfigError,
    NotInitialisedError,
    ProcessError,
    TargetError,
    TargetFault,
)
from stm_tracker_ros.core.named_target import on_image
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Frame, Pixels, Result, Target
from stm_tracker_ros.engine.config import StateConfig, split
from stm_tracker_ros.engine.sized import SizedTracker
from stm_tracker_ros.engine.target_state import State, TargetState
from stm_tracker_ros.engine.timeline import Timeline
from stm_tracker_ros.trackers import registry

NOMINAL_RATE_HZ = 30
_LOADED_IN: set[int] = set()  # processes: this one and, after a fork, those before it


@dataclass(frozen=True, kw_only=True)
class VideoResult(Result):
    """A tracker's answer with what the node would say of it.

    state: `State.TRACKING`, `UNCERTAIN` or `LOST`, by the settings `state.*` and the frames' stamps; it prints as a
    number, `state.name` is the word.
    """

    state: State


class VideoTracker:
    """Follows one target through the frames it is given; for one thread, in the process that loaded it.

    A frame is a height x width x 3 uint8 BGR array (stamped at 30 Hz by its number) or a `core.types.Frame`; where its
    stamps stand still or go back, an ordinary step has passed.
    """

    def __init__(self, tracker: Tracker, state_config: StateConfig | None = None) -> None:
        """state_config: thresholds of the state, the node's defaults if None."""
        self._tracker, self._state_config = SizedTracker(tracker), state_config or StateConfig()
        self._state: TargetState | None = None
        self._timeline = Timeline(0)
        self._frames, self._size = 0, (0, 0)
        self._pending = False
        self._process = os.getpid()

    def init(self, frame: Pixels | Frame, target: Sequence[float] | Pixels | Target) -> VideoResult:
        """Start on this frame with a box x, y, width, height, a mask (height x width, non-zero = target) or a Target.

        Raises TargetError, FrameError, ProcessError.
        """
        self._check_process()
        # What is refused here leaves the target before as it is.
        stamped = frame if isinstance(frame, Frame) else Frame(image=as_given.image(frame), stamp_ns=0)
        named = on_image(as_given.target(target), stamped.width, stamped.height)
        self._state = None
        result = self._tracker.init(stamped, named)
        self._frames, self._pending, self._size = 1, False, (stamped.width, stamped.height)
        self._state = TargetState(self._state_config, stamped.stamp_ns)
        self._timeline = Timeline(stamped.stamp_ns)
        return _with_state(result, self._state.state)

    def track(self, frame: Pixels | Frame) -> VideoResult:
        """Find the target in the next frame, after learning from the last.

        Raises NotInitialisedError, FrameError, ProcessError.
        """
        self._check_process()
        if self._state is None:
            raise NotInitialisedError("no target yet; call init(frame, target) first")
        self.memorize()
        stamped = self._stamped(frame)
        result = self._tracker.track(stamped)
        self._pending, self._size = True, (stamped.width, stamped.height)
        state = self._state.update(result.score, stamped.stamp_ns, hopeless=bool(result.trouble))
        return _with_state(result, state)

    def memorize(self) -> None:
        """Learn from the last frame now, for callers that have idle time after an answer; else `track` does it."""
        self._check_process()
        if self._pending:
            self._tracker.memorize()
        self._pending = False

    def confirm(self, box: Sequence[float]) -> None:
        """The target is at `box` of the last frame, such as `result.lead.box`: it is followed from there on.

        Raises NotInitialisedError, TargetError, ProcessError.
        """
        self._check_process()
        if self._state is None:
            raise NotInitialisedError("no target yet; call init(frame, target) first")
        named = on_image(as_given.target(box), *self._size).box
        if named is None:
            raise TargetError("a mask confirms nothing; allowed is a box: x, y, width, height", TargetFault.BOX_OR_MASK)
        self._tracker.confirm(named)

    def __reduce__(self) -> NoReturn:
        raise ProcessError(
            "a VideoTracker can be neither copied nor pickled, for it holds a network and its memory where they run; "
            "call stm_tracker_ros.load wherever another one is needed, in each process by itself"
        )

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise ProcessError(
                f"this tracker was loaded in process {self._process} and is used in process {os.getpid()}, where "
                "torch's threads and devices are not; call stm_tracker_ros.load in the process that tracks, and start "
                "that one by multiprocessing's 'spawn', not by 'fork'"
            )

    def _stamped(self, frame: Pixels | Frame) -> Frame:
        if isinstance(frame, Frame):
            return replace(frame, stamp_ns=self._timeline.advance(frame.stamp_ns))
        stamp_ns = round(self._frames * 1_000_000_000 / NOMINAL_RATE_HZ)
        self._frames += 1
        return Frame(image=as_given.image(frame), stamp_ns=stamp_ns)


def open_tracker(
    name: str,
    weights: str | PathLike[str] | None,
    *,
    device: Any,
    threads: int | None,
    precision: str,
    settings: Mapping[str, object],
) -> VideoTracker:
    """See `stm_tracker_ros.load`."""
    entry = registry.load(name)
    if not isinstance(settings, Mapping):
        raise ConfigError(f"settings is {settings!r}; allowed is a dictionary, such as {{'memory.history': 32}}")
    changes, state_changes = split(settings)
    config, state_config = with_changes(entry.default_config, changes), with_changes(StateConfig(), state_changes)
    path = None if weights is None else _path(weights)
    registry.set_threads(_allowed_threads(default_threads() if threads is None else checked_threads(threads)))
    where = device_text(device)
    tracker = entry.from_checkpoint(path, device=where, precision=precision, config=config)
    return VideoTracker(tracker, state_config)


def _path(weights: Any) -> Path:
    if not isinstance(weights, (str, PathLike)):
        raise CheckpointError(f"weights is {weights!r}; allowed is the path of a safetensors file")
    return Path(weights)


def _allowed_threads(count: int) -> int:
    """Torch's threads stay behind in a fork, where it would wait for them for ever; a single one is the caller's."""
    if _LOADED_IN - {os.getpid()} and count > 1:
        raise ProcessError(
            f"threads is {count} in a process forked from one that has loaded a tracker; allowed there is 1: start the "
            "process by multiprocessing's 'spawn', or give threads=1"
        )
    _LOADED_IN.add(os.getpid())
    return count


def _with_state(result: Result, state: State) -> VideoResult:
    return VideoResult(**vars(result), state=state)
