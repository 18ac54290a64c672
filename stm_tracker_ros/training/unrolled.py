"""Training as it runs: clips of some frames, in which each frame's prediction is remembered and the next one reads it.

DMV, section 3.4. Nothing here knows of a tracker: a network says how a first frame is remembered, how a memory is asked
and how an answer becomes a label; `stmtrack_lite` may be trained with it as well as `dmv_lite`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from stm_tracker_ros.training.feature_cache import Cache
from stm_tracker_ros.training.loading import worker_seed
from stm_tracker_ros.training.sampler import FRAMES, Sample, Sampler

Clip = tuple[Tensor, Tensor, Tensor]
Lengths = Callable[[int], int]
Memory = tuple[Tensor, Tensor]


class Unrollable(Protocol):
    """A network whose answers can be remembered; memories are keys and values, B x cells x channels each."""

    def first(self, features: Tensor, boxes: Tensor) -> Memory:
        """Features of first frames and their boxes, B x 4 corners in crop pixels -> what is remembered of them."""
        ...

    def ask(self, features: Tensor, memory: Memory) -> Any:
        """Features of crops and what is remembered -> the answer."""
        ...

    def own(self, features: Tensor, answer: Any) -> Memory:
        """Features of crops and the answer to them -> what is remembered of them."""
        ...


def unroll(network: Unrollable, first: Tensor, boxes: Tensor, later: list[Tensor]) -> list[Any]:
    """The answers to the later frames, each with the memory of all before it.

    first: features of the first frames, whose boxes are known; later: features of each frame after it.
    """
    memory, answers = network.first(first, boxes), []
    for number, features in enumerate(later, 1):
        answers.append(network.ask(features, memory))
        if number < len(later):
            fresh = network.own(features, answers[-1])
            memory = (torch.cat([memory[0], fresh[0]], 1), torch.cat([memory[1], fresh[1]], 1))
    return answers


def growing(shortest: int, longest: int, steps: int) -> Lengths:
    """Frames of a clip by the training's step: one more after each fifth of it (paper: 2 to 5)."""
    return lambda step: min(longest, shortest + 5 * step // max(steps, 1))


def some_frames(frames: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Numbers of that many of a sample's crops in their order, the first among them."""
    return np.concatenate([[0], np.sort(random.choice(np.arange(1, FRAMES), frames - 1, replace=False))])


def clipped(sample: Sample, frames: int, random: np.random.Generator) -> Clip:
    """Some of a sample's crops, the first among them, in their order: crops, boxes and states as tensors."""
    chosen = some_frames(frames, random)
    return tuple(torch.from_numpy(part[chosen]) for part in (sample.crops, sample.boxes, sample.states))  # type: ignore[return-value]


class Clips(IterableDataset[Clip]):
    """Endless clips for a loader, drawn in its worker processes; a batch has clips of one length, by its step."""

    def __init__(
        self, samplers: Callable[[int], Sampler], lengths: Lengths, *, batch: int, first_step: int, seed: int
    ) -> None:
        """samplers: makes one from a seed; batch: clips of a step; first_step: that the first batch is for."""
        self.samplers, self.lengths = samplers, lengths
        self.batch, self.first_step, self.seed = batch, first_step, seed

    def __iter__(self) -> Iterator[Clip]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        seed = worker_seed(self.seed + 1000 * self.first_step)
        sampler, random = self.samplers(seed), np.random.default_rng(seed)
        step = self.first_step + worker
        while True:  # a loader takes whole batches from its workers in turns
            for _ in range(self.batch):
                yield clipped(sampler.sample(), self.lengths(step), random)
            step += workers


class CachedClips:
    """Endless batches of clips whose features lie in a `feature_cache`."""

    def __init__(self, cache: Cache, lengths: Lengths, *, batch: int, first_step: int, seed: int) -> None:
        self.lengths, self.batch, self.step = lengths, batch, first_step
        self.random, self.cache = np.random.default_rng([seed, first_step]), cache

    def __iter__(self) -> Iterator[Clip]:
        while True:
            clips = [self._clip(self.lengths(self.step)) for _ in range(self.batch)]
            features, boxes, states = (np.stack(part) for part in zip(*clips, strict=True))
            self.step += 1
            yield torch.from_numpy(features), torch.from_numpy(boxes), torch.from_numpy(states)

    def _clip(self, frames: int) -> tuple[NDArray[Any], ...]:
        row, chosen = self.cache.draw(self.random), some_frames(frames, self.random)
        return row["features"][chosen], row["boxes"][chosen], row["states"][chosen]
