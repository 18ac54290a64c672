"""A tracker that follows the brightest blob: deterministic, quick, with faults to order by parameter.

With `search.again` confirm, or off, it follows that only from where it was: elsewhere it is a lead, or nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stm_tracker_ros.core.boxes import iou, of_target
from stm_tracker_ros.core.config import section, setting, unknown_name, validate
from stm_tracker_ros.core.errors import CheckpointError, ConfigError, NotInitialisedError
from stm_tracker_ros.core.masks import binary
from stm_tracker_ros.core.matching import NOMINAL_PERIOD_NS
from stm_tracker_ros.core.types import Box, Candidate, Lead, Result
from stm_tracker_ros.parts.mask_box import fit

BRIGHT = 200


class OutOfMemoryError(RuntimeError):
    """Named as torch's own."""


@dataclass(frozen=True, kw_only=True)
class MemoryConfig:
    history: int = setting(8, "frames kept", low=1, high=100, formerly=("memory.slots",))
    decay: float = setting(0.5, "how fast they fade", low=0, high=1, live=True)

    def __post_init__(self):
        validate(self)


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    again: str = setting("auto", "as of the following stage", choices=("auto", "confirm", "off"), live=True)

    def __post_init__(self):
        validate(self)


@dataclass(frozen=True, kw_only=True)
class FakeConfig:
    load_s: float = setting(0.0, "time that loading takes", low=0, high=60)
    init_s: float = setting(0.0, "time that init takes", low=0, high=60)
    track_s: float = setting(0.0, "time that track takes", low=0, high=60)
    fails: str = setting("", "what init or track raises", choices=("", "init", "memory", "value"))
    memory: MemoryConfig = section(MemoryConfig)
    search: SearchConfig = section(SearchConfig)

    def __post_init__(self):
        validate(self)


class FakeTracker:
    def __init__(self, config, has_mask):
        self.config, self.has_mask = config, has_mask
        self.started = False
        self.place = self.lead = None
        self.lead_since_ns = 0

    def init(self, frame, target):
        time.sleep(self.config.init_s)
        if self.config.fails == "init":
            raise ValueError("an error that nobody foresaw")
        self.started = True
        box = self.place = of_target(target, frame.width, frame.height)
        self.lead = None
        # What is bright in the mask given: whoever reads the answer sees which image it was started on.
        bright = _filled(box, frame) if target.mask is None else binary(target.mask) & _brightest(frame)[1]
        return self._result(box, 1.0, bright)

    def track(self, frame):
        if not self.started:
            raise NotInitialisedError("no target yet")
        time.sleep(self.config.track_s)
        if self.config.fails == "memory":
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        if self.config.fails == "value":
            raise ValueError("an error that nobody foresaw")
        box, mask = _brightest(frame)
        if self.config.search.again != "auto" and (box is None or not iou(box, self.place)):
            return self._away(frame, box, mask)
        self.place, self.lead = box or self.place, None
        # The score says which settings are in use: 1 at the default decay.
        score = 0.0 if box is None else min(1.0, 2 * self.config.memory.decay)
        return self._result(box or Box(0, 0, 5, 5), score, mask)

    def memorize(self):
        pass

    def confirm(self, box):
        self.place, self.lead = box, None

    def _away(self, frame, box, mask):
        """The blob is elsewhere: nobody's while that is not looked at."""
        is_same = self.lead is not None and box is not None and iou(box, self.lead.box)
        self.lead_since_ns = self.lead_since_ns if is_same else frame.stamp_ns
        frames = round((frame.stamp_ns - self.lead_since_ns) / NOMINAL_PERIOD_NS)
        is_seen = box is not None and self.config.search.again == "confirm"
        self.lead = Lead(box, 0.75, frames, frames + 1) if is_seen else None
        waited = Candidate(self.place, 0.125)
        empty = np.zeros_like(mask) if self.has_mask else None
        return Result(box=self.place, score=0.0, mask=empty, found=False, candidates=(waited,), lead=self.lead)

    def reconfigure(self, config):
        self.config = config

    def _result(self, box, score, mask):
        if not self.has_mask:
            return Result(box=box, score=score)
        found = fit(mask)
        return Result(box=box, score=score, mask=mask, rotated=found and found.rotated)


@dataclass(frozen=True)
class FakeEntry:
    name: str
    has_mask: bool
    default_config: FakeConfig = FakeConfig()
    shipped_weights: Path | None = None

    def precision_on(self, device, precision="auto"):
        return "fp32" if precision == "auto" else precision

    def from_checkpoint(self, weights=None, *, device="cpu", precision="auto", config=None):
        if self.name == "broken":
            raise KeyError("an error that nobody foresaw")
        if weights is not None and not weights.is_file():
            raise CheckpointError(f"weights {weights} do not exist")
        time.sleep((config or self.default_config).load_s)
        return FakeTracker(config or self.default_config, self.has_mask)


_ALL = (FakeEntry("brightest", True), FakeEntry("brightest_box", False), FakeEntry("broken", False))
ENTRIES = {entry.name: entry for entry in _ALL}


def load(name):
    if name not in ENTRIES:
        raise ConfigError(unknown_name("tracker", name, ENTRIES))
    return ENTRIES[name]


def _filled(box, frame):
    left, top, right, bottom = (round(value) for value in (box.x, box.y, box.x + box.width, box.y + box.height))
    mask = np.zeros((frame.height, frame.width), np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


def _brightest(frame):
    mask = np.where(frame.bgr().min(axis=2) > BRIGHT, 255, 0).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(mask)
    return (Box(x, y, width, height) if width else None), mask
