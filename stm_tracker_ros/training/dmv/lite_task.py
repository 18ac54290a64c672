"""Training of the lite DMV as it runs: what is answered is remembered, and read for the next frame (section 3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stm_tracker_ros.parts.soft_label import soft_label
from stm_tracker_ros.trackers.dmv.lite_network import LiteNetwork, Prediction
from stm_tracker_ros.trackers.dmv.loss import exact_label, loss
from stm_tracker_ros.training import feature_cache, fine_tuning
from stm_tracker_ros.training.dmv.config import LiteTrainConfig
from stm_tracker_ros.training.loading import loader
from stm_tracker_ros.training.pack import Pack
from stm_tracker_ros.training.sampler import ABSENT, Sampler
from stm_tracker_ros.training.similar import load as load_similar
from stm_tracker_ros.training.unrolled import Clips, Memory, growing, unroll

ENCODER = ("backbone.", "skip.", "neck.", "neck_norm.", "neck_block.")


def sampler(folder: Path, config: LiteTrainConfig, seed: int) -> Sampler:
    """Samples from the pack in `folder`."""
    similar = load_similar(folder) if config.sampler.similar_share else None
    return Sampler(Pack(folder), config.sampler, config.network.crop_size, seed, similar)


class LiteTask:
    """The lite network, its clips and its loss; see `loop.Task` and `unrolled.Unrollable`."""

    def __init__(
        self, network: LiteNetwork, pack: Path, cache: Path | None, config: LiteTrainConfig, device: torch.device
    ) -> None:
        """cache: folder of a `feature_cache`; None where the crops pass through the network."""
        torch.manual_seed(config.seed)
        self.network, self.config, self.device = network, config, device
        self.pack, self.cache, self.steps = pack, cache, config.steps

    def optimiser(self) -> torch.optim.Optimizer:
        """See `fine_tuning.optimiser`; with features from a cache what makes them is frozen."""
        optimiser = fine_tuning.optimiser(self.network, self.config)
        if self.cache:
            made = {id(p) for name, p in self.network.named_parameters() if name.startswith(ENCODER)}
            for group in optimiser.param_groups:
                group["params"] = [p for p in group["params"] if id(p) not in made]
        return optimiser

    def rates(self, step: int) -> tuple[float, float, float]:
        """See `fine_tuning.rates`."""
        return fine_tuning.rates(self.config, step)

    def batches(self, step: int) -> Iterable[Any]:
        """Other clips after each start, of a length that grows with the steps."""
        config = self.config
        lengths = growing(config.shortest, config.longest, config.steps)
        if self.cache:
            return feature_cache.Cached(self.cache, lengths, batch=config.batch, first_step=step, seed=config.seed)
        samplers = partial(sampler, self.pack, config)
        clips = Clips(samplers, lengths, batch=config.batch, first_step=step, seed=config.seed)
        return loader(clips, config, self.device)

    def loss_terms(self, batch: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Crops B x T x S x S x 3 (or their features), boxes B x T x 4, states B x T -> weighted sum and its terms.

        The weight of a frame grows with its distance from the first one.
        """
        features, boxes, states = self._features(batch[0]), batch[1], batch[2]
        source, states = self._some_negative(states)
        answers = unroll(self, features[0][source], boxes[source, 0], features[1:])
        weights = torch.arange(1, len(features), device=boxes.device, dtype=torch.float32)
        weights /= weights.mean()
        rows = [loss(answer, boxes[:, t], states[:, t], self.network.anchors) for t, answer in enumerate(answers, 1)]
        score, box, iou = (torch.stack(part) for part in zip(*rows, strict=True))
        total = (weights[:, None] * (score + self.config.box * box)).mean()
        return total, {"score": score.mean(), "box": box.mean(), "iou": iou.nanmean(), "last_iou": iou[-1].nanmean()}

    def first(self, features: Tensor, boxes: Tensor) -> Memory:
        """See `Unrollable`: an exact label."""
        return self.network.keys(features), self.network.values(features, *exact_label(boxes, self.network.anchors))

    def ask(self, features: Tensor, memory: Memory) -> Prediction:
        """See `Unrollable`."""
        return self.network.respond(features, *memory)

    def own(self, features: Tensor, answer: Prediction) -> Memory:
        """See `Unrollable`: as soft as the answer is sure."""
        score = soft_label(torch.sigmoid(answer.score_logit))
        return self.network.keys(features), self.network.values(features, score, answer.displacement)

    def _features(self, given: Tensor) -> list[Tensor]:
        """Features of each frame of the clips, B x C x H x W each."""
        batch = len(given)
        if self.cache:
            made = given.flatten(0, 1).permute(0, 3, 1, 2).float()
        else:
            made = self.network.join(*fine_tuning.maps(self.network, given.flatten(0, 1), self.config.trained_blocks))
        by_frame = made.unflatten(0, (batch, -1)).unbind(1)
        return [one.contiguous(memory_format=torch.channels_last) for one in by_frame]

    def _some_negative(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Which clip each one's first frame is of, B, and the states B x T: some are asked for another one's object."""
        order = torch.arange(len(states), device=states.device)
        other = torch.rand(len(states), device=states.device) < self.config.negative_share
        changed = torch.where(other[:, None], torch.full_like(states, ABSENT), states)
        return torch.where(other, order.roll(1), order), changed
