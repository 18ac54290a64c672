"""Training of the lite SiamSTM: the template of a sample's first crop is searched in its four others.

| paper | here | why |
|---|---|---|
| triplets | one template and two pairs | the template is encoded once for both |
| frames at most 100 apart | at most 400 | the template stays the first frame's |
| SGD, batch 96, 20 epochs | AdamW, as all lite networks here | few steps |
| backbone released after half of the epochs | its last blocks, at `release_share`; with `cached_samples` never | time |
| no negatives named | 15 % of the crops, another object's template | an absent target must score low |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stm_tracker_ros.trackers.siamstm.lite_network import ENCODER, Features, LiteNetwork
from stm_tracker_ros.training import fine_tuning
from stm_tracker_ros.training.feature_cache import Cache
from stm_tracker_ros.training.loading import loader
from stm_tracker_ros.training.sampler import FRAMES
from stm_tracker_ros.training.siamstm.cached import CachedSamples, unpacked
from stm_tracker_ros.training.siamstm.config import LiteTrainConfig
from stm_tracker_ros.training.siamstm.objective import later, of_samples
from stm_tracker_ros.training.siamstm.sampler import Samples


class LiteTask:
    """The lite network, its samples and its loss; see `loop.Task`."""

    def __init__(
        self, network: LiteNetwork, pack: Path, cache: Cache | None, config: LiteTrainConfig, device: torch.device
    ) -> None:
        """cache: of a `feature_cache`; None where the crops pass through the network."""
        torch.manual_seed(config.seed)
        self.network, self.config, self.pack, self.cache, self.device = network, config, pack, cache, device
        self.steps = config.steps

    def optimiser(self) -> torch.optim.Optimizer:
        """See `fine_tuning.optimiser`; with features from a cache what makes them is frozen."""
        optimiser = fine_tuning.optimiser(self.network, self.config)
        if self.cache:
            fine_tuning.leave_out(optimiser, self.network, ENCODER)
        return optimiser

    def rates(self, step: int) -> tuple[float, float, float]:
        """As `fine_tuning.rates`; the backbone is frozen until it is released."""
        weights, biases, backbone = fine_tuning.rates(self.config, step)
        released = step >= self.config.release_share * self.config.steps
        return weights, biases, backbone if released else 0.0

    def batches(self, step: int) -> Iterable[Any]:
        """Other samples after each start."""
        seed = self.config.seed + 1000 * step
        if self.cache:
            return CachedSamples(self.cache, self.config.batch, seed)
        samples = Samples(self.pack, self.config.sampler, self.network.config.crop_size, seed)
        return loader(samples, self.config, self.device)

    def loss_terms(self, batch: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Crops B x 5 x S x S x 3 and truth, or a batch of a cache -> the weighted sum and its terms."""
        if self.cache:
            first, later, truth = unpacked(batch)
            return self.of_encoded(first, Features(*later), truth)
        crops, *truth = batch
        return self.of_encoded(*self._encoded(crops), truth)

    def of_encoded(
        self, first: Tensor, searched: Features, truth: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The same from `LiteNetwork.encoded` of B first crops and the 4 B others; truth: see `of_samples`."""
        network, config = self.network, self.config
        searched = network.adjusted(Features(*(_dense(part) for part in searched)))
        return of_samples(network, network.adjust(_dense(first)), searched, truth, config.examples, config.loss)

    def _encoded(self, crops: Tensor) -> tuple[Tensor, Features]:
        maps = fine_tuning.maps(self.network, crops.flatten(0, 1), self.config.trained_blocks)
        by_sample = [part.unflatten(0, (-1, FRAMES)) for part in self.network.encoded(*maps)]
        return by_sample[-1][:, 0], Features(*later(by_sample))


def of_sample(network: LiteNetwork, crops: Tensor) -> tuple[Tensor, ...]:
    """See `cached.Encode`."""
    encoded = network.encoded(*network.backbone(network.normalise(crops.permute(0, 3, 1, 2))))
    return encoded.coarse[:1], *(part[1:] for part in encoded)


def _dense(features: Tensor) -> Tensor:
    return features.contiguous(memory_format=torch.channels_last)
