"""For every live setting of every tracker a short scripted flight in which it matters; test_contract.py flies them.

The tracker is the real one, its network is scripted: what it sees is written down for each frame. DMB's own settings
are flown with its network, whose masks are blots. A setting without a flight is a failure of the test: add it here with
a scene that shows what it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from scripted_matcher import IMAGE, START, Watched, candidates_of
from scripted_matcher import right as at
from scripted_matcher import sized as times

from stm_tracker_ros.core.config import settings, with_changes
from stm_tracker_ros.core.types import Box, Frame, Pixels, Target
from stm_tracker_ros.following.config import FollowingConfig
from stm_tracker_ros.following.follower import Follower
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.trackers.dmb.steps import Segmented
from stm_tracker_ros.trackers.dmb.tracker import DmbMatcher
from stm_tracker_ros.trackers.dmv.network import KINDS
from stm_tracker_ros.trackers.dmv.stepper import Answer
from stm_tracker_ros.trackers.dmv.tracker import DmvMatcher
from stm_tracker_ros.trackers.siamstm.steps import Matched, Outlined
from stm_tracker_ros.trackers.siamstm.tracker import SiamStmMatcher
from stm_tracker_ros.trackers.stmtrack.config import LITE

PERIOD_NS = 33_333_333
Sights = list[tuple[Box, float]]  # what the network sees in a frame, and how much it looks like the target


@dataclass(frozen=True)
class Flight:
    """The setting gets `value` after the lead; `shows` is what comes then, `base` what it is set to from the start."""

    value: Any
    shows: list[Sights]
    lead: list[Sights] = field(default_factory=lambda: STEADY)
    base: dict[str, Any] = field(default_factory=dict)


LARGE = times(1.5, 0.6)
STEADY: list[Sights] = [[at(0, 0.6)]] * 30  # its usual score is 0.6 then, and its place can be relied on
MOVING: list[Sights] = [[at(2 * frame, 0.6)] for frame in range(30)]
APPROACHED: list[Sights] = [*STEADY[:20], *([at(0, 0.6), at(28 + 3 * frame, 0.3)] for frame in range(9, -1, -1))]
REPLACED: list[Sights] = [*STEADY, *[[at(45, 0.3)]] * 4]
NOTHING: Sights = []

FOLLOWING = {
    "search.again": Flight("off", [NOTHING, *[[at(150, 0.6)]] * 9]),
    "prior.window": Flight(0.0, [[at(0, 0.5), at(12, 0.6)]]),
    "prior.penalty": Flight(1.0, [[LARGE], [LARGE]]),
    "size.rate": Flight(1.0, [[LARGE], [LARGE]]),
    "presence.near_share": Flight(0.6, [[at(6, 0.2)]]),
    "presence.far_share": Flight(0.6, [NOTHING, [at(45, 0.5)]]),
    "presence.distractor_share": Flight(0.0, [[at(28, 0.5)]] * 3, lead=APPROACHED, base={"presence.far_share": 0.6}),
    "presence.coast_frames": Flight(0, [NOTHING] * 3, lead=MOVING),
}
STMTRACK = FOLLOWING | {
    "memory.store_score": Flight(0.9, STEADY),
    "memory.agreement_score": Flight(0.9, STEADY),
    "memory.first_weight": Flight(2.0, STEADY[:1]),
    "memory.previous_score": Flight(0.95, STEADY),
}
DMB = {
    "memory.store_score": Flight(0.9, STEADY[:2], lead=STEADY[:3]),
    "memory.previous_score": Flight(0.9, STEADY[:2], lead=STEADY[:3]),
    "memory.first_weight": Flight(50.0, STEADY[:1], lead=STEADY[:3]),
    "mask.threshold": Flight(0.9, STEADY[:1], lead=STEADY[:2]),
}
DMV = FOLLOWING | {
    "memory.interval": Flight(10, STEADY),
    "memory.store_share": Flight(1.5, STEADY),
    "memory.store_score": Flight(0.9, STEADY),
}
SIAMSTM = FOLLOWING | {"mask.threshold": Flight(0.9, STEADY[:1], lead=STEADY[:2])}
# Of one candidate a frame window and penalty choose none: they tell by the rank above which the previous one is read.
OF_ONE_MASK = FOLLOWING | {
    "prior.penalty": Flight(1.0, [[LARGE], [LARGE]], lead=STEADY[:4], base={"memory.previous_score": 0.65}),
    "prior.window": Flight(0.0, STEADY[:2], lead=STEADY[:4], base={"memory.previous_score": 0.7}),
    "presence.distractor_share": Flight(0.0, [[at(45, 0.5)]] * 3, lead=REPLACED, base={"presence.far_share": 0.6}),
}


class Scripted:
    """Steps that see the `sights` of a frame wherever the crop that `watched` is asked about shows them."""

    crop_size, device = 128, torch.device("cpu")

    def __init__(self) -> None:
        self.watched: Any = None
        self.sights: Sights = []

    def bank(self, capacity: int, spacing: int = 1) -> MemoryBank:
        return MemoryBank(capacity, [(1,)], self.device, torch.float32, spacing)

    def told(self, bank: MemoryBank, slots: list[int], first_weight: float) -> float:
        """What scores rise by, a little, with the numbers of the frames that are read and the weight of the first."""
        return 1e-6 * float(bank.numbers[slots].sum()) + 1e-4 * float(np.log(first_weight))


class ScriptedNetwork(Scripted):
    """STMTrack's steps; the first frame alone gives every sight 0.58."""

    cells, fresh_memory_crop, is_answered = 7, False, False

    def encode(self, patch: Pixels) -> None:
        self.is_answered = False

    def remember(self, features: None, box: Box) -> tuple[torch.Tensor]:
        return (torch.zeros(1),)

    def ask(self, features: None, bank: MemoryBank, slots: list[int], first_weight: float = 1.0) -> np.ndarray:
        told = self.told(bank, slots, first_weight)
        known = [(box, 0.58 if self.is_answered else score + told) for box, score in self.sights]
        boxes, scores = candidates_of(self.watched.crop, known, self.crop_size, self.cells)
        self.is_answered = True
        return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:], scores[:, None]], 1)


class ScriptedVotes(Scripted):
    """DMV's steps."""

    cells = 7

    def encode(self, patch: Pixels) -> None:
        return None

    def first(self, look: None, box: Box) -> tuple[torch.Tensor]:
        return (torch.zeros(1),)

    def own(self, look: None, answer: Answer, followed: Box | None) -> tuple[torch.Tensor]:
        return (torch.zeros(1),)

    def ask(self, look: None, bank: MemoryBank, slots: list[int]) -> Answer:
        told = self.told(bank, slots, 1.0)
        known = [(box, score + told) for box, score in self.sights]
        boxes, scores = candidates_of(self.watched.crop, known, self.crop_size, self.cells)
        found = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:], scores[:, None]], 1)
        every = np.repeat(found, KINDS, 0)
        every[np.arange(len(every)) % KINDS > 0, 4] = 0.0  # of each cell the first anchor knows it
        return Answer(every, *[torch.zeros(1)] * 3)


class ScriptedMasks(Scripted):
    """DMB's steps; the mask is that of the first sight whose centre the crop shows."""

    cells, mask_cells, spatial_size = 8, 32, 0

    def encode(self, patch: Pixels) -> None:
        return None

    def spatial(self, look: None) -> torch.Tensor:
        return torch.ones(1, 2, self.cells, self.cells)

    spatial_of = spatial

    def remember(self, look: None, mask: np.ndarray, *, is_box: bool = False) -> tuple[torch.Tensor]:
        return (torch.zeros(1),)

    def segment(self, look: None, bank: MemoryBank, slots: list[int], place: Any, first_weight: float) -> Segmented:
        middles = (np.arange(self.mask_cells) + 0.5) * self.crop_size / self.mask_cells
        for box, score in self.sights:
            inside = self.watched.crop.to_crop(box)
            if all(0 <= value < self.crop_size for value in inside.center):
                x, y = (
                    np.minimum(middles - low, low + extent - middles)
                    for low, extent in zip(inside[:2], inside[2:], strict=True)
                )
                logit = np.minimum(x[None], y[:, None]).astype(np.float32)
                return Segmented(logit, score + self.told(bank, slots, first_weight))
        return Segmented(np.full((self.mask_cells, self.mask_cells), -9, np.float32), 0.0)


class ScriptedCells(Scripted):
    """SiamSTM's steps; masks are boxes with soft edges, whatever the network was asked about."""

    cells, first, stride = 7, 9.0, 18

    def template(self, patch: Pixels, box: Box) -> torch.Tensor:
        return torch.zeros(1)

    def match(self, template: torch.Tensor, patch: Pixels) -> Matched:
        boxes, scores = candidates_of(self.watched.crop, self.sights, self.crop_size, self.cells)
        return Matched(np.concatenate([boxes, scores[:, None]], 1), None)

    def outline(self, look: None, cell: int, box: Box) -> Outlined:
        middles = (np.arange(32) + 0.5) * 4
        x, y = (np.minimum(middles - low, low + extent - middles) for low, extent in zip(box[:2], box[2:], strict=True))
        return Outlined((np.minimum(x[None], y[:, None]) / 4).astype(np.float32), 0.0, 0.0)


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
    flights: Mapping[str, Flight]

    def made(self, changes: dict[str, Any]) -> Follower:
        """A new tracker."""
        config = with_changes(self.config, changes)
        matcher = Watched(self.kind(self.stepper, config))
        if isinstance(self.stepper, Scripted):
            self.stepper.watched = matcher
        return Follower(matcher, config)

    def flown(self, tracker: Any, flight: Flight, *configs: Any) -> list[Any]:
        """The answers, and what is remembered, of the frames after the lead; `configs` are given before them in turn.

        The tracker is kept on its target while it is reconfigured.
        """
        seen = [self._shown(tracker, number, sights) for number, sights in enumerate(flight.lead)]
        state, memory = tracker.state, tracker.matcher.memory
        for config in configs:
            tracker.reconfigure(config)
        assert tracker.state is state
        assert tracker.matcher.memory is memory
        return [self._shown(tracker, len(seen) + number, sights) for number, sights in enumerate(flight.shows)]

    def _shown(self, tracker: Any, number: int, sights: Sights) -> Any:
        if isinstance(self.stepper, Scripted):
            self.stepper.sights = sights
        frame = Frame(image=IMAGE, stamp_ns=number * PERIOD_NS)
        result = tracker.track(frame) if number else tracker.init(frame, Target(box=START))
        tracker.memorize()
        mask = None if result.mask is None else np.flatnonzero(result.mask).tolist()
        bank = getattr(tracker.matcher.memory, "bank", None)
        numbers = None if bank is None else bank.numbers.tolist()
        return result.box, result.score, result.found, result.expected, result.region, mask, numbers


def hangars(tracker: Any, config: Any, patch: pytest.MonkeyPatch) -> list[Hangar]:
    """For trackers of the kind that the registry made; `config` is the default one of that name.

    The flights of the following stage begin with the settings of `stmtrack_lite`, whatever the name: those of the
    papers follow whatever they see.
    """
    shared = {one.name for one in settings(FollowingConfig())}
    lite = {one.name: one.value for one in settings(LITE) if one.rule.live} | {"search.camera_motion": False}
    shared_lite = {name: value for name, value in lite.items() if name in shared}
    kind, stepper = type(tracker.matcher), tracker.matcher.stepper
    if kind is DmvMatcher:
        gates = {"memory.store_share": 0.7, "memory.store_score": 0.0}
        return [Hangar(kind, ScriptedVotes(), with_changes(config, shared_lite | gates), DMV)]
    if kind is SiamStmMatcher:
        return [Hangar(kind, ScriptedCells(), with_changes(config, shared_lite), SIAMSTM)]
    if kind is not DmbMatcher:
        return [Hangar(kind, ScriptedNetwork(), with_changes(config, lite), STMTRACK)]
    patch.setattr(stepper, "segment", blot(stepper.segment))
    # the filter of a random network knows nothing, however long it learns
    base: dict[str, Any] = {"uncertainty.rule": "none", "spatial.first_steps": 1, "spatial.first_inner_steps": 1}
    plain = {"uncertainty.guess": 0.0, "presence.least_score": 0.0}
    following = base | plain | {"search.scale": 4.5} | shared_lite
    return [
        Hangar(kind, stepper, with_changes(config, base), DMB),
        Hangar(kind, ScriptedMasks(), with_changes(config, following), OF_ONE_MASK),
    ]
