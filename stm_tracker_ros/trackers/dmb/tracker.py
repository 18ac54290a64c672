"""DMB around its networks: crop, ask the filter, segment with the appearance memory, decide, learn.

| paper | authors' code | here | setting |
|---|---|---|---|
| the filter's map enters the decoder | distance to the crop's centre | the filter's map | `spatial.guide` |
| all keys and values stay | the first frame is lost (.670) | it stays (.686), 4 more, the last | `memory` |
| dropped if 1 / peak > mean or > 10 (.632) | if mean / peak > 10 (filter: 3) | 3 (AUC .686) | `uncertainty` |
| every peak joins the queue | those under 3 | those of frames that were learned from | |
| a frame that is dropped is not segmented | likewise | segmented and answered with a low score | |
| two crops, encoded twice | 4.5 and 4 target sizes | `dmb` so; `dmb_lite` has one crop | `spatial.area_factor` |
| memory from a pass of its own | likewise | `dmb` so; `dmb_lite` from the query's features | |
| every 5 frames, every 10 frames | calls are counted | stamps at a nominal 30 Hz | `interval` |
| the filter's peak is the next place | if mean / peak < 3 | the mask's; without one, the peak if < 1.4 | `search` |
| the search region has one size | likewise | grows, begins anew, looks closely while nothing is seen | `search` |
| | box changes by 5 % a frame at most | box as the mask has it, search region by 15 % | `motion` |

`compat=paper` and `compat=official` set all that is a setting. Figures: `dmb_lite` on validation, from the notes in
`training/dmb_lite_1`; what has none was not measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stm_tracker_ros.core import boxes
from stm_tracker_ros.core import masks as core_masks
from stm_tracker_ros.core.config import with_live
from stm_tracker_ros.core.errors import NotInitialisedError
from stm_tracker_ros.core.types import Box, Candidate, Frame, Pixels, Result, RotatedBox, Target
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.parts.crop import Crop, cut, mean_colour
from stm_tracker_ros.parts.mask_box import fit
from stm_tracker_ros.trackers.dmb import masks
from stm_tracker_ros.trackers.dmb.config import TrackConfig
from stm_tracker_ros.trackers.dmb.lite_network import MASK_STRIDE, STRIDE
from stm_tracker_ros.trackers.dmb.masks import Share
from stm_tracker_ros.trackers.dmb.paper_stepper import PaperStepper
from stm_tracker_ros.trackers.dmb.sight import Look, Sight, guide
from stm_tracker_ros.trackers.dmb.spatial import Place, SpatialMemory, peak, second_peak
from stm_tracker_ros.trackers.dmb.stepper import Stepper
from stm_tracker_ros.trackers.dmb.uncertainty import Uncertainty
from stm_tracker_ros.trackers.dmb.variations import variations

NOMINAL_PERIOD_NS = 1_000_000_000 / 30
EMPTY_SCORE = 0.25  # share of the network's score that is left where the mask is empty
SECOND_PEAK_REACH = 1.1  # over the target's size: what lies further away is something else
LEAST_OF_BOX = 0.1  # a first mask below this share of its box is no better than the box


class Found(NamedTuple):
    """An answer in the image: mask, its boxes (None: the mask is empty), pixels of its largest part."""

    mask: Pixels
    box: Box | None
    rotated: RotatedBox | None
    area: float


@dataclass
class _State:
    """All that is known of the present target."""

    box: Box  # about whose centre the next frame is searched, and with whose size
    fill: tuple[float, float, float]
    first_stamp_ns: int
    bank: MemoryBank
    spatial: SpatialMemory
    uncertainty: Uncertainty
    sight: Sight
    look: Look
    label: Share
    area: float
    number: int = 1
    seen: int = 1  # number of the last frame in which the target was seen
    reach: float = 1.0  # side of the last search region over the usual one
    glance: Box | None = None  # looked at closely in the next frame, and only there
    learned: int = 1  # number of the frame after which the filter was improved
    score: float = 1.0
    doubt: float = 0.0
    pending: bool = False  # answered, not yet remembered


class DmbTracker:
    """Follows one target with masks; see `core.protocol.Tracker`."""

    def __init__(self, stepper: Stepper | PaperStepper, config: TrackConfig) -> None:
        self.stepper, self._given, self.config = stepper, config, config.rules
        self.state: _State | None = None

    def init(self, frame: Frame, target: Target) -> Result:
        """Start on `frame`. Raises TargetError if the target lies outside the image or has no area."""
        box = self._limited(boxes.of_target(target, frame.width, frame.height), frame)
        fill = mean_colour(frame, box.center, self.config.area_factor * _extent(box))
        spatial = self._first_filter(frame, box, fill)
        look = self._look(frame, box, box.center, fill)
        sight = self._sight(frame, box, fill, spatial, look)
        label, logit = self._first_label(target, box, look, sight)
        bank = self.stepper.bank(self.config.memory.history)
        bank.spacing = self.config.memory.interval
        bank.add(1, self.stepper.remember(look.encoded, label))
        found = self._found(logit, look.crop, frame)
        if target.mask is not None:
            found = _of_mask(core_masks.binary(target.mask))
        uncertainty = Uncertainty(self.config.uncertainty)
        uncertainty.add(float(sight.response.max()))
        self.state = _State(
            box, fill, frame.stamp_ns, bank, spatial, uncertainty, sight, look, label, max(found.area, 1.0)
        )
        return Result(box=box, score=1.0, mask=found.mask, rotated=found.rotated)

    def track(self, frame: Frame) -> Result:
        """Find the target in the next frame. Raises NotInitialisedError before `init`."""
        state = self._started()
        state.reach, expected = self._reach(), state.glance or state.box
        state.number = max(self._number(frame), state.number + 1)
        guess = self._see(frame)
        place = guide(self.config.spatial.guide, state.sight, state.look, self.stepper.cells)
        weight = self.config.memory.first_weight
        answer = self.stepper.segment(state.look.encoded, state.bank, self._slots(), place, weight)
        found = self._found(answer.logit, state.look.crop, frame)
        if found.area < self.config.motion.smallest_mask * state.area:
            found = Found(np.zeros_like(found.mask), None, None, 0.0)
        trust = state.uncertainty.trust(state.doubt)
        state.score = answer.score * trust * (1.0 if found.box is not None else EMPTY_SCORE)
        state.label = masks.probability(answer.logit)
        seen = found.box if state.score >= self.config.motion.follow_score else None
        if seen is not None:
            self._follow(seen, found.area, frame)
        else:
            self._wait(found.box, answer.score, frame, guess)
        box = state.box if found.box is None else self._limited(found.box, frame)
        state.pending = True
        return Result(
            box=box,
            score=state.score,
            mask=found.mask,
            rotated=found.rotated,
            found=seen is not None,
            expected=expected,
            region=state.look.crop.region(self.stepper.crop_size),
            candidates=() if seen is None else (Candidate(box, state.score),),
        )

    def memorize(self) -> None:
        """Remember the frame just answered where it is certain enough; improve the filter when it is due.

        A wider search region shows the target smaller than the network knows it: what is found there is followed,
        and remembered from the next frame on.
        """
        state, doubts = self._started(), self.config.uncertainty
        pending, state.pending = state.pending, False
        if not pending or state.score < self.config.memory.store_score or state.reach > 1:
            return
        if state.doubt < doubts.remember:
            state.bank.add(state.number, self.stepper.remember(state.look.encoded, state.label))
        if state.doubt < doubts.learn:
            state.uncertainty.add(float(state.sight.response.max()))
            self._teach()

    def reconfigure(self, config: TrackConfig) -> None:
        """Use the live settings of `config` from the next frame on. Raises ConfigError if it is of another tracker.

        `compat` goes on as it was made. Filter and uncertainty keep the configuration that they were made with: nothing
        in it is live.
        """
        self._given = with_live(self._given, config)
        self.config = self._given.rules

    @torch.inference_mode()
    def _teach(self) -> None:
        """Give the filter the frame as a sample, labelled by the mask's centre; improve it at once if it is hard."""
        state, spatial = self._started(), self.config.spatial
        place = self._place(state.sight.crop, state.box)
        response = state.sight.response.cpu().numpy()
        other = second_peak(response, place.x, place.y, SECOND_PEAK_REACH * place.size)
        is_hard = other > spatial.second_peak * max(float(response.max()), 0.0)
        state.spatial.add(state.sight.features, place, spatial.hard_rate if is_hard else spatial.rate)
        if is_hard or state.number - state.learned >= spatial.interval:
            state.spatial.learn()
            state.learned = state.number

    def _started(self) -> _State:
        if self.state is None:
            raise NotInitialisedError("no target yet; call init(frame, target) first")
        return self.state

    def _number(self, frame: Frame) -> int:
        return 1 + round((frame.stamp_ns - self._started().first_stamp_ns) / NOMINAL_PERIOD_NS)

    def _spatial_crop(self) -> tuple[float, int]:
        """Side of the filter's crop over the target's size, and in pixels of the crop."""
        if self.stepper.spatial_size:
            return self.config.spatial.area_factor, self.stepper.spatial_size
        return self.config.area_factor, self.stepper.crop_size

    @torch.inference_mode()
    def _first_filter(self, frame: Frame, box: Box, fill: tuple[float, ...]) -> SpatialMemory:
        factor, size = self._spatial_crop()
        varied = variations(frame, box.center, factor * _extent(box), size, fill)
        features = torch.cat([self._spatial_features(v.patch) for v in varied])
        places = [Place(v.x / STRIDE, v.y / STRIDE, size / factor / STRIDE) for v in varied]
        return SpatialMemory(self.config.spatial, features, places)

    def _spatial_features(self, patch: Pixels) -> Tensor:
        if isinstance(self.stepper, PaperStepper):
            return self.stepper.spatial_of(patch)
        return self.stepper.spatial(self.stepper.encode(patch))

    def _look(self, frame: Frame, box: Box, center: tuple[float, float], fill: tuple[float, ...]) -> Look:
        side = self.config.area_factor * _extent(box)
        patch, crop = cut(frame, center, side, self.stepper.crop_size, fill)
        return Look(crop, self.stepper.encode(patch))

    @torch.inference_mode()
    def _sight(
        self, frame: Frame, box: Box, fill: tuple[float, ...], spatial: SpatialMemory, look: Look | None
    ) -> Sight:
        """What the filter says; where it has no crop of its own, of the crop that is segmented."""
        if isinstance(self.stepper, PaperStepper):
            side = self.config.spatial.area_factor * _extent(box)
            patch, crop = cut(frame, box.center, side, self.stepper.spatial_size, fill)
            features = self.stepper.spatial_of(patch)
        else:
            assert look is not None  # the lite tracker looks first
            crop, features = look.crop, self.stepper.spatial(look.encoded)
        return Sight(crop, features, spatial.respond(features))

    def _reach(self) -> float:
        """The longer the target was not seen in the frames answered, the farther around it is looked for, in turns.

        It begins anew at the usual region, since what comes back near by is found most surely there.
        """
        state, search = self._started(), self.config.search
        if state.glance is not None:
            return 1.0
        steps = 1 + int((search.largest - 1) / search.growth + 1e-6) if search.growth else 1
        return 1.0 + search.growth * ((state.number - state.seen) % steps)

    def _see(self, frame: Frame) -> tuple[float, float]:
        """Ask the filter, look where it is to be segmented; returns the filter's guess of the target's centre."""
        state = self._started()
        wide = bool(self.stepper.spatial_size)
        box = state.glance or state.box
        region = boxes.from_center(*box.center, state.reach * box.width, state.reach * box.height)
        look = None if wide else self._look(frame, region, region.center, state.fill)
        state.sight = self._sight(frame, region, state.fill, state.spatial, look)
        height, x, y = peak(state.sight.response.cpu().numpy())
        state.doubt = state.uncertainty.judge(height)
        guess = state.sight.crop.to_image(Box(x * STRIDE, y * STRIDE, 0.0, 0.0)).center
        if look is None:
            center = guess if state.doubt < self.config.uncertainty.learn else region.center
            look = self._look(frame, region, center, state.fill)
        state.look = look
        return guess

    def _first_label(self, target: Target, box: Box, look: Look, sight: Sight) -> tuple[Share, Share]:
        """What is remembered of the first frame, and its logits (paper, section IV-A c)."""
        cells = self.stepper.mask_cells
        if target.mask is not None:
            label = masks.in_crop(target.mask, look.crop, look.crop.scale * self.stepper.crop_size, cells)
            return label, label
        label = masks.filled(look.crop.to_crop(box), cells, float(MASK_STRIDE))
        bank = self.stepper.bank(1)
        bank.add(1, self._remembered_box(look, label))
        place = guide(self.config.spatial.guide, sight, look, self.stepper.cells)
        answer = self.stepper.segment(look.encoded, bank, [bank.first], place, 1.0)
        near = masks.dilated(label) * masks.reaching(answer.logit > 0, label > 0)
        found = masks.probability(answer.logit) * near
        if found.sum() < LEAST_OF_BOX * label.sum():
            return label, np.where(label > 0, -masks.NOTHING_LOGIT, masks.NOTHING_LOGIT).astype(np.float32)
        return found, np.where(near > 0, answer.logit, masks.NOTHING_LOGIT).astype(np.float32)

    def _remembered_box(self, look: Look, label: Share) -> tuple[Tensor, Tensor]:
        if isinstance(self.stepper, PaperStepper):
            return self.stepper.remember(look.encoded, label)
        return self.stepper.remember(look.encoded, label, is_box=True)

    def _slots(self) -> list[int]:
        """Slots to read, the first frame's first."""
        state, memory = self._started(), self.config.memory
        slots = [state.bank.first]
        if memory.policy == "full":
            slots += [int(slot) for slot in np.flatnonzero(state.bank.numbers[: state.bank.capacity])]
        if memory.policy != "first" and state.score > memory.previous_score:
            slots.append(state.bank.previous)
        numbers = {int(state.bank.numbers[slot]): slot for slot in reversed(slots)}
        chosen = sorted(numbers.values(), key=slots.index)
        return chosen if memory.keeps_first or len(chosen) == 1 else chosen[1:]

    def _found(self, logit: Share, crop: Crop, frame: Frame) -> Found:
        """The mask in the image; its boxes come from the finer crop, so that small ones are not cut to whole pixels."""
        size, share = self.stepper.crop_size, self.config.motion.mask_threshold
        level = math.log(share / (1 - share))
        mask = masks.in_image(logit, crop, float(MASK_STRIDE), level, frame.height, frame.width)
        inside = fit(masks.enlarged(logit, crop, size, frame.height, frame.width) > level)
        if inside is None or not mask.any():
            return Found(np.zeros_like(mask), None, None, 0.0)
        x, y, width, height, theta = inside.rotated
        x, y = crop.to_image(Box(x, y, 0.0, 0.0)).center
        rotated = RotatedBox(x, y, width * crop.scale, height * crop.scale, theta)
        return Found(mask, crop.to_image(inside.box), rotated, inside.area * crop.scale**2)

    def _follow(self, found: Box, area: float, frame: Frame) -> None:
        """The target is seen: the next frame is searched around it."""
        state, motion = self._started(), self.config.motion
        width = _toward(state.box.width, found.width, motion.size_rate, motion.largest_change)
        height = _toward(state.box.height, found.height, motion.size_rate, motion.largest_change)
        state.box = self._limited(boxes.from_center(*found.center, width, height), frame)
        state.area, state.seen, state.glance = area, state.number, None

    def _wait(self, found: Box | None, score: float, frame: Frame, guess: tuple[float, float]) -> None:
        """The target is not seen: it is looked for where it was last, with one close look at what may be it.

        The highest peak of a doubtful filter lies on something else: followed, it takes the search away in some
        frames. But far from the middle of a crop, or small in it, the filter doubts the target as well.
        """
        state, search = self._started(), self.config.search
        width, height = state.box.width, state.box.height
        if state.doubt < search.guess_doubt and self.config.spatial.guide == "response":
            state.box = self._limited(boxes.from_center(*guess, width, height), frame)
        looked, state.glance = state.glance, None
        if looked is None and found is not None and score > search.glance_score:
            state.glance = self._limited(boxes.from_center(*found.center, width, height), frame)

    def _place(self, crop: Crop, box: Box) -> Place:
        """A box in cells of a crop: its geometric centre, from the mask (section III-E)."""
        inside = crop.to_crop(box)
        x, y = inside.center
        return Place(x / STRIDE, y / STRIDE, _extent(inside) / STRIDE)

    def _limited(self, box: Box, frame: Frame) -> Box:
        """Centre inside the image, sides from the smallest allowed to the image's."""
        low = self.config.motion.smallest_side
        width = min(max(box.width, low), max(frame.width, low))
        height = min(max(box.height, low), max(frame.height, low))
        x, y = box.center
        return boxes.from_center(min(max(x, 0.0), frame.width), min(max(y, 0.0), frame.height), width, height)


def _extent(box: Box) -> float:
    return math.sqrt(box.width * box.height)


def _of_mask(mask: Pixels) -> Found:
    found = fit(mask)
    return Found(mask, None, None, 0.0) if found is None else Found(mask, found.box, found.rotated, found.area)


def _toward(old: float, new: float, rate: float, largest_change: float) -> float:
    return float(np.clip((1 - rate) * old + rate * new, old / largest_change, old * largest_change))
