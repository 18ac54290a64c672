"""DMB: what appearance memory and filter say of a look. Where to look and what to believe: `following/`.

| paper | authors' code | here | setting |
|---|---|---|---|
| the filter's map enters the decoder | distance to the crop's centre | the filter's map | `spatial.guide` |
| all keys and values stay | the first frame is lost (.670) | it stays (.686), 4 more, the last | `memory` |
| dropped if 1 / peak > mean or > 10 (.632) | if mean / peak > 10 (filter: 3) | 3 (AUC .686) | `uncertainty` |
| every peak joins the queue | those under 3 | those of frames that were learned from | |
| a frame that is dropped is not segmented | likewise | segmented and answered with a low score | |
| two crops, encoded twice | 4.5 and 4 target sizes | `dmb` so; `dmb_lite` has one crop | `spatial.scale` |
| memory from a pass of its own | likewise | `dmb` so; `dmb_lite` from the query's features | |
| every 5 frames, every 10 frames | calls are counted | stamps at a nominal 30 Hz | `interval` |
| the filter's peak is the next place | if mean / peak < 3 | mask; if too poor, peak if < 1.4 | `uncertainty.guess` |

`compat=paper`, `compat=official` set all that is a setting. Figures: `dmb_lite`, validation (`training/dmb_lite_1`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stm_tracker_ros.core.matching import Candidates, Evidence, Floats, Look, Segment
from stm_tracker_ros.core.types import Box, Target
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.parts.crop_mask import Found, found_in, nothing_of, of_mask
from stm_tracker_ros.trackers.dmb import masks
from stm_tracker_ros.trackers.dmb.config import TrackConfig
from stm_tracker_ros.trackers.dmb.filtering import Seen, TargetFilter
from stm_tracker_ros.trackers.dmb.first_mask import first_label
from stm_tracker_ros.trackers.dmb.lite_network import MASK_STRIDE
from stm_tracker_ros.trackers.dmb.masks import Share
from stm_tracker_ros.trackers.dmb.steps import Steps

EMPTY_SCORE = 0.25  # share of the network's score that is left where the mask is empty


@dataclass(frozen=True)
class Payload:
    """What is kept of a look. label: probability of each cell; area: of the mask, in image pixels."""

    seen: Seen
    label: Share
    area: float


@dataclass
class _Memory:
    """What is remembered of the present target. area: of the last mask that was followed; score: of the last answer."""

    bank: MemoryBank
    filter: TargetFilter
    area: float
    score: float = 1.0


class DmbMatcher:
    """See `core.protocol.Matcher`."""

    def __init__(self, stepper: Steps, config: TrackConfig) -> None:
        self.stepper, self.config, self.crop_size = stepper, config, stepper.crop_size
        self.memory: _Memory | None = None

    def start(self, look: Look, target: Target) -> Candidates:
        """Start anew: filter, first mask and first memory."""
        stepper, config = self.stepper, self.config
        spatial = TargetFilter(stepper, config, look)
        seen = spatial.first(look)
        label, logit = first_label(stepper, target, look, seen)
        bank = stepper.bank(config.memory.history, config.memory.interval)
        bank.add(look.number, stepper.remember(seen.encoded, label))
        found = found_in(logit, seen.crop, MASK_STRIDE, look.frame, config.mask.threshold)
        found = found if target.mask is None else of_mask(target.mask)
        self.memory = memory = _Memory(bank, spatial, max(found.area, 1.0))
        return self._candidates(look, memory, found, Payload(seen, label, found.area), 1.0)

    def match(self, looks: Sequence[Look]) -> list[Candidates]:
        """The one candidate of each look: its mask."""
        return [self._match(look) for look in looks]

    def settle(self, look: Look, candidates: Candidates, chosen: int | None, rank: float) -> None:
        """Masks are measured against the last one that was followed."""
        memory = self._started()
        memory.score = rank
        memory.filter.uncertainty.seen += 1
        if chosen is not None:
            memory.area = candidates.payload.area

    def anchor_scores(self, look: Look, candidates: Candidates) -> Floats:
        """Its score by the first frame's memory alone."""
        seen, bank = candidates.payload.seen, self._started().bank
        return np.array([self.stepper.segment(seen.encoded, bank, [bank.first], seen.guide, 1.0).score])

    def remember(self, look: Look, candidates: Candidates, chosen: int, box: Box, evidence: Evidence) -> None:
        """Remember the frame where it is certain enough; improve the filter when it is due."""
        memory, limits, payload = self._started(), self.config.uncertainty, candidates.payload
        if evidence.score < self.config.memory.store_score:
            return
        if payload.seen.doubt < limits.remember:
            memory.bank.add(look.number, self.stepper.remember(payload.seen.encoded, payload.label))
        if payload.seen.doubt < limits.learn:
            memory.filter.learn(look.number, payload.seen, box)

    def reconfigure(self, config: TrackConfig) -> None:
        """Filter and uncertainty keep what they were made with: nothing in it is live."""
        self.config = config

    def _started(self) -> _Memory:
        assert self.memory is not None  # the following stage has started it
        return self.memory

    def _match(self, look: Look) -> Candidates:
        seen = (memory := self._started()).filter.look(look)
        weight, slots = self.config.memory.first_weight, self._slots()
        answer = self.stepper.segment(seen.encoded, memory.bank, slots, seen.guide, weight)
        found = found_in(answer.logit, seen.crop, MASK_STRIDE, look.frame, self.config.mask.threshold)
        if found.area < self.config.mask.smallest * memory.area:
            found = nothing_of(found.pixels)
        payload = Payload(seen, masks.probability(answer.logit), found.area)
        return self._candidates(look, memory, found, payload, answer.score)

    def _candidates(self, look: Look, memory: _Memory, found: Found, payload: Payload, score: float) -> Candidates:
        seen = payload.seen
        box = seen.crop.to_crop(look.expected) if found.box is None else found.box
        trust = memory.filter.uncertainty.trust(seen.doubt)
        is_sure = self.config.spatial.guide == "response" and seen.doubt < self.config.uncertainty.guess
        return Candidates(
            crop=seen.crop,
            boxes=np.array([box]),
            scores=np.array([score]),
            grid=(1, 1, 1),
            trust=trust * (EMPTY_SCORE if found.box is None else 1.0),
            segment=Segment(found.pixels, found.rotated),
            peaks=(seen.peak,) if is_sure else (),
            payload=payload,
        )

    def _slots(self) -> list[int]:
        """Slots to read, the first frame's first."""
        memory, config = self._started(), self.config.memory
        slots = [memory.bank.first, *(memory.bank.kept if config.policy == "full" else [])]
        if config.policy != "first" and memory.score > config.previous_score:
            slots.append(memory.bank.previous)
        chosen = memory.bank.distinct(slots)
        return chosen if config.keeps_first or len(chosen) == 1 else chosen[1:]
