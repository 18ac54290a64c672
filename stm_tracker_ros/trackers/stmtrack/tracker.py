"""STMTrack around its network: crop, ask, decide, remember.

| paper or authors' code | here | effect |
|---|---|---|
| crop centre cut to whole pixels, scale off by up to 0.65 % | exact | no bias of half a pixel and more |
| boxes with the +1 rule, sides from 10 px | edge coordinates, sides from 2 px | small targets can be followed |
| a frame is encoded when the next one comes | right after its answer is out | the controller waits for half the work |
| features of every frame are kept | at most `memory.history`, thinned on a grid of times | bounded for ever |
| "every n frames" counts calls | counts stamps at a nominal 30 Hz | dropped frames do not stretch the memory |
| a frame that the rule names twice is read twice | once | none counts double (with 8 past frames only) |
| the best candidate is followed, however bad | lite: `presence.py` judges them | a hidden target is not swapped |
| the search region stays where the last box was | lite: it moves with the picture | a camera that jerks or pans |

`official.py` has the left column, for `compat=official`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core import boxes
from stm_tracker_ros.core.config import with_live
from stm_tracker_ros.core.errors import NotInitialisedError
from stm_tracker_ros.core.types import Box, Frame, Result, Target
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.parts.candidates import distinct
from stm_tracker_ros.parts.crop import Crop, cut, mean_colour
from stm_tracker_ros.parts.prior import hann_window, size_penalty
from stm_tracker_ros.trackers.stmtrack.camera_motion import CameraMotion
from stm_tracker_ros.trackers.stmtrack.config import TrackConfig
from stm_tracker_ros.trackers.stmtrack.paper_stepper import PaperStepper
from stm_tracker_ros.trackers.stmtrack.presence import Presence
from stm_tracker_ros.trackers.stmtrack.selection import RULES
from stm_tracker_ros.trackers.stmtrack.stepper import Stepper

NOMINAL_PERIOD_NS = 1_000_000_000 / 30


class Look(NamedTuple):
    """One crop of a frame: where it lies and what the stepper made of it on the device."""

    crop: Crop
    features: Any


class Best(NamedTuple):
    """A candidate: its number, box in crop pixels, score, penalty, and the score with penalty and window."""

    cell: int
    box: Box
    score: float
    penalty: float
    rank: float


@dataclass
class _State:
    """All that is known of the present target."""

    box: Box
    fill: tuple[float, float, float]
    first_stamp_ns: int
    number: int
    bank: MemoryBank
    presence: Presence
    camera: CameraMotion | None
    look: Look
    cell: int = 0
    score: float = 1.0
    rank: float = 1.0
    remembered: int = -(10**9)  # number of the frame remembered last
    pending: Frame | None = None  # answered, not yet remembered


class StmTracker:
    """Follows one target with a space-time memory; see `core.protocol.Tracker`."""

    def __init__(self, stepper: Stepper | PaperStepper, config: TrackConfig) -> None:
        self.stepper, self.config = stepper, config
        self.state: _State | None = None

    def init(self, frame: Frame, target: Target) -> Result:
        """Start on `frame`. Raises TargetError if the target lies outside the image or has no area."""
        box = boxes.of_target(target, frame.width, frame.height)
        box = self._limited(box, frame)
        fill = mean_colour(frame, box.center, self._side(box))
        bank = self.stepper.bank(self.config.memory.history)
        presence = Presence(self.config.presence, box, 1)
        camera = CameraMotion(frame) if self.config.camera_motion else None
        look = self._look(frame, box, self._side(box), fill)
        self.state = _State(box, fill, frame.stamp_ns, 1, bank, presence, camera, look)
        self.state.pending = frame
        self.memorize()
        return Result(box=box, score=1.0)

    def track(self, frame: Frame) -> Result:
        """Find the target in the next frame. Raises NotInitialisedError before `init`."""
        state = self._started()
        state.number = max(self._number(frame), state.number + 1)
        presence = state.presence
        expected = presence.expect(state.number, self._camera_motion(frame))
        state.box = self._limited(expected, frame)
        state.look = self._look(frame, state.box, self._side(state.box) * presence.search_factor, state.fill)
        weight = self.config.memory.first_weight
        answer = self.stepper.ask(state.look.features, state.bank, self._slots(), weight)
        places, scores = _in_image(answer, state.look.crop), answer[:, 4]
        judgement = presence.judge(places, scores)
        found = bool(judgement.allowed.any())
        best = self._choose(answer, judgement.allowed if found else None)
        if found:
            self._move(best, frame)
            state.score = presence.followed(places, scores, judgement, best.cell, state.box)
        else:
            state.score = presence.missed(places, scores, judgement)
        state.cell, state.rank, state.pending = best.cell, best.rank, frame
        return Result(
            box=state.box,
            score=float(np.clip(state.score, 0.0, 1.0)),
            found=found,
            expected=expected,
            region=state.look.crop.region(self.stepper.crop_size),
            candidates=distinct(places, scores, best.cell if found else None),
        )

    def memorize(self) -> None:
        """Remember the frame just answered if it is time for one and the box is to be trusted."""
        state = self._started()
        frame, state.pending = state.pending, None
        if frame is None or not self._worth_remembering():
            return
        crop, features = self._second_look(frame) if self.stepper.fresh_memory_crop else state.look
        state.bank.add(state.number, self.stepper.remember(features, crop.to_crop(state.box)))
        state.remembered = state.number

    def reconfigure(self, config: TrackConfig) -> None:
        """Use the live settings of `config` from the next frame on. Raises ConfigError if it is of another tracker."""
        self.config = with_live(self.config, config)
        if self.state is not None:
            self.state.presence.config = self.config.presence

    def _worth_remembering(self) -> bool:
        """Time for a frame, a good score, and the first frame alone sees the target there as well.

        Without the last, what slowly covers the target is learned bit by bit, and followed.
        """
        state, memory = self._started(), self.config.memory
        if state.number - state.remembered < memory.interval or state.score < memory.store_score:
            return False
        if state.number == 1 or memory.agreement_score == 0:
            return True
        answer = self.stepper.ask(state.look.features, state.bank, [state.bank.first])
        return bool(answer[state.cell, 4] >= memory.agreement_score)

    def _started(self) -> _State:
        if self.state is None:
            raise NotInitialisedError("no target yet; call init(frame, target) first")
        return self.state

    def _number(self, frame: Frame) -> int:
        return 1 + round((frame.stamp_ns - self._started().first_stamp_ns) / NOMINAL_PERIOD_NS)

    def _side(self, box: Box) -> float:
        return self.config.area_factor * float(np.sqrt(box.width * box.height))

    def _camera_motion(self, frame: Frame) -> tuple[float, float]:
        """How far it has moved the image since the frame before, pixels."""
        state = self._started()
        if state.camera is None:
            return 0.0, 0.0
        side = self._side(state.box)
        return state.camera.to(frame, boxes.from_center(*state.box.center, side, side))

    def _look(self, frame: Frame, box: Box, side: float, fill: tuple[float, ...]) -> Look:
        patch, crop = cut(frame, box.center, side, self.stepper.crop_size, fill)
        return Look(crop, self.stepper.encode(patch))

    def _second_look(self, frame: Frame) -> Look:
        """A crop about the box that was found, for the memory (section 3.2)."""
        state = self._started()
        patch, crop = cut(frame, state.box.center, self._side(state.box), self.stepper.crop_size, state.fill)
        return Look(crop, self.stepper.upload(patch))

    def _slots(self) -> list[int]:
        """Slots to read, the first frame's first."""
        state, memory = self._started(), self.config.memory
        bank = state.bank
        slots = [bank.first]
        if memory.policy == "full":
            slots += bank.nearest(RULES[memory.rule](state.number - 1, memory.segments))
        if memory.policy != "first" and state.rank > memory.previous_score:
            slots.append(bank.previous)
        numbers = {int(bank.numbers[slot]): slot for slot in reversed(slots)}
        return sorted(numbers.values(), key=slots.index)

    def _choose(self, answer: NDArray[np.float64], allowed: NDArray[np.bool_] | None = None) -> Best:
        """Candidates N x 5 (x1, y1, x2, y2 in crop pixels, score) -> the best under the prior, of the allowed ones."""
        state, prior = self._started(), self.config.prior
        scale = state.look.crop.scale
        sizes, score = answer[:, 2:4] - answer[:, :2], answer[:, 4]
        penalty = size_penalty(sizes, (state.box.width / scale, state.box.height / scale), prior.penalty)
        window = hann_window(self.stepper.cells)
        rank = penalty * score * (1 - prior.window) + window * prior.window
        best = int((rank if allowed is None else np.where(allowed, rank, -np.inf)).argmax())
        x1, y1, x2, y2 = (float(v) for v in answer[best, :4])
        box = Box(x1, y1, x2 - x1, y2 - y1)
        return Best(best, box, float(score[best]), float(penalty[best]), float(rank[best]))

    def _move(self, best: Best, frame: Frame) -> None:
        state, prior = self._started(), self.config.prior
        found = state.look.crop.to_image(best.box)
        rate = best.penalty * best.score * prior.size_rate
        width = (1 - rate) * state.box.width + rate * found.width
        height = (1 - rate) * state.box.height + rate * found.height
        state.box = self._limited(boxes.from_center(*found.center, width, height), frame)

    def _limited(self, box: Box, frame: Frame) -> Box:
        """Centre inside the image, sides from the smallest allowed to the image's."""
        low = self.config.prior.smallest_side
        width = min(max(box.width, low), max(frame.width, low))
        height = min(max(box.height, low), max(frame.height, low))
        x, y = box.center
        return boxes.from_center(min(max(x, 0.0), frame.width), min(max(y, 0.0), frame.height), width, height)


def _in_image(answer: NDArray[np.float64], crop: Crop) -> NDArray[np.float64]:
    """Candidates N x 5, corners in crop pixels -> N x 4: x, y, width, height in image pixels."""
    low, high = answer[:, :2] * crop.scale, answer[:, 2:4] * crop.scale
    return np.concatenate([low + (crop.left, crop.top), high - low], 1)
