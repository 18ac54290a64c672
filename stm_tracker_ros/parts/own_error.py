"""What a network makes of this very target, where the truth is known: the frame in which it was named.

A network has seen many objects whole and answers with what it takes for one: the man without his rucksack, the car with
its shadow. Shown the first frame again, a little shifted and scaled, it says by how much its boxes differ from the one
that the operator drew; a share of that is taken from each later answer. `docs/RESULTS.md` has what it is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from stm_tracker_ros.core import boxes
from stm_tracker_ros.core.config import setting, validate
from stm_tracker_ros.core.matching import Candidates, Floats, Look
from stm_tracker_ros.parts.crop import cut

SHIFT, SCALE = 1 / 32, 0.15  # of the crops that are asked: over the crop's side, log of the scale
SHOWN = ((0, 0, 0), (1, 1, 0), (-1, 1, 0), (1, -1, 0), (-1, -1, 0), (0, 0, 1), (0, 0, -1))  # x, y, scale in these units
OF_THE_TARGET = 0.3  # overlap with the true box from which on an answer is of the target


@dataclass(frozen=True, kw_only=True)
class OwnErrorConfig:
    """How much of the error on the first frame is taken from each answer."""

    sides: float = setting(0.0, "share of the error of the sides in the first frame that is corrected", low=0, high=1)
    center: float = setting(0.0, "share of the error of the centre there that is corrected", low=0, high=1)

    def __post_init__(self) -> None:
        validate(self)

    @property
    def is_wanted(self) -> bool:
        """Whether anything is corrected, so that the error need be known."""
        return bool(self.sides or self.center)


def measured(look: Look, match: Callable[[Look], Candidates]) -> Floats:
    """The error on the frame of `look`, where the target is at `look.expected`: the median over some crops of it.

    match: the candidates of a look, uncorrected. Gives 4 numbers: logarithms of the answered width and height over the
    true ones; the answered centre's distance to the right and down, over the true sides. Zeros where nothing is found.
    """
    x, y, width, height = look.expected
    side, rows = look.crop.scale * look.patch.shape[0], []
    for right, down, larger in SHOWN:
        shown = side * float(np.exp(SCALE * larger))
        middle = look.expected.center[0] - right * SHIFT * shown, look.expected.center[1] - down * SHIFT * shown
        patch, crop = cut(look.frame, middle, shown, look.patch.shape[0], look.fill)
        candidates = match(replace(look, patch=patch, crop=crop))
        found = candidates.boxes[int(candidates.scores.argmax())] * crop.scale + (crop.left, crop.top, 0.0, 0.0)
        if boxes.iou(tuple(look.expected), found[None])[0] > OF_THE_TARGET:
            off = found[:2] + found[2:] / 2 - (x + width / 2, y + height / 2)
            rows.append(np.concatenate([np.log(found[2:] / (width, height)), off / (width, height)]))
    return np.asarray(np.median(rows, 0) if rows else np.zeros(4), np.float64)


def corrected(answered: Floats, error: Floats, config: OwnErrorConfig) -> Floats:
    """Boxes N x 4 (x, y, width, height) without their share of the error that was measured."""
    sides = answered[:, 2:] * np.exp(-config.sides * error[:2])
    center = answered[:, :2] + answered[:, 2:] / 2 - config.center * error[2:] * sides
    return np.concatenate([center - sides / 2, sides], 1)
