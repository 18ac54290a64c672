"""Samples of the lite SiamSTM whose features were made once, by an encoder that stays as it is.

Of a sample: features of the first crop at stride 16; of the four others also those at strides 8 and 4, for the mask
branch; boxes, states, masks of all five.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stm_tracker_ros.trackers.siamstm.lite_network import Features, LiteNetwork
from stm_tracker_ros.training.feature_cache import Cache, Draw, restored, stored
from stm_tracker_ros.training.siamstm.sampler import OutlinedSampler

TRUTH = ("boxes", "states", "masks", "is_mask")


def drawn(sampler: OutlinedSampler, network: LiteNetwork) -> Draw:
    """Draws samples for a cache."""

    def draw() -> Mapping[str, NDArray[Any]]:
        sample = sampler.outlined()
        image = network.normalise(torch.from_numpy(sample.crops).permute(0, 3, 1, 2))
        encoded = network.encoded(*network.backbone(image))
        truth = (np.asarray(getattr(sample, name)) for name in TRUTH)
        later = {name: stored(part[1:]) for name, part in encoded._asdict().items()}
        return {"first": stored(encoded.coarse[:1])[0], **later, **dict(zip(TRUTH, truth, strict=True))}

    return draw


class CachedSamples:
    """Endless batches of B samples, in parts as `unpacked` wants them."""

    def __init__(self, folder: Path, batch: int, seed: int) -> None:
        self.cache, self.batch, self.random = Cache(folder), batch, np.random.default_rng(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        while True:
            rows = [self.cache.draw(self.random) for _ in range(self.batch)]
            names = ("first", *Features._fields, *TRUTH)
            yield tuple(torch.from_numpy(np.stack([row[name] for row in rows])) for name in names)


def unpacked(batch: tuple[Tensor, ...]) -> tuple[Tensor, Features, list[Tensor]]:
    """Encoded features of B first crops and of the 4 B others, before `LiteNetwork.adjusted`; truth."""
    first, fine, middle, coarse, *truth = batch
    return restored(first), Features(*(restored(part.flatten(0, 1)) for part in (fine, middle, coarse))), truth
