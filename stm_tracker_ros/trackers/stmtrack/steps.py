"""What STMTrack asks of a network; `stepper.py` and `paper_stepper.py` have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from stm_tracker_ros.core.matching import Floats
from stm_tracker_ros.core.types import Box, Pixels
from stm_tracker_ros.parts.bank import MemoryBank


class Steps(Protocol):
    """fresh_memory_crop: the memory has a crop of its own about the found box, which is uploaded and not encoded."""

    fresh_memory_crop: bool
    crop_size: int
    cells: int

    def bank(self, capacity: int) -> MemoryBank:
        """An empty memory for this network."""

    def upload(self, patch: Pixels) -> Tensor:
        """Crop, size x size x 3 BGR -> the same on the device."""

    def encode(self, patch: Pixels) -> Any:
        """Crop, size x size x 3 BGR -> what the other steps want of it."""

    def remember(self, features: Any, box: Box) -> Sequence[Tensor]:
        """A crop and the target's box in it (crop pixels) -> the tensors of one slot."""

    def ask(self, features: Any, bank: MemoryBank, slots: list[int], first_weight: float = 1.0) -> Floats:
        """Where is the target? cells^2 x 5: edges x1, y1, x2, y2 in crop pixels, score.

        `slots[0]` is the first frame's, which counts `first_weight` times as much as it has learned to.
        """
