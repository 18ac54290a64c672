"""A tracker with masks for tests: the target is whatever is bright."""

from __future__ import annotations

from typing import Any

import numpy as np

from stm_tracker_ros.core.boxes import from_mask, of_target
from stm_tracker_ros.core.masks import binary
from stm_tracker_ros.core.types import Box, Frame, Result, Target
from stm_tracker_ros.parts.mask_box import fit

BRIGHT = 200


def bright_pixels(frame: Frame) -> np.ndarray:
    return binary(frame.bgr().min(axis=2) > BRIGHT)


class MaskedTracker:
    """Answers the bright pixels and their boxes; nothing bright is an empty mask, the box before and score 0."""

    def __init__(self) -> None:
        self.given: list[Target] = []
        self.configs: list[Any] = []

    def init(self, frame: Frame, target: Target) -> Result:
        self.given.append(target)
        self.box = of_target(target, frame.width, frame.height)
        mask = bright_pixels(frame) if target.mask is None else binary(target.mask)
        found = fit(mask)
        return Result(box=self.box, score=1.0, mask=mask, rotated=found and found.rotated)

    def track(self, frame: Frame) -> Result:
        mask = bright_pixels(frame)
        found = fit(mask)
        if found is None:
            return Result(box=self.box, score=0.0, mask=mask)
        self.box = from_mask(mask)
        return Result(box=self.box, score=0.9, mask=mask, rotated=found.rotated)

    def memorize(self) -> None:
        pass

    def confirm(self, box: Box) -> None:
        self.box = box

    def reconfigure(self, config: Any) -> None:
        self.configs.append(config)
