"""DMB around its networks: crop, ask the filter, ask the appearance memory, decide, learn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from stm_tracker_ros.core import boxes
from stm_tracker_ros.core import masks as core_masks
from stm_tracker_ros.core.errors import NotInitialisedError
from stm_tracker_ros.core.types import Box, Frame, Pixels, Result, RotatedBox, Target
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.parts.crop import Crop, cut, mean_colour
from stm_tracker_ros.parts.mask_box import fit
from stm_tracker_ros.trackers.dmb import masks
from stm_tracker_ros.trackers.dmb.config import TrackConfig
from stm_tracker_ros.trackers.dmb.lite_network import Features
from stm_tracker_ros.trackers.dmb.masks import Share
from stm_tracker_ros.trackers.dmb.spatial import Place, SpatialMemory, peak, second_peak
from stm_tracker_ros.trackers.dmb.stepper import Stepper
from stm_tracker_ros.trackers.dmb.uncertainty import Uncertainty
from stm_tracker_ros.trackers.dmb.variations import variations

NOMINAL_PERIOD_NS = 1_000_000_000 / 30
NOTHING_LOGIT = -20.0
HIGHEST_MAP, LOWEST_MAP = 1.2, -0.1
SECOND_PEAK_REACH = 1.1  # over the target's size: what lies further away is something else
LEAST_OF_BOX = 0.1  # a first mask below this share of its box is no better than the box


class Look(NamedTuple):
    """One crop of a frame: where it lies, what the network made of it, and the filter's map of it."""

    crop: Crop
    features: Features
    response: torch.Tensor


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
    look: Look
    label: Share
    area: float
    number: int = 1
    learned: int = 1  # number of the frame after which the filter was improved
    score: float = 1.0
    doubt: float = 0.0
    pending: bool = False  # answered, not yet remembered


class DmbTracker:
    """Follows one target with masks; see `core.protocol.Tracker`."""

    def __init__(self, stepper: Stepper, config: TrackConfig) -> None:
        self.stepper, self.config = stepper, config
        self.state: _State | None = None
        share = config.motion.mask_threshold
        self.threshold_logit = math.log(share / (1 - share))

    def init(self, frame: Frame, target: Target) -> Result:
        """Start on `frame`. Raises TargetError if the target lies outside the image or has no area."""
        box = self._limited(boxes.of_target(target, frame.width, frame.height), frame)
        side, size = self._side(box), self.stepper.crop_size
        fill = mean_colour(frame, box.center, side)
        varied = variations(frame, box.center, side, size, fill)
        features = self.stepper.encode([v.patch for v in varied])
        extent = math.sqrt(box.width * box.height) * size / side / self.stepper.stride
        places = [Place(v.x / self.stepper.stride, v.y / self.stepper.stride, extent) for v in varied]
        with torch.inference_mode():
            spatial = SpatialMemory(self.config.spatial, torch.cat([f.coarse for f in features]), places)
        crop = Crop(left=box.center[0] - side / 2, top=box.center[1] - side / 2, scale=side / size)
        look = Look(crop, features[0], self._respond(spatial, features[0]))
        label, logit, is_box = self._first_label(target, box, look)
        bank = self.stepper.bank(self.config.memory.history)
        bank.spacing = self.config.memory.interval
        bank.add(1, self.stepper.remember(look.features, label, is_box=is_box))
        if target.mask is None:
            found = self._found(logit, crop, frame)
        else:
            found = _of_mask(core_masks.binary(target.mask))
        state = _State(
            box, fill, frame.stamp_ns, bank, spatial, Uncertainty(self.config.uncertainty), look, label, found.area
        )
        state.uncertainty.judge(float(look.response.max()))
        self.state = state
        return Result(box=box, score=1.0, mask=found.mask, rotated=found.rotated)

    def track(self, frame: Frame) -> Result:
        """Find the target in the next frame. Raises NotInitialisedError before `init`."""
        state = self._started()
        state.number = max(self._number(frame), state.number + 1)
        state.look = self._look(frame)
        response = state.look.response.cpu().numpy()
        height, x, y = peak(response)
        state.doubt = state.uncertainty.judge(height)
        answer = self.stepper.segment(
            state.look.features, state.bank, self._slots(), self._map(state.look), self.config.memory.first_weight
        )
        found = self._found(answer.logit, state.look.crop, frame)
        if found.box is not None and found.area < self.config.motion.smallest_mask * state.area:
            found = Found(np.zeros_like(found.mask), None, None, 0.0)
        state.score = answer.score if found.box is not None else 0.0
        state.label = masks.probability(answer.logit)
        box = self._move(found, frame, x, y)
        state.pending = True
        return Result(box=box, score=state.score, mask=found.mask, rotated=found.rotated)

    def memorize(self) -> None:
        """Remember the frame just answered where it is certain enough; improve the filter when it is due."""
        state = self._started()
        pending, state.pending = state.pending, False
        memory, doubts, spatial = self.config.memory, self.config.uncertainty, self.config.spatial
        if not pending or state.score < memory.store_score:
            return
        if state.doubt < doubts.remember:
            state.bank.add(state.number, self.stepper.remember(state.look.features, state.label))
        if state.doubt >= doubts.learn:
            return
        is_hard = self._is_hard()
        with torch.inference_mode():
            rate = spatial.hard_rate if is_hard else spatial.rate
            state.spatial.add(state.look.features.coarse, self._place(), rate)
            if is_hard or state.number - state.learned >= spatial.interval:
                state.spatial.learn()
                state.learned = state.number

    def _started(self) -> _State:
        if self.state is None:
            raise NotInitialisedError("no target yet; call init(frame, target) first")
        return self.state

    def _number(self, frame: Frame) -> int:
        return 1 + round((frame.stamp_ns - self._started().first_stamp_ns) / NOMINAL_PERIOD_NS)

    def _side(self, box: Box) -> float:
        return self.config.area_factor * math.sqrt(box.width * box.height)

    def _look(self, frame: Frame) -> Look:
        state = self._started()
        patch, crop = cut(frame, state.box.center, self._side(state.box), self.stepper.crop_size, state.fill)
        features = self.stepper.encode([patch])[0]
        return Look(crop, features, self._respond(state.spatial, features))

    def _respond(self, spatial: SpatialMemory, features: Features) -> torch.Tensor:
        with torch.inference_mode():
            return spatial.respond(features.coarse)

    def _map(self, look: Look) -> torch.Tensor:
        """The spatial map as the decoder knows it from training."""
        if not self.config.spatial.guides:
            return torch.zeros_like(look.response)
        return look.response.clamp(LOWEST_MAP, HIGHEST_MAP)

    def _first_label(self, target: Target, box: Box, look: Look) -> tuple[Share, Share, bool]:
        """What is remembered of the first frame, its logits, and whether it is a mere box (paper, section IV-A c)."""
        cells, cell_px = self.stepper.mask_cells, float(self.stepper.mask_stride)
        if target.mask is not None:
            label = masks.in_crop(target.mask, look.crop, look.crop.scale * self.stepper.crop_size, cells)
            return label, label, False
        label = masks.filled(look.crop.to_crop(box), cells, cell_px)
        bank = self.stepper.bank(1)
        bank.add(1, self.stepper.remember(look.features, label, is_box=True))
        answer = self.stepper.segment(look.features, bank, [bank.first], self._map(look), 1.0)
        near = masks.dilated(label)
        found = masks.probability(answer.logit) * near
        logit = np.where(near > 0, answer.logit, np.float32(NOTHING_LOGIT))
        if found.sum() < LEAST_OF_BOX * label.sum():
            return label, np.where(label > 0, np.float32(-NOTHING_LOGIT), np.float32(NOTHING_LOGIT)), True
        return found, logit, False

    def _slots(self) -> list[int]:
        """Slots to read, the first frame's first."""
        state, memory = self._started(), self.config.memory
        slots = [state.bank.first]
        if memory.policy == "full":
            slots += [int(slot) for slot in np.flatnonzero(state.bank.numbers[: state.bank.capacity])]
        if memory.policy != "first" and state.score > memory.previous_score:
            slots.append(state.bank.previous)
        numbers = {int(state.bank.numbers[slot]): slot for slot in reversed(slots)}
        return sorted(numbers.values(), key=slots.index)

    def _found(self, logit: Share, crop: Crop, frame: Frame) -> Found:
        cell_px = float(self.stepper.mask_stride)
        return _of_mask(masks.in_image(logit, crop, cell_px, self.threshold_logit, frame.height, frame.width))

    def _move(self, found: Found, frame: Frame, x: float, y: float) -> Box:
        """Where to search next; returns the box to answer with. x, y: peak of the filter in cells."""
        state, motion = self._started(), self.config.motion
        if found.box is None or state.score < motion.follow_score:
            if state.doubt < self.config.uncertainty.learn and self.config.spatial.guides:
                stride = self.stepper.stride
                center = state.look.crop.to_image(Box(x * stride, y * stride, 0.0, 0.0)).center
                state.box = self._limited(boxes.from_center(*center, state.box.width, state.box.height), frame)
            return state.box if found.box is None else self._limited(found.box, frame)
        width = _toward(state.box.width, found.box.width, motion.size_rate, motion.largest_change)
        height = _toward(state.box.height, found.box.height, motion.size_rate, motion.largest_change)
        state.box = self._limited(boxes.from_center(*found.box.center, width, height), frame)
        state.area = found.area
        return self._limited(found.box, frame)

    def _place(self) -> Place:
        """The target in cells of the crop: its geometric centre from the mask (section III-E)."""
        state = self._started()
        box = state.look.crop.to_crop(state.box)
        stride = self.stepper.stride
        x, y = box.center
        return Place(x / stride, y / stride, math.sqrt(box.width * box.height) / stride)

    def _is_hard(self) -> bool:
        """Is there a second peak, away from the target? Then something looks like it."""
        place, spatial = self._place(), self.config.spatial
        response = self._started().look.response.cpu().numpy()
        other = second_peak(response, place.x, place.y, SECOND_PEAK_REACH * place.size)
        return other > spatial.second_peak * max(float(response.max()), 0.0)

    def _limited(self, box: Box, frame: Frame) -> Box:
        """Centre inside the image, sides from the smallest allowed to the image's."""
        low = self.config.motion.smallest_side
        width = min(max(box.width, low), max(frame.width, low))
        height = min(max(box.height, low), max(frame.height, low))
        x, y = box.center
        return boxes.from_center(min(max(x, 0.0), frame.width), min(max(y, 0.0), frame.height), width, height)


def _of_mask(mask: Pixels) -> Found:
    found = fit(mask)
    return Found(mask, None, None, 0.0) if found is None else Found(mask, found.box, found.rotated, found.area)


def _toward(old: float, new: float, rate: float, largest_change: float) -> float:
    return float(np.clip((1 - rate) * old + rate * new, old / largest_change, old * largest_change))
