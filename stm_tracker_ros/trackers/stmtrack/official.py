"""The authors' tracker with all its conventions, for `compat=official`; `tracker.py` is the clean one.

| authors' code | default here | measured effect |
|---|---|---|
| crop centre cut to whole pixels, sampling half a pixel or one further | exact | answers off by -1.0 to +0.5 px |
| box arithmetic with 289 / (n + 1), pixels scaled by 288 / n | one scale | sides +1.3 % at 15 px, 0.65 at 25, 0 at 75 |
| more than twofold reduction skips pixels | averages them | centre off by -2.5 to -0.6 px at 180 px; see below |
| centre x + (w - 1) / 2 | x + w / 2 | none by itself: it goes in and comes out |
| no side under 10 px | under 2 px | IoU at best 0.16 for a target of 4 px, 0.36 for 6, 0.64 for 8 |
| outside the image: whole pixels of the first frame's mean | mean of the first crop | 72 grey levels on our sample |
| label map in whole pixels | pixel centres | area wrong by 1.3 %, here 1.2 % |
| label map wraps round where a side exceeds the crop | cut off | 10 of 289 columns marked for 310 px |
| frames are counted by calls | by stamps | 4.2 s: 10 s whole, then 10 s with two of three dropped |
| with 8 past frames the previous one is read twice | once | two of six places in the read, not one of five |
| a frame is encoded when the next one comes | when `memorize` is called | none |

Figures: `benchmarks/official_quirks.py`, drawn targets read by an oracle; the default's centres are off by at most 0.03
px (0.24 px at 180 px) and its sides by 0.01 %. Skipped pixels flicker: texture of 1 px that moves by 1 px changes a
target of 180 px by 58 grey levels, here by 18.

Bounds: up to 1000 frames everything is kept; beyond, memory is thinned (the authors move it to the host for ever).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from stm_tracker_ros.core import boxes
from stm_tracker_ros.core.config import with_live
from stm_tracker_ros.core.errors import NotInitialisedError
from stm_tracker_ros.core.types import Box, Frame, Pixels, Result, Target
from stm_tracker_ros.following.candidates import distinct, published
from stm_tracker_ros.following.prior import hann_window, size_penalty
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.trackers.stmtrack.config import TrackConfig
from stm_tracker_ros.trackers.stmtrack.paper_stepper import PaperStepper
from stm_tracker_ros.trackers.stmtrack.selection import RULES

KEPT_FRAMES = 1000
SMALLEST_SIDE = 10.0
Colour = tuple[int, int, int]
Floats = NDArray[np.float64]
log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Centre (of the +1 rule) and size of the target in image pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def rect(self) -> Box:
        """The authors' rectangle."""
        return Box(self.x - (self.width - 1) / 2, self.y - (self.height - 1) / 2, self.width, self.height)


@dataclass
class _State:
    place: Place
    fill: Colour
    bank: MemoryBank
    frames: int = 0
    rank: float = 1.0
    pending: Frame | None = None


class OfficialTracker:
    """Gives the authors' answers for the authors' weights; see `core.protocol.Tracker`."""

    def __init__(self, stepper: PaperStepper, config: TrackConfig) -> None:
        self.stepper, self.config = stepper, config
        self.state: _State | None = None

    def init(self, frame: Frame, target: Target) -> Result:
        """Start on `frame`. Raises TargetError if the target lies outside the image or has no area."""
        box = boxes.of_target(target, frame.width, frame.height)
        place = Place(box.x + (box.width - 1) / 2, box.y + (box.height - 1) / 2, box.width, box.height)
        blue, green, red = (int(v) for v in frame.bgr().reshape(-1, 3).mean(0))
        self.state = _State(place, (blue, green, red), self.stepper.bank(KEPT_FRAMES), pending=frame)
        self.memorize()
        return Result(box=box, score=1.0)

    def track(self, frame: Frame) -> Result:
        """Find the target; the score is the authors', with window and penalty. Raises NotInitialisedError."""
        state = self._started()
        patch, scale = self._cut(frame)
        answer = self.stepper.ask(self.stepper.encode(patch), state.bank, self.slots())
        old, side, places = state.place, self._side(), self._in_image(answer, scale)
        state.place, state.rank, best = self._decide(answer, scale, frame)
        state.pending = frame
        return Result(
            box=state.place.rect,
            score=float(np.clip(state.rank, 0.0, 1.0)),
            expected=old.rect,
            region=boxes.from_center(*old.rect.center, side, side),
            candidates=published(places, answer[:, 4], distinct(places, answer[:, 4], best)),
        )

    def memorize(self) -> None:
        """Remember the frame just answered."""
        state = self._started()
        frame, state.pending = state.pending, None
        if frame is None:
            return
        patch, scale = self._cut(frame)
        label_map = marked(state.place.width * scale, state.place.height * scale, self.stepper.crop_size)
        label = torch.from_numpy(label_map).to(self.stepper.device)[None, None]
        state.frames += 1
        if state.frames == KEPT_FRAMES + 1:
            log.warning("more than %d frames: the memory is thinned from now on, unlike the authors'", KEPT_FRAMES)
        state.bank.add(state.frames, self.stepper.remember_marked(self.stepper.upload(patch), label))

    def confirm(self, box: Box) -> None:
        """Look about `box` of the frame just answered from now on; that frame is not remembered."""
        state = self._started()
        width, height = max(box.width, SMALLEST_SIDE), max(box.height, SMALLEST_SIDE)
        center_x, center_y = box.center
        state.place, state.pending = Place(center_x - 0.5, center_y - 0.5, width, height), None

    def reconfigure(self, config: TrackConfig) -> None:
        """Use the live settings of `config` from the next frame on. Raises ConfigError if it is of another tracker.

        Those of `presence`, and of the memory all but `previous_score`, are not the authors' and change nothing here.
        """
        self.config = with_live(self.config, config)

    def slots(self) -> list[int]:
        """Slots of the memory frames in the authors' order: the previous one first, perhaps once more behind it."""
        state, memory = self._started(), self.config.memory
        past = state.frames
        numbers = [1] if memory.policy != "full" else sorted({1, *RULES[memory.rule](past, memory.segments)})
        stored = state.bank.nearest(numbers)
        if past > memory.segments and memory.policy != "first" and state.rank > memory.previous_score:
            return [state.bank.previous, *stored]
        return stored

    def _started(self) -> _State:
        if self.state is None:
            raise NotInitialisedError("no target yet; call init(frame, target) first")
        return self.state

    def _cut(self, frame: Frame) -> tuple[Pixels, float]:
        state = self._started()
        center = (state.place.x, state.place.y)
        return crop(frame.bgr(), center, self._side(), self.stepper.crop_size, state.fill)

    def _side(self) -> float:
        place = self._started().place
        return self.config.search.scale * float(np.sqrt(place.width * place.height))

    def _in_image(self, answer: Floats, scale: float) -> Floats:
        """Candidates (edges in crop pixels, score) -> N x 4: the authors' rectangles in image pixels."""
        old, sizes = self._started().place, (answer[:, 2:4] - answer[:, :2]) / scale
        low, last = answer[:, :2], answer[:, 2:4] - 1
        centers = (old.x, old.y) + ((low + last) / 2 - self.stepper.crop_size // 2) / scale
        return np.concatenate([centers - (sizes - 1) / 2, sizes], 1)

    def _decide(self, answer: Floats, scale: float, frame: Frame) -> tuple[Place, float, int]:
        """Candidates (edges in crop pixels, score) -> where the target is now, the rank and the number of that one."""
        old, prior, size = self._started().place, self.config.prior, self.stepper.crop_size
        sizes, score = answer[:, 2:4] - answer[:, :2], answer[:, 4]
        penalty = size_penalty(sizes, (old.width * scale, old.height * scale), prior.penalty)
        rank = penalty * score * (1 - prior.window) + hann_window(self.stepper.cells, self.stepper.cells) * prior.window
        best = int(rank.argmax())
        x1, y1, x2, y2 = answer[best, :4] - (0, 0, 1, 1)
        rate = penalty[best] * score[best] * self.config.size.rate
        width, height = (1 - rate) * np.array([old.width, old.height]) + rate * sizes[best] / scale
        place = Place(
            float(np.clip(old.x + ((x1 + x2) / 2 - size // 2) / scale, 0, frame.width)),
            float(np.clip(old.y + ((y1 + y2) / 2 - size // 2) / scale, 0, frame.height)),
            float(np.clip(width, SMALLEST_SIDE, frame.width)),
            float(np.clip(height, SMALLEST_SIDE, frame.height)),
        )
        return place, float(rank[best]), best


def crop(image: Pixels, center: tuple[float, float], side: float, size: int, fill: Colour) -> tuple[Pixels, float]:
    """The authors' crop of `side` image pixels about `center`, size x size x 3, and the scale that they give it."""
    x, y = int(center[0]), int(center[1])
    step = max(int(side / size - 0.1), 1)
    if step > 1:
        image = image[y % step :: step, x % step :: step]
        x, y, side = x // step, y // step, side / step
    count = max(round(side), 2)
    left, top, per_pixel = x - (count - 1) // 2, y - (count - 1) // 2, count / (size - 1)
    to_image = np.array([[per_pixel, 0.0, left], [0.0, per_pixel, top]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(image, to_image, (size, size), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=fill)
    return np.asarray(patch, np.uint8), size / ((count + 1) * step)


def marked(width: float, height: float, size: int) -> NDArray[np.float32]:
    """The authors' label map for a box of that size in the middle of the crop, size x size."""
    middle = (size - 1) / 2
    left, right = int(middle - (width - 1) / 2), int(middle + (width - 1) / 2)
    top, bottom = int(middle - (height - 1) / 2), int(middle + (height - 1) / 2)
    label_map = np.zeros((size, size), np.float32)
    label_map[top : bottom + 1, left : right + 1] = 1
    return label_map
