"""DMV: what the part-level memory and its vote say of a look. Where to look and what to believe: `following/`.

Lee, Park and Kim, "DMV: Visual Object Tracking via Part-level Dense Memory and Voting-based Retrieval". No code of the
authors is known; what the paper leaves out is completed from SiamRPN++, its parent.

| paper | here | effect |
|---|---|---|
| remembered from a score of 0.7 | from 0.7 of the usual score | a fixed gate empties a weak network's memory |
| one frame in 30 | one in a second, by its stamp | dropped frames do not stretch the memory |
| all scores from 0.5 are remembered | of what is followed | what looks like the target is background |
| no window, penalty, rate are named | those of the following stage; `dmv` has SiamRPN++'s | |
| crop of sqrt((w + p)(h + p)) 256 / 127 | of sqrt(w h) times `search.scale` | the same for a square target |
| answers as they are | less what they were off by in the first frame (`own_error`) | each target has its own size |
`memory.store_score`, `memory.label` and the settings of `dmv` bring the left column back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from stm_tracker_ros.core.matching import Candidates, Evidence, Floats, Look
from stm_tracker_ros.core.types import Box, Target
from stm_tracker_ros.parts import own_error
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.trackers.dmv.config import TrackConfig
from stm_tracker_ros.trackers.dmv.network import KINDS
from stm_tracker_ros.trackers.dmv.stepper import Answer, Encoded, Stepper


@dataclass
class _Memory:
    """What is remembered of the present target."""

    bank: MemoryBank
    remembered: int = 1  # number of the frame remembered last
    error: Floats = field(default_factory=lambda: np.zeros(4))  # of its answers, on the first frame


@dataclass(frozen=True)
class _Seen:
    """Of one look, on the device."""

    encoded: Encoded
    answer: Answer | None = None


class DmvMatcher:
    """See `core.protocol.Matcher`."""

    def __init__(self, stepper: Stepper, config: TrackConfig) -> None:
        self.stepper, self.config, self.crop_size = stepper, config, stepper.crop_size
        self.memory = _Memory(stepper.bank(config.memory.slots))

    def start(self, look: Look, target: Target) -> Candidates:
        """Start anew with the first frame in memory, which stays for ever."""
        self.memory = _Memory(self.stepper.bank(self.config.memory.slots))
        encoded, box = self.stepper.encode(look.patch), look.crop.to_crop(look.expected)
        self._add(look.number, self.stepper.first(encoded, box), box)
        if self.config.own_error.is_wanted:
            self.memory.error = own_error.measured(look, self._match)
        return Candidates(
            crop=look.crop, boxes=np.array([box]), scores=np.ones(1), grid=(1, 1, 1), payload=_Seen(encoded)
        )

    def match(self, looks: Sequence[Look]) -> list[Candidates]:
        """The candidates of each look: five anchors a cell, by what is remembered."""
        found, error, config = [self._match(look) for look in looks], self.memory.error, self.config.own_error
        return [replace(one, boxes=own_error.corrected(one.boxes, error, config)) for one in found]

    def settle(self, look: Look, candidates: Candidates, chosen: int | None, rank: float) -> None:
        """Nothing of an answer is kept but what is remembered."""

    def anchor_scores(self, look: Look, candidates: Candidates) -> Floats:
        """Scores by the first frame alone."""
        bank = self.memory.bank
        return np.asarray(self.stepper.ask(candidates.payload.encoded, bank, [bank.first]).found[:, 4])

    def remember(self, look: Look, candidates: Candidates, chosen: int, box: Box, evidence: Evidence) -> None:
        """Remember the frame by its own answer, if it is time for one and the score is good."""
        config, seen = self.config.memory, candidates.payload
        poor = evidence.share_of_usual < config.store_share or evidence.score < config.store_score
        if poor or look.number - self.memory.remembered < config.interval or seen.answer is None:
            return
        followed = look.crop.to_crop(box)
        kept = self.stepper.own(seen.encoded, seen.answer, followed if config.label == "followed" else None)
        self._add(look.number, kept, followed)

    def reconfigure(self, config: TrackConfig) -> None:
        """Read and remember by other settings from the next frame on."""
        self.config = config

    def _match(self, look: Look) -> Candidates:
        encoded = self.stepper.encode(look.patch)
        answer = self.stepper.ask(encoded, self.memory.bank, self._slots())
        boxes = np.concatenate([answer.found[:, :2], answer.found[:, 2:4] - answer.found[:, :2]], 1)
        grid = self.stepper.cells, self.stepper.cells, KINDS
        payload = _Seen(encoded, answer)
        return Candidates(crop=look.crop, boxes=boxes, scores=answer.found[:, 4], grid=grid, payload=payload)

    def _add(self, number: int, kept: Sequence[Tensor], box: Box) -> None:
        if not self.config.memory.background:
            kept = self.stepper.without_background(kept, box)
        self.memory.bank.add(number, kept)
        self.memory.remembered = number

    def _slots(self) -> list[int]:
        bank = self.memory.bank
        return [bank.first] if self.config.memory.policy == "first" else bank.kept
