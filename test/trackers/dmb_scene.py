"""A square of one colour on a grey picture, and the lite DMB that sees its colour: what the tests of DMB track."""

from __future__ import annotations

from typing import Any

import numpy as np
from scripted_matcher import Watched
from torch import Tensor

from stm_tracker_ros.core.types import Box, Frame, Result, Target
from stm_tracker_ros.following.follower import Follower
from stm_tracker_ros.trackers.dmb.config import LITE, TrackConfig
from stm_tracker_ros.trackers.dmb.stepper import Stepper
from stm_tracker_ros.trackers.dmb.steps import Segmented, Steps
from stm_tracker_ros.trackers.dmb.tracker import DmbMatcher

PERIOD_NS = 33_333_333
SIDE, COLOUR = 40, (60, 200, 90)


class ColourStepper(Stepper):
    """The lite steps, but the mask is where the picture has the target's colour: no weights are trusted."""

    score = 0.9

    def encode(self, patch: np.ndarray) -> Any:
        self.patch = patch
        return super().encode(patch)

    def segment(self, look: Any, bank: Any, slots: list[int], place: Tensor, first_weight: float) -> Segmented:
        self.slots, self.place = slots, place
        super().segment(look, bank, slots, place, first_weight)
        step = self.crop_size // self.mask_cells
        seen = self.patch[step // 2 :: step, step // 2 :: step].astype(int)
        near = np.abs(seen - COLOUR).max(-1) < 60
        return Segmented(np.where(near, 9.0, -9.0).astype(np.float32), self.score)


def picture(x: float, y: float, number: int = 0, shown: bool = True) -> Frame:
    image = np.full((240, 320, 3), 40, np.uint8)
    image[::7, ::5] = 90
    if shown:
        image[round(y) : round(y) + SIDE, round(x) : round(x) + SIDE] = COLOUR
    return Frame(image=image, stamp_ns=number * PERIOD_NS)


class Dmb(Follower):
    """A follower of DMB's matcher, which is watched."""

    matcher: Watched

    @property
    def memory(self) -> Any:
        """What the matcher remembers: bank, filter."""
        return self.matcher.memory

    @property
    def seen(self) -> Any:
        """What the matcher kept of the last look."""
        return self.matcher.answers[-1].payload


def made(stepper: Steps, config: TrackConfig = LITE) -> Dmb:
    """As `build.py` makes it."""
    return Dmb(Watched(DmbMatcher(stepper, config.rules)), config)


def doubting(tracker: Dmb, doubt: float) -> None:
    """The filter is that uncertain from here on, and the score is the network's."""
    tracker.memory.filter.uncertainty.of = lambda peak: doubt
    tracker.memory.filter.uncertainty.trust = lambda doubt: 1.0


def start(tracker: Follower) -> Result:
    return tracker.init(picture(100, 90), Target(box=Box(100, 90, SIDE, SIDE)))
