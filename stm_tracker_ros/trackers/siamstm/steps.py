"""What SiamSTM asks of a network; `stepper.py` has it for both networks."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.matching import Floats
from stm_tracker_ros.core.types import Box, Pixels


class Matched(NamedTuple):
    """Of a crop: candidates, cells^2 x 5, x, y, width, height in crop pixels and score; what `outline` wants of it."""

    answer: Floats
    look: Any


class Outlined(NamedTuple):
    """Mask logits of a square of the crop, from `left` and `top` on, in crop pixels."""

    logit: NDArray[np.float32]
    left: float
    top: float


class Steps(Protocol):
    """cells: a side; first: where the point of cell 0 lies, in crop pixels; stride: from one to the next."""

    crop_size: int
    cells: int
    first: float
    stride: int

    def template(self, patch: Pixels, box: Box) -> Any:
        """A crop, size x size x 3 BGR, with the target in its middle, box in crop pixels -> what is kept of it."""

    def match(self, template: Any, patch: Pixels) -> Matched:
        """Where in a crop is what the template shows?"""

    def outline(self, look: Any, cell: int, box: Box) -> Outlined:
        """The mask of the target at that candidate; box: its box in crop pixels."""
