"""The recording behind a made absence: a stretch of its frames, played to and fro, with a known true box each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.data.sequence import Sequence

LONGEST_STRETCH = 150
"""Frames of the recording that are kept in memory while an absence is played."""

Pictures = Mapping[int, Pixels]
"""The frames of a stretch by their index in the recording; not to be written to."""
Edit = Callable[[int, Pictures], Pixels]
"""Gives the picture of a moment, given the recording's frames: what was changed in it."""


@dataclass(frozen=True, kw_only=True)
class Footage:
    """What the world does, moment by moment.

    order: the recording's frame shown at every moment. edit: what is changed in these frames; None: nothing.
    reads: first and last frame that the edit is given, where it needs more than those that are shown.
    """

    scene: Sequence
    order: NDArray[np.int64]
    edit: Edit | None = None
    reads: tuple[int, int] | None = None

    @property
    def boxes(self) -> NDArray[np.float64]:
        """Moments x 4: the target's true box in pixels of the recording."""
        boxes: NDArray[np.float64] = self.scene.boxes[self.order]
        return boxes

    def pictures(self) -> Iterator[Pixels]:
        """The recording's pictures, moment by moment; not to be written to."""
        kept = read_stretch(self.scene, *(self.reads or (int(self.order.min()), int(self.order.max()))))
        for moment, index in enumerate(self.order):
            yield kept[int(index)] if self.edit is None else self.edit(moment, kept)


def read_stretch(scene: Sequence, low: int, high: int) -> dict[int, Pixels]:
    """The frames from `low` to `high`, both included. Raises DataError if one of them is missing or cannot be read."""
    index, kept = -1, dict[int, Pixels]()
    with closing(scene.frames(count=high + 1)) as stream:
        for frame in stream:
            index += 1 + frame.gap
            if index >= low:
                kept[index] = frame.bgr()
    for wanted in range(low, high + 1):
        if wanted not in kept:
            raise DataError(f"{scene.name}: frame {wanted} is missing or cannot be read; needed are {low} to {high}")
    return kept


def played(low: int, high: int, start: int, steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the frames when `low` ... `high` is played to and fro from `start`; steps: 1 goes on, 0 stands."""
    to_and_fro = np.concatenate([np.arange(low, high + 1), np.arange(high - 1, low, -1)])
    return to_and_fro[(start - low + np.cumsum(steps)) % len(to_and_fro)]
