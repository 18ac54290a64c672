"""What DMB asks of a network; `stepper.py` and `paper_stepper.py` have it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.parts.bank import MemoryBank


class Segmented(NamedTuple):
    """Mask logits, mask_cells x mask_cells, and the score in [0, 1]."""

    logit: NDArray[np.float32]
    score: float


class Steps(Protocol):
    """spatial_size: side of the filter's own crop in pixels, 0 where it sees the crop that is segmented (OneCrop)."""

    crop_size: int
    cells: int
    mask_cells: int
    spatial_size: int

    def bank(self, capacity: int, spacing: int = 1) -> MemoryBank:
        """An empty memory for this network, of frames that many numbers apart."""

    def encode(self, patch: Pixels) -> Any:
        """Crop, size x size x 3 BGR -> what the other steps want of it."""

    def spatial_of(self, patch: Pixels) -> Tensor:
        """What the filter sees of a crop: 1 x C x h x w."""

    def remember(self, look: Any, mask: NDArray[np.float32], *, is_box: bool = False) -> tuple[Tensor, Tensor]:
        """A crop and its mask, mask_cells x mask_cells in [0, 1] -> key and value of one slot."""

    def segment(self, look: Any, bank: MemoryBank, slots: list[int], place: Tensor, first_weight: float) -> Segmented:
        """What is the target? `slots[0]` is the first frame's; place: the spatial map, cells x cells."""


class OneCrop(Steps, Protocol):
    """Steps of a network whose one crop serves mask and filter."""

    def spatial(self, look: Any) -> Tensor:
        """What the filter sees of a crop that is encoded."""
