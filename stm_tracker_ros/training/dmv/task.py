"""Training of DMV as it runs: what is answered is remembered, and read for the next frame (section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from stm_tracker_ros.parts.soft_label import soft_label
from stm_tracker_ros.trackers.dmv.loss import exact_label, loss
from stm_tracker_ros.trackers.dmv.network import Network, Prediction
from stm_tracker_ros.training import similar
from stm_tracker_ros.training.dmv.config import TrainConfig
from stm_tracker_ros.training.pack import Pack
from stm_tracker_ros.training.sampler import ABSENT, Sampler
from stm_tracker_ros.training.unrolled import Lengths, Memory, growing, unroll


def sampler(folder: Path, config: TrainConfig, seed: int) -> Sampler:
    """Samples from the pack in `folder`."""
    known = similar.known(folder, config.sampler)
    return Sampler(Pack(folder), config.sampler, config.network.crop_size, seed, known)


class DmvTask:
    """A network of DMV and the loss of its clips; see `unrolled.Unrollable`. How it is optimised, recipes say."""

    def __init__(self, network: Network, config: TrainConfig, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.network, self.config, self.device, self.steps = network, config, device, config.steps

    @property
    def lengths(self) -> Lengths:
        """Frames of a clip by the step."""
        return growing(self.config.shortest, self.config.longest, self.config.steps)

    def loss_terms(self, batch: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Crops B x T x S x S x 3 (or their features), boxes B x T x 4, states B x T -> weighted sum and its terms.

        The weight of a frame grows with its distance from the first one.
        """
        features, boxes, states = self.features(batch[0]), batch[1], batch[2]
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

    def features(self, given: Tensor) -> list[Tensor]:
        """Crops B x T x S x S x 3 -> features of each frame of the clips, B x C x H x W each."""
        return self.by_frame(self.network.encode(given.flatten(0, 1).permute(0, 3, 1, 2)), len(given))

    @staticmethod
    def by_frame(features: Tensor, batch: int) -> list[Tensor]:
        """Features of all frames of all clips -> those of each frame."""
        frames = features.unflatten(0, (batch, -1)).unbind(1)
        return [one.contiguous(memory_format=torch.channels_last) for one in frames]

    def _some_negative(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Which clip each one's first frame is of, B, and the states B x T: some are asked for another one's object."""
        order = torch.arange(len(states), device=states.device)
        other = torch.rand(len(states), device=states.device) < self.config.negative_share
        changed = torch.where(other[:, None], torch.full_like(states, ABSENT), states)
        return torch.where(other, order.roll(1), order), changed
