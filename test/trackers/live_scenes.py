"""For every live setting of every tracker a short scripted flight in which it matters; test_contract.py flies them.

The tracker is the real one, its network is scripted: what STMTrack sees is written down for each frame, DMB's masks are
blots. A setting without a flight is a failure of the test: add it here with a scene that shows what it does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from stm_tracker_ros.core.boxes import from_center
from stm_tracker_ros.core.config import settings, with_changes
from stm_tracker_ros.core.types import Box, Frame, Pixels, Target
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.trackers.dmb.stepper import Segmented
from stm_tracker_ros.trackers.dmb.tracker import DmbTracker
from stm_tracker_ros.trackers.stmtrack.config import LITE

PERIOD_NS = 33_333_333
IMAGE = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8).repeat(40, 0).repeat(40, 1)
START = Box(300.0, 200.0, 40.0, 30.0)
Sights = list[tuple[Box, float]]  # what the network sees in a frame, and how much it looks like the target


@dataclass(frozen=True)
class Flight:
    """The setting gets `value` after the lead; `shows` is what comes then, `base` what it is set to from the start."""

    value: Any
    shows: list[Sights]
    lead: list[Sights] = field(default_factory=lambda: STEADY)
    base: dict[str, Any] = field(default_factory=dict)


def at(x: float, score: float) -> tuple[Box, float]:
    """Something of the target's size, x pixels right of where it started."""
    return START._replace(x=START.x + x), score


def large(score: float) -> tuple[Box, float]:
    """The target, half as large again."""
    return from_center(*START.center, 60.0, 45.0), score


STEADY: list[Sights] = [[at(0, 0.6)]] * 30  # its usual score is 0.6 then, and its place can be relied on
MOVING: list[Sights] = [[at(2 * frame, 0.6)] for frame in range(30)]
APPROACHED: list[Sights] = [*STEADY[:20], *([at(0, 0.6), at(28 + 3 * frame, 0.3)] for frame in range(9, -1, -1))]
NOTHING: Sights = []
FAST = {"presence.far_frames": 20.0}  # an impatient one, for shorter flights

STMTRACK = {
    "memory.store_score": Flight(0.9, STEADY),
    "memory.agreement_score": Flight(0.9, STEADY),
    "memory.first_weight": Flight(2.0, STEADY[:1]),
    "memory.previous_score": Flight(0.95, STEADY),
    "prior.window": Flight(0.0, [[at(0, 0.5), at(12, 0.6)]]),
    "prior.penalty": Flight(1.0, [[large(0.6)]]),
    "prior.size_rate": Flight(1.0, [[large(0.6)]]),
    "presence.near_share": Flight(0.1, [[at(6, 0.2), at(45, 0.3)]]),
    "presence.alone_share": Flight(0.1, [[at(6, 0.1)]]),
    "presence.jump_share": Flight(1.0, [[at(45, 0.4)]]),
    "presence.far_share": Flight(0.6, [NOTHING, [at(45, 0.5)]]),
    "presence.far_frames": Flight(600.0, [*[NOTHING] * 20, [at(45, 0.4)]]),
    "presence.least_share": Flight(0.1, [*[NOTHING] * 25, [at(45, 0.1)]], base=FAST),
    "presence.rival_share": Flight(0.0, [[at(28, 0.5)]] * 3, lead=APPROACHED, base={"presence.far_share": 0.6}),
    "presence.coast_frames": Flight(0, [NOTHING] * 3, lead=MOVING),
    "presence.search_growth": Flight(1.0, [*[NOTHING] * 40, [at(100, 0.6)]], base=FAST),
    "presence.least_trust": Flight(1.0, [NOTHING, [at(45, 0.6)]]),
    "presence.trust_frames": Flight(450.0, [NOTHING, *[[at(45, 0.6)]] * 3]),
}
DMB = {
    "memory.store_score": Flight(0.9, STEADY[:2], lead=STEADY[:3]),
    "memory.previous_score": Flight(0.9, STEADY[:2], lead=STEADY[:3]),
    "memory.first_weight": Flight(50.0, STEADY[:1], lead=STEADY[:3]),
    "motion.mask_threshold": Flight(0.9, STEADY[:1], lead=STEADY[:2]),
}


class ScriptedNetwork:
    """STMTrack's steps; `sights` of the frame are seen wherever the crop of `tracker` shows them.

    All scores rise a little with the numbers of the frames that are read and with the weight of the first one; the
    first one alone gives every sight 0.58.
    """

    crop_size, cells, device, fresh_memory_crop = 128, 7, torch.device("cpu"), False

    def __init__(self) -> None:
        self.tracker: Any = None
        self.sights: Sights = []
        self.is_answered = False

    def bank(self, capacity: int) -> MemoryBank:
        return MemoryBank(capacity, [(1,)], self.device, torch.float32)

    def encode(self, patch: Pixels) -> None:
        self.is_answered = False

    def remember(self, features: None, box: Box) -> tuple[torch.Tensor]:
        return (torch.zeros(1),)

    def ask(self, features: None, bank: MemoryBank, slots: list[int], first_weight: float = 1.0) -> np.ndarray:
        told = 1e-6 * float(bank.numbers[slots].sum()) + 1e-4 * np.log(first_weight)
        step, crop = self.crop_size / self.cells, self.tracker.state.look.crop
        middles = (np.arange(self.cells) + 0.5) * step
        rows = np.array([(x - 2, y - 2, x + 2, y + 2, 0.01) for y in middles for x in middles])
        for box, score in self.sights:
            inside = crop.to_crop(box)
            column, row = (int(value // step) for value in inside.center)
            if 0 <= column < self.cells and 0 <= row < self.cells:
                corners = inside.x, inside.y, inside.x + inside.width, inside.y + inside.height
                rows[row * self.cells + column] = (*corners, 0.58 if self.is_answered else score + told)
        self.is_answered = True
        return rows


def blot(segment: Any) -> Any:
    """DMB's step `segment` with a blot in the middle of the crop; a little of the network's own answer is left."""

    def segmented(*arguments: Any) -> Segmented:
        answer = segment(*arguments)
        rows, columns = np.mgrid[: len(answer.logit), : len(answer.logit)] + 0.5 - len(answer.logit) / 2
        logit = 4 - np.hypot(rows, columns) + 0.01 * answer.logit
        return Segmented(logit.astype(np.float32), 0.7 + 0.1 * answer.score)

    return segmented


@dataclass(frozen=True)
class Hangar:
    """Makes trackers of one kind around its scripted network, for the flights of its live settings."""

    kind: Any
    stepper: Any
    config: Any
    flights: dict[str, Flight]

    def made(self, changes: dict[str, Any]) -> Any:
        """A new tracker."""
        tracker = self.kind(self.stepper, with_changes(self.config, changes))
        if isinstance(self.stepper, ScriptedNetwork):
            self.stepper.tracker = tracker
        return tracker

    def flown(self, tracker: Any, flight: Flight, *configs: Any) -> list[Any]:
        """The answers, and what is remembered, of the frames after the lead; `configs` are given before them in turn.

        The tracker is kept on its target while it is reconfigured.
        """
        seen = [self._shown(tracker, number, sights) for number, sights in enumerate(flight.lead)]
        state = tracker.state
        for config in configs:
            tracker.reconfigure(config)
        assert tracker.state is state
        return [self._shown(tracker, len(seen) + number, sights) for number, sights in enumerate(flight.shows)]

    def _shown(self, tracker: Any, number: int, sights: Sights) -> Any:
        if isinstance(self.stepper, ScriptedNetwork):
            self.stepper.sights = sights
        frame = Frame(image=IMAGE, stamp_ns=number * PERIOD_NS)
        result = tracker.track(frame) if number else tracker.init(frame, Target(box=START))
        tracker.memorize()
        mask = None if result.mask is None else np.flatnonzero(result.mask).tolist()
        return result.box, result.score, result.found, mask, tracker.state.bank.numbers.tolist()


def hangar(tracker: Any, config: Any, patch: pytest.MonkeyPatch) -> Hangar:
    """For trackers of the kind that the registry made; `config` is the default one of that name.

    STMTrack's flights begin with the lite settings, whatever the name: those of the paper follow whatever they see.
    """
    if isinstance(tracker, DmbTracker):
        patch.setattr(tracker.stepper, "segment", blot(tracker.stepper.segment))
        # the filter of a random network knows nothing, however long it learns
        base: dict[str, Any] = {"uncertainty.rule": "none", "spatial.first_steps": 1, "spatial.first_inner_steps": 1}
        return Hangar(type(tracker), tracker.stepper, with_changes(config, base), DMB)
    base = {one.name: one.value for one in settings(LITE) if one.rule.live} | {"camera_motion": False}
    return Hangar(type(tracker), ScriptedNetwork(), with_changes(config, base), STMTRACK)
