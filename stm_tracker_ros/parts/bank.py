"""Bounded memory: as many slots as were asked for, allocated once, for ever.

Frames are numbered by time (number 1 is the first frame, one number a nominal frame period). The first frame is
pinned; the previous one has a slot of its own; the others lie on a grid of numbers, the first to come in each cell.
What happens when the slots are full is a rule of `WHEN_FULL`; until then nothing is lost of the grid.

| rule | what is lost | what is kept |
|---|---|---|
| thin | every second cell: the spacing doubles | all the past, each number at most half a spacing from a stored one |
| drop_oldest | the oldest frame but the first | the first frame and the `capacity` - 1 latest cells |
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stm_tracker_ros.core.errors import ConfigError

WHEN_FULL = ("thin", "drop_oldest")


class MemoryBank:
    """Slots for the tensors of remembered frames (`parts`, one shape each), found by frame number."""

    def __init__(
        self,
        capacity: int,
        shapes: Sequence[tuple[int, ...]],
        device: torch.device,
        dtype: torch.dtype,
        spacing: int = 1,
        when_full: str = "thin",
    ):
        """spacing: of the grid to begin with; when_full: of `WHEN_FULL`. Raises ConfigError for another rule."""
        if when_full not in WHEN_FULL:
            raise ConfigError(f"when_full is {when_full!r}; allowed is one of {', '.join(WHEN_FULL)}")
        # not zeroed: a slot is written before it is read, and large banks take their pages as they fill
        self.parts = [torch.empty((capacity + 1, *shape), device=device, dtype=dtype) for shape in shapes]
        self.capacity, self.spacing, self.when_full = capacity, spacing, when_full
        self.numbers = np.zeros(capacity + 1, np.int64)  # of each slot, 0 = free; the last slot is the previous frame's

    def add(self, number: int, tensors: Sequence[Tensor]) -> None:
        """Remember the tensors of frame `number`, which is larger than all before it.

        A single slot is the first frame's: the others are only ever the previous one.
        """
        self._write(self.capacity, number, tensors)
        if self._full() and self.capacity > 1 and not self._cell_taken(number):
            self._make_room()
        if self._full() or self._cell_taken(number):
            return
        free = int(np.flatnonzero(self.numbers[: self.capacity] == 0)[0])
        self._write(free, number, tensors)

    def _full(self) -> bool:
        return bool((self.numbers[: self.capacity] > 0).all())

    def _cell_taken(self, number: int) -> bool:
        last = int(self.numbers[: self.capacity].max())
        return last > 0 and (number - 1) // self.spacing == (last - 1) // self.spacing

    def _write(self, slot: int, number: int, tensors: Sequence[Tensor]) -> None:
        self.numbers[slot] = number
        for part, tensor in zip(self.parts, tensors, strict=True):
            part[slot].copy_(tensor)

    def _make_room(self) -> None:
        if self.when_full == "thin":
            self._thin()
        else:
            first_and_oldest = np.argsort(self.numbers[: self.capacity])[:2]
            self.numbers[first_and_oldest[1]] = 0

    def _thin(self) -> None:
        """Double the spacing until a slot is free; of each grid cell the earliest frame stays."""
        while self._full():
            self.spacing *= 2
            order = np.argsort(self.numbers[: self.capacity])
            cells = (self.numbers[order] - 1) // self.spacing
            crowded = np.flatnonzero(np.diff(cells, prepend=-1) == 0)
            self.numbers[order[crowded]] = 0

    def nearest(self, numbers: Sequence[int]) -> list[int]:
        """Slots of the stored frames nearest to `numbers`, each slot once, in the order asked for.

        The previous frame is among them; where the grid holds it too, the slot on the grid is given.
        """
        used = np.flatnonzero(self.numbers)
        apart = np.abs(np.subtract.outer(numbers, self.numbers[used]))
        slots = used[apart.argmin(1)].tolist()
        return list(dict.fromkeys(slots))

    def distinct(self, slots: Sequence[int]) -> list[int]:
        """Slots in their order, of those that hold the same frame the first only."""
        numbers = {int(self.numbers[slot]): slot for slot in reversed(slots)}
        return sorted(numbers.values(), key=list(slots).index)

    @property
    def kept(self) -> list[int]:
        """Slots of the frames on the grid, without the one of the previous frame."""
        return [int(slot) for slot in np.flatnonzero(self.numbers[: self.capacity])]

    @property
    def first(self) -> int:
        """Slot of the first frame: no rule takes it away."""
        return 0

    @property
    def previous(self) -> int:
        """Slot of the frame remembered last."""
        return self.capacity

    @property
    def bytes(self) -> int:
        """Memory of all slots, in bytes; the same from the first frame to the last."""
        return sum(part.numel() * part.element_size() for part in self.parts)
