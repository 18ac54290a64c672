"""Training of the lite STMTrack: four crops of one object, each asked for with the memory of the others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork
from stm_tracker_ros.trackers.stmtrack.loss import loss
from stm_tracker_ros.training.config import TrainConfig
from stm_tracker_ros.training.loading import loader
from stm_tracker_ros.training.pack import Pack
from stm_tracker_ros.training.sampler import FRAMES, PRESENT, Sampler

TRAINED_TRUNK_BLOCKS = 3
DECAY_SHARE = 0.4
CPU_CHUNK = 4  # crops that pass the frozen trunk together: what stays in the cache


class _Samples(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Endless samples, drawn in a worker process."""

    def __init__(self, folder: Path, config: TrainConfig, crop_size: int, seed: int) -> None:
        self.folder, self.config, self.crop_size, self.seed = folder, config, crop_size, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        cv2.setNumThreads(1)
        info = torch.utils.data.get_worker_info()
        seed = self.seed * 64 + (info.id if info else 0)
        sampler = Sampler(Pack(self.folder), self.config.sampler, self.crop_size, seed)
        while True:
            sample = sampler.sample()
            yield torch.from_numpy(sample.crops), torch.from_numpy(sample.boxes), torch.from_numpy(sample.states)


class LiteLesson:
    """The lite network, its samples and its loss; see `loop.Lesson`."""

    def __init__(self, network: LiteNetwork, pack: Path, config: TrainConfig, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.network, self.config, self.pack, self.device = network, config, pack, device
        self.steps = config.steps
        self.random = np.random.default_rng(config.seed)
        self.chunk = CPU_CHUNK if device.type == "cpu" else 4096

    def optimiser(self) -> torch.optim.Optimizer:
        """AdamW; biases and norms do not decay, of the trunk only the last blocks are trained."""
        config, trunk = self.config, self.network.trunk
        trunk.requires_grad_(False)
        rest = [p for name, p in self.network.named_parameters() if not name.startswith("trunk.")]
        groups: list[dict[str, Any]] = [
            {"params": [p for p in rest if p.ndim >= 2]},
            {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
            {"params": list(trunk.blocks[-TRAINED_TRUNK_BLOCKS:].parameters())},
        ]
        return torch.optim.AdamW(groups, lr=config.rate, weight_decay=config.weight_decay)

    def rates(self, step: int) -> tuple[float, float, float]:
        """Linear warm-up, constant, linear to zero over the last part: the end may be moved while it runs."""
        config = self.config
        left = (config.steps - step) / (DECAY_SHARE * config.steps)
        rate = config.rate * min(1.0, (step + 1) / max(config.warm_up, 1), left)
        return rate, rate, rate * config.trunk_rate

    def batches(self, step: int) -> DataLoader[Any]:
        """Other samples after each start."""
        seed = self.config.seed + 1000 * step
        samples = _Samples(self.pack, self.config, self.network.config.crop_size, seed)
        return loader(samples, self.config.batch, self.device)

    def loss_terms(self, batch: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Crops B x 4 x S x S x 3, boxes B x 4 x 4 and states B x 4 -> the weighted sum and its terms."""
        crops, boxes, states = batch
        prediction, chosen = self._query(self._features(crops), boxes, states)
        flat_boxes, config = boxes.flatten(0, 1)[chosen.query], self.config.loss
        terms = loss(prediction, self.network.grid, flat_boxes, chosen.states, config.focal_alpha, config.focal_gamma)
        return terms.cls + config.centerness * terms.ctr + config.box * terms.box, terms._asdict()

    def _features(self, crops: Tensor) -> Tensor:
        network = self.network
        image = crops.flatten(0, 1).permute(0, 3, 1, 2)
        frozen = len(network.trunk.blocks) - TRAINED_TRUNK_BLOCKS
        with torch.no_grad():
            parts = [network.trunk.partial(network.normalise(part), frozen) for part in image.split(self.chunk)]
            stride_8, x = (torch.cat(part) for part in zip(*parts, strict=True))
        for block in network.trunk.blocks[frozen:]:
            x = block(x)
        return network.join(stride_8, x)

    def _query(self, features: Tensor, boxes: Tensor, states: Tensor) -> tuple[Any, Queries]:
        keys, values = self.network.memory(features, self._noisy(boxes).flatten(0, 1))
        chosen = choose_queries(states.cpu().numpy(), self.config.negative_share, self.random, self.device)
        cells = keys.shape[1]
        bias = torch.zeros(chosen.memory.shape, device=self.device).masked_fill(~chosen.used, -math.inf)
        bias = bias + chosen.first * self.network.first_frame_bias
        prediction = self.network.respond(
            features[chosen.query],
            keys[chosen.memory].flatten(1, 2),
            values[chosen.memory].flatten(1, 2),
            bias.repeat_interleave(cells, 1),
        )
        return prediction, chosen

    def _noisy(self, boxes: Tensor) -> Tensor:
        """What a tracker would have remembered: off by some noise, and now and then on something else altogether.

        The first of each sample stays as it is: a human gave it.
        """
        config, device = self.config, boxes.device
        rough = 1.0 + 3.0 * (torch.rand(boxes.shape[:2], device=device) < config.rough_share).float()[..., None]
        lost = (torch.rand(boxes.shape[:2], device=device) < config.wrong_share).float()[..., None]
        spread = config.box_noise * rough
        spread[:, 0] = 0.0
        lost[:, 0] = 0.0
        size = boxes[..., 2:] - boxes[..., :2]
        angle = torch.rand(boxes.shape[:2], device=device)[..., None] * 2 * math.pi
        away = (0.7 + 1.3 * torch.rand_like(angle)) * torch.cat([angle.cos(), angle.sin()], -1)
        center = (boxes[..., :2] + boxes[..., 2:]) / 2 + (torch.randn_like(size) * spread + lost * away) * size
        half = size / 2 * torch.exp(torch.randn_like(size) * spread * 1.2)
        return torch.cat([center - half, center + half], -1)


class Queries:
    """Which crops are asked with which memory, as indexes into the batch's flattened crops.

    query: Q; memory: Q x (FRAMES - 1); used: the slots that count; first: the slot of the first frame; states: Q.
    """

    def __init__(self, rows: list[tuple[int, list[int], list[bool], list[bool], int]], device: torch.device) -> None:
        query, memory, used, first, states = zip(*rows, strict=True)
        self.query = torch.tensor(query, device=device)
        self.memory = torch.tensor(memory, device=device)
        self.used = torch.tensor(used, device=device)
        self.first = torch.tensor(first, device=device).float()
        self.states = torch.tensor(states, device=device)


def choose_queries(
    states: np.ndarray, negative_share: float, random: np.random.Generator, device: torch.device
) -> Queries:
    """Ask every crop that has a shown target among the other three; some with the memory of another sample."""
    rows = []
    samples = len(states)
    for sample in range(samples):
        for query in range(FRAMES):
            negative = random.random() < negative_share
            source = (sample + 1) % samples if negative else sample
            others = [i for i in range(FRAMES) if negative or i != query][: FRAMES - 1]
            shown = [states[source, i] == PRESENT for i in others]
            if not any(shown):
                continue
            first = 0 if shown[0] else shown.index(True)
            used = [s and (i == first or random.random() < 0.6) for i, s in enumerate(shown)]
            memory = [source * FRAMES + i for i in others]
            is_first = [i == first for i in range(FRAMES - 1)]
            rows.append(
                (sample * FRAMES + query, memory, used, is_first, 0 if negative else int(states[sample, query]))
            )
    return Queries(rows, device)
