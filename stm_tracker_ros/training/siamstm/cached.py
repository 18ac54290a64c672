"""Samples of SiamSTM whose features were made once, by an encoder that stays as it is.

Of a sample: the coarsest features of the first crop; of the four others also the finer ones, for the mask branch;
boxes, states, masks of all five.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stm_tracker_ros.training.feature_cache import Cache, Draw, restored, stored
from stm_tracker_ros.training.siamstm.sampler import OutlinedSampler

TRUTH = ("boxes", "states", "masks", "is_mask")
Encode = Callable[[Tensor], Sequence[Tensor]]
"""Crops of a sample, 5 x S x S x 3 -> 1 x C x H x W of the first, then the maps of the other four, finest first."""


def drawn(sampler: OutlinedSampler, encode: Encode) -> Draw:
    """Draws samples for a cache."""

    def draw() -> Mapping[str, NDArray[Any]]:
        sample = sampler.outlined()
        first, *later = encode(torch.from_numpy(sample.crops))
        truth = {name: np.asarray(getattr(sample, name)) for name in TRUTH}
        return {"first": stored(first)[0], **{f"later_{n}": stored(part) for n, part in enumerate(later)}, **truth}

    return draw


class CachedSamples:
    """Endless batches of B samples, in parts as `unpacked` wants them."""

    def __init__(self, cache: Cache, batch: int, seed: int) -> None:
        self.cache, self.batch, self.random = cache, batch, np.random.default_rng(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        while True:
            rows = [self.cache.draw(self.random) for _ in range(self.batch)]
            yield tuple(torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0].dtype.names)


def unpacked(batch: Sequence[Tensor]) -> tuple[Tensor, list[Tensor], Sequence[Tensor]]:
    """What `Encode` gave, of B first crops and of the 4 B others; truth."""
    first, later, truth = batch[0], batch[1 : -len(TRUTH)], batch[-len(TRUTH) :]
    return restored(first), [restored(part.flatten(0, 1)) for part in later], truth
