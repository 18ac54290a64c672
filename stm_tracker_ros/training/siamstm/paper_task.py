"""The paper's training of SiamSTM (section 4.1): optimiser, rates, freezing, samples, loss.

| paper | here |
|---|---|
| triplets, batch 96 | one template and two pairs a sample, batch 48 |
| SGD, .001 -> .005 in 5 epochs, then exponentially to .0005 in 15 | the same |
| backbone frozen for 10 epochs | the same, then at a tenth of the rate, as SiamRPN++; its norms stay as they are |
| VID, DET, YouTube-BB, COCO, GOT-10k | what is at hand |
| no negatives named | a share of the crops with another object's template |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stm_tracker_ros.parts.inference import optimised
from stm_tracker_ros.trackers.siamstm.lite_network import Features
from stm_tracker_ros.trackers.siamstm.paper_network import TEMPLATE, PaperNetwork
from stm_tracker_ros.training.feature_cache import Cache
from stm_tracker_ros.training.loading import loader
from stm_tracker_ros.training.loop import DTYPES
from stm_tracker_ros.training.siamstm.cached import CachedSamples, unpacked
from stm_tracker_ros.training.siamstm.config import PaperTrainConfig
from stm_tracker_ros.training.siamstm.objective import of_samples
from stm_tracker_ros.training.siamstm.sampler import Samples


class PaperTask:
    """The network of the paper, its samples and its loss; see `loop.Task`."""

    def __init__(
        self, network: PaperNetwork, pack: Path, cache: Cache | None, config: PaperTrainConfig, device: torch.device
    ) -> None:
        """cache: of a `feature_cache`; None where the crops pass through the network."""
        torch.manual_seed(config.seed)
        self.network, self.config, self.pack, self.cache, self.device = network, config, pack, cache, device
        self.steps = config.steps
        self._backbone: Frozen | None = None

    def optimiser(self) -> torch.optim.Optimizer:
        """Over all but the backbone, and over the backbone's convolutions."""
        network, config = self.network, self.config
        rest = [p for name, p in network.named_parameters() if not name.startswith("backbone.")]
        backbone = [p for p in network.backbone.parameters() if p.ndim == 4]
        network.backbone.requires_grad_(False)
        groups = [{"params": rest}, {"params": backbone}]
        if config.optimiser == "adamw":
            return torch.optim.AdamW(groups, config.start_rate, weight_decay=config.weight_decay)
        return torch.optim.SGD(groups, config.start_rate, config.momentum, weight_decay=config.weight_decay)

    def rates(self, step: int) -> tuple[float, float]:
        """All but the backbone; the backbone, frozen until its epoch."""
        rate, released = scheduled(self.config, step), self.config.release_epoch * self.config.epoch_steps
        return rate, rate * self.config.backbone_rate if step >= released else 0.0

    def batches(self, step: int) -> Iterable[Any]:
        """Other samples after each start."""
        seed = self.config.seed + 1000 * step
        if self.cache:
            return CachedSamples(self.cache, self.config.batch, seed)
        return loader(Samples(self.pack, self.config.cut, self.network.crop_size, seed), self.config, self.device)

    def loss_terms(self, batch: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Crops B x 5 x S x S x 3, then as `objective.of_samples`, or a batch of a cache -> the weighted sum, terms."""
        if self.cache:
            first, (fine, coarse), truth = unpacked(batch)
            return self.of_features(self.network.adjust(first), self.network.adjusted(fine, coarse), truth)
        crops, *truth = batch
        return self.of_features(*self.encoded(crops), truth)

    def encoded(self, crops: Tensor) -> tuple[Tensor, Features]:
        """Crops B x 5 x S x S x 3 -> features of the templates in the middle of the first, and of the 4 B others."""
        return self._encode(template_of(crops[:, 0])).coarse, self._encode(images_of(crops[:, 1:].flatten(0, 1)))

    def _encode(self, patches: Tensor) -> Features:
        if self.config.release_epoch < self.config.epochs or self.device.type != "cpu":
            return self.network.encode(patches)
        if self._backbone is None:  # not before now: a run that goes on has its weights by now
            self._backbone = Frozen(self.network, self.config.precision)
        return self.network.adjusted(*self._backbone(patches))

    def of_features(
        self, first: Tensor, searched: Features, truth: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The same from what `encoded` gives."""
        return of_samples(self.network, first, searched, truth, self.config.examples, self.config.loss)


class Frozen:
    """A backbone that stays as it is runs as in tracking, crop by crop: half the time of the plain one on a CPU."""

    def __init__(self, network: PaperNetwork, precision: str) -> None:
        self._network, self._precision = network, DTYPES[precision]
        self._run: Callable[..., Any] | None = None

    def __call__(self, patches: Tensor) -> tuple[Tensor, ...]:
        """Crops N x 3 x S x S -> maps at strides 4 and 8."""
        network = self._network
        with torch.autocast("cpu", enabled=False):
            if self._run is None:
                example = network.prepared(patches[:1])
                self._run = optimised(network.backbone, network.backbone, example, precision=self._precision)
            maps = [self._run(network.prepared(patch[None])) for patch in patches]
        return tuple(torch.cat(parts) for parts in zip(*maps, strict=True))

    def of_sample(self, crops: Tensor) -> tuple[Tensor, ...]:
        """See `cached.Encode`."""
        template = self(template_of(crops[:1]))
        return template[-1], *self(images_of(crops[1:]))


def images_of(crops: Tensor) -> Tensor:
    """Crops N x S x S x 3 -> N x 3 x S x S."""
    return crops.permute(0, 3, 1, 2)


def template_of(crops: Tensor) -> Tensor:
    """Crops N x S x S x 3 -> what the template is made of, N x 3 x 127 x 127."""
    border = (crops.shape[1] - TEMPLATE) // 2
    return images_of(crops[:, border:-border, border:-border])


def scheduled(config: PaperTrainConfig, step: int) -> float:
    """Learning rate of all but the backbone: linear, then exponential."""
    warm_up = config.warm_up_epochs * config.epoch_steps
    if step < warm_up:
        return config.start_rate + (config.peak_rate - config.start_rate) * step / warm_up
    share = (step - warm_up) / (config.steps - warm_up)
    return float(config.peak_rate * (config.end_rate / config.peak_rate) ** share)
