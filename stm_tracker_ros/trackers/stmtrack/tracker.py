"""STMTrack: what the space-time memory says of a look. Where to look and what to believe: `following/`.

| paper or authors' code | here | effect |
|---|---|---|
| crop centre cut to whole pixels, scale off by up to 0.65 % | exact | no bias of half a pixel and more |
| boxes with the +1 rule, sides from 10 px | edge coordinates, sides from 2 px | small targets can be followed |
| a frame is encoded when the next one comes | right after its answer is out | the controller waits for half the work |
| features of every frame are kept | at most `memory.history`, thinned on a grid of times | bounded for ever |
| "every n frames" counts calls | counts stamps at a nominal 30 Hz | dropped frames do not stretch the memory |
| a frame that the rule names twice is read twice | once | none counts double (with 8 past frames only) |

`official.py` has the left column, for `compat=official`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stm_tracker_ros.core.matching import Candidates, Evidence, Floats, Look
from stm_tracker_ros.core.types import Box, Target
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.parts.crop import cut
from stm_tracker_ros.trackers.stmtrack.config import TrackConfig
from stm_tracker_ros.trackers.stmtrack.selection import RULES
from stm_tracker_ros.trackers.stmtrack.steps import Steps


@dataclass
class _Memory:
    """What is remembered of the present target. rank: of the last answer, window and penalty included."""

    bank: MemoryBank
    rank: float = 1.0
    asked: int = 1  # number of the frame that was remembered last, or refused


class StmMatcher:
    """See `core.protocol.Matcher`."""

    def __init__(self, stepper: Steps, config: TrackConfig) -> None:
        self.stepper, self.config, self.crop_size = stepper, config, stepper.crop_size
        self.memory = _Memory(stepper.bank(config.memory.history))

    def start(self, look: Look, target: Target) -> Candidates:
        """Start anew with the first frame in memory, which stays for ever."""
        self.memory = _Memory(self.stepper.bank(self.config.memory.history))
        features = self.stepper.encode(look.patch)
        self._write(look, features, look.expected)
        box = np.array([look.crop.to_crop(look.expected)])
        return Candidates(crop=look.crop, boxes=box, scores=np.ones(1), grid=(1, 1, 1), payload=features)

    def match(self, looks: Sequence[Look]) -> list[Candidates]:
        """The candidates of each look, by the memory frames that section 3.4 names."""
        return [self._match(look) for look in looks]

    def settle(self, look: Look, candidates: Candidates, chosen: int | None, rank: float) -> None:
        """The previous frame is read while its answer ranks high enough."""
        self.memory.rank = rank

    def anchor_scores(self, look: Look, candidates: Candidates) -> Floats:
        """Scores by the first frame alone."""
        bank = self.memory.bank
        return np.asarray(self.stepper.ask(candidates.payload, bank, [bank.first])[:, 4])

    def remember(self, look: Look, candidates: Candidates, chosen: int, box: Box, evidence: Evidence) -> None:
        """Remember the frame if it is time for one, the score is good, and the first frame alone sees it there as well.

        Without the last, what slowly covers the target is learned bit by bit, and followed.
        """
        memory, config = self.memory, self.config.memory
        if look.number - memory.asked < config.interval or evidence.score < config.store_score:
            return
        memory.asked = look.number
        agreed = not config.agreement_score
        if agreed or self.anchor_scores(look, candidates)[chosen] >= config.agreement_score:
            self._write(look, candidates.payload, box)

    def reconfigure(self, config: TrackConfig) -> None:
        """Read and remember by other settings from the next frame on."""
        self.config = config

    def _match(self, look: Look) -> Candidates:
        features = self.stepper.encode(look.patch)
        weight = self.config.memory.first_weight
        answer = self.stepper.ask(features, self.memory.bank, self._slots(look.number - 1), weight)
        boxes = np.concatenate([answer[:, :2], answer[:, 2:4] - answer[:, :2]], 1)
        grid = self.stepper.cells, self.stepper.cells, 1
        return Candidates(crop=look.crop, boxes=boxes, scores=answer[:, 4], grid=grid, payload=features)

    def _write(self, look: Look, features: Any, box: Box) -> None:
        """Remember a box of the look; the paper's network has a crop about that box for it (section 3.2)."""
        crop = look.crop
        if self.stepper.fresh_memory_crop:
            side = self.config.search.scale * float(np.sqrt(box.width * box.height))
            patch, crop = cut(look.frame, box.center, side, self.crop_size, look.fill)
            features = self.stepper.upload(patch)
        self.memory.bank.add(look.number, self.stepper.remember(features, crop.to_crop(box)))

    def _slots(self, past: int) -> list[int]:
        """Slots to read, the first frame's first; `past` is the number of the frame before."""
        memory, bank = self.config.memory, self.memory.bank
        slots = [bank.first]
        if memory.policy == "full":
            slots += bank.nearest(RULES[memory.rule](past, memory.segments))
        if memory.policy != "first" and self.memory.rank > memory.previous_score:
            slots.append(bank.previous)
        return bank.distinct(slots)
