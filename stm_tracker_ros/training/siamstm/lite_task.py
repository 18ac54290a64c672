"""Training of the lite SiamSTM: the template of a sample's first crop is searched in its four others.

| paper | here | why |
|---|---|---|
| triplets | one template and two pairs | the template is encoded once for both |
| SGD, batch 96, 20 epochs | AdamW, as all lite networks here | few steps |
| backbone released after half of the epochs | its last blocks, at `release_share` | the rest was trained for tracking |
| no negatives named | 15 % of the crops, another object's template | an absent target must score low |
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from stm_tracker_ros.trackers.siamstm.lite_network import Features, LiteNetwork
from stm_tracker_ros.training import fine_tuning
from stm_tracker_ros.training.loading import loader
from stm_tracker_ros.training.sampler import FRAMES
from stm_tracker_ros.training.siamstm.config import LiteTrainConfig
from stm_tracker_ros.training.siamstm.objective import later, of_samples
from stm_tracker_ros.training.siamstm.sampler import Samples


class LiteTask:
    """The lite network, its samples and its loss; see `loop.Task`."""

    def __init__(self, network: LiteNetwork, pack: Path, config: LiteTrainConfig, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.network, self.config, self.pack, self.device = network, config, pack, device
        self.steps = config.steps

    def optimiser(self) -> torch.optim.Optimizer:
        """See `fine_tuning.optimiser`."""
        return fine_tuning.optimiser(self.network, self.config)

    def rates(self, step: int) -> tuple[float, float, float]:
        """As `fine_tuning.rates`; the backbone is frozen until it is released."""
        weights, biases, backbone = fine_tuning.rates(self.config, step)
        released = step >= self.config.release_share * self.config.steps
        return weights, biases, backbone if released else 0.0

    def batches(self, step: int) -> DataLoader[Any]:
        """Other samples after each start."""
        seed = self.config.seed + 1000 * step
        samples = Samples(self.pack, self.config.sampler, self.network.config.crop_size, seed)
        return loader(samples, self.config, self.device)

    def loss_terms(self, batch: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Crops B x 5 x S x S x 3, then as `of_features` -> the weighted sum and its terms."""
        crops, *truth = batch
        return self.of_features(self._features(crops), truth)

    def of_features(self, features: Features, truth: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The same from the features of 5 B crops; truth: see `objective.of_samples`."""
        by_sample = [part.unflatten(0, (-1, FRAMES)) for part in features]
        searched = Features(*(_dense(part) for part in later(by_sample)))
        config = self.config
        return of_samples(self.network, by_sample[-1][:, 0], searched, truth, config.examples, config.loss)

    def _features(self, crops: Tensor) -> Features:
        maps = fine_tuning.maps(self.network, crops.flatten(0, 1), self.config.trained_blocks)
        return self.network.join(*maps)


def _dense(features: Tensor) -> Tensor:
    return features.contiguous(memory_format=torch.channels_last)
