"""What the contract tests show every tracker, and how they look into what it remembers."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from stm_tracker_ros.core.config import settings, with_changes
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Frame, Result, Target
from stm_tracker_ros.following.config import FOLLOW_BEST
from stm_tracker_ros.trackers import registry

# what is remembered, whatever the score of random weights; few slots, so that they fill in a short test
SETTINGS = {
    "memory.store_score": 0.0,
    "memory.store_share": 0.0,
    "memory.previous_score": 0.0,
    "memory.history": 8,
    "memory.slots": 8,
    "memory.interval": 5,
}
TARGET = Target(box=Box(100, 80, 48, 36))
PERIOD_NS = 33_333_333


def build(name: str, weights: Path | None, precision: str = "auto") -> Tracker:
    entry = registry.load(name)
    known = {one.name for one in settings(entry.default_config)}
    config = with_changes(entry.default_config, {name: v for name, v in SETTINGS.items() if name in known})
    if weights is not None:
        config = dataclasses.replace(config, presence=FOLLOW_BEST)  # random weights score next to nothing
    return entry.from_checkpoint(weights, precision=precision, config=config)


def scene(count: int, seed: int = 0) -> list[Frame]:
    """A textured square that moves over a textured background."""
    rng = np.random.default_rng(seed)
    background = np.kron(rng.integers(0, 256, (15, 20, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
    square = np.kron(rng.integers(0, 256, (9, 12, 3), np.uint8), np.ones((4, 4, 1), np.uint8))
    images = []
    for index in range(count):
        image = background.copy()
        x, y = 100 + index % 40, 80 + (index // 2) % 40
        image[y : y + 36, x : x + 48] = square
        images.append(image)
    return [Frame(image=image, stamp_ns=index * PERIOD_NS) for index, image in enumerate(images)]


def follow(tracker: Tracker, pictures: list[Frame]) -> list[Result]:
    """Start on the first picture, track and learn from the others."""
    tracker.init(pictures[0], TARGET)
    results = []
    for picture in pictures[1:]:
        results.append(tracker.track(picture))
        tracker.memorize()
    return results


def kept(thing: Any, kinds: Any = (Tensor, np.ndarray)) -> Iterator[Any]:
    """All tensors and arrays, or things of those kinds, that something remembered holds, however deep."""
    if isinstance(thing, kinds):
        yield thing
    elif isinstance(thing, dict):
        yield from (found for value in thing.values() for found in kept(value, kinds))
    elif isinstance(thing, (list, tuple, deque)):
        yield from (found for value in thing for found in kept(value, kinds))
    elif dataclasses.is_dataclass(thing) or type(thing).__module__.startswith("stm_tracker_ros"):
        # a network remembers nothing, and what was set is not remembered
        yield from kept(
            {name: value for name, value in vars(thing).items() if name not in ("stepper", "config")}, kinds
        )


def as_array(thing: Any) -> np.ndarray:
    """A copy of what was kept; numpy knows no bfloat16."""
    return np.array(thing.cpu().double().numpy() if isinstance(thing, Tensor) else thing)


def remembered(tracker: Any) -> list[Any]:
    """All that is known of the present target."""
    return [tracker.state, tracker.matcher.memory]
