"""Training of the lite STMTrack: crops of one object, each but the first asked for with the memory of the others.

The first frame's box is exact, as an operator gives it. The others carry what makes a memory err in flight: noise of
each box, an error common to all of them (a box that has drifted), the network's own answers, boxes on something else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from stm_tracker_ros.parts.overlap import overlaps
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork
from stm_tracker_ros.trackers.stmtrack.loss import loss
from stm_tracker_ros.training import fine_tuning
from stm_tracker_ros.training.loading import loader, worker_seed
from stm_tracker_ros.training.pack import Pack
from stm_tracker_ros.training.sampler import FRAMES, PRESENT, Sampler
from stm_tracker_ros.training.similar import known
from stm_tracker_ros.training.stmtrack.config import LiteTrainConfig

FAR_OFF = 0.3  # overlap with the truth below which an answer is not remembered
NOISE_OF_SIZE, DRIFT_OF_PLACE = 1.2, 0.4  # over the noise of the place, over the drift of the size
KEPT_SHARES = (0.0, 0.4, 0.7, 1.0)  # of the frames after the first, how many are read


class _Samples(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Endless samples, drawn in a worker process."""

    def __init__(self, folder: Path, config: LiteTrainConfig, crop_size: int, seed: int) -> None:
        self.folder, self.config, self.crop_size, self.seed = folder, config, crop_size, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        seed = worker_seed(self.seed)
        similar = known(self.folder, self.config.sampler)
        sampler = Sampler(Pack(self.folder), self.config.sampler, self.crop_size, seed, similar)
        while True:
            sample = sampler.sample()
            yield torch.from_numpy(sample.crops), torch.from_numpy(sample.boxes), torch.from_numpy(sample.states)


class LiteTask:
    """The lite network, its samples and its loss; see `loop.Task`."""

    def __init__(self, network: LiteNetwork, pack: Path, config: LiteTrainConfig, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.network, self.config, self.pack, self.device = network, config, pack, device
        self.steps = config.steps
        self.random = np.random.default_rng(config.seed)

    def optimiser(self) -> torch.optim.Optimizer:
        """See `fine_tuning.optimiser`."""
        return fine_tuning.optimiser(self.network, self.config)

    def rates(self, step: int) -> tuple[float, float, float]:
        """See `fine_tuning.rates`."""
        return fine_tuning.rates(self.config, step)

    def batches(self, step: int) -> DataLoader[Any]:
        """Other samples after each start."""
        seed = self.config.seed + 1000 * step
        samples = _Samples(self.pack, self.config, self.network.config.crop_size, seed)
        return loader(samples, self.config, self.device)

    def loss_terms(self, batch: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Crops B x 5 x S x S x 3, boxes B x 5 x 4 and states B x 5 -> the weighted sum and its terms."""
        crops, boxes, states = batch
        prediction, chosen = self._query(self._features(crops), boxes, states)
        flat_boxes, config = boxes.flatten(0, 1)[chosen.query], self.config.loss
        terms = loss(prediction, self.network.grid, flat_boxes, chosen.states, config.focal_alpha, config.focal_gamma)
        return terms.cls + config.centerness * terms.ctr + config.box * terms.box, terms._asdict()

    def _features(self, crops: Tensor) -> Tensor:
        maps = fine_tuning.maps(self.network, crops.flatten(0, 1), self.config.trained_blocks)
        return self.network.join(*maps)

    def _query(self, features: Tensor, boxes: Tensor, states: Tensor) -> tuple[Any, Queries]:
        remembered = self._noisy(self._answered(features, boxes))
        keys, values = self.network.memory(features, remembered.flatten(0, 1))
        chosen = choose_queries(states.cpu().numpy(), self.config.negative_share, self.random, self.device)
        cells = keys.shape[1]
        bias = torch.zeros(chosen.memory.shape, device=self.device).masked_fill(~chosen.used, -math.inf)
        bias = bias + chosen.first * self.network.first_frame_bias
        bias = bias.masked_fill(self._left_out(chosen), -math.inf)
        prediction = self.network.respond(
            features[chosen.query],
            keys[chosen.memory].flatten(1, 2),
            values[chosen.memory].flatten(1, 2),
            bias.repeat_interleave(cells, 1),
        )
        return prediction, chosen

    def _left_out(self, chosen: Queries) -> Tensor:
        """Q x (FRAMES - 1): the first frame, in some of the reads that have another one; it is read alone as well."""
        others = (chosen.used & (chosen.first == 0)).any(1)
        some = torch.rand(len(others), device=self.device) < self.config.others_share
        return (chosen.first > 0) & (others & some)[:, None]

    @torch.no_grad()
    def _answered(self, features: Tensor, boxes: Tensor) -> Tensor:
        """Boxes B x 5 x 4; the later ones of some samples become what the first frame alone says of their crops.

        Answers far off stay the truth: a tracker would not have remembered them.
        """
        own = torch.rand(len(boxes), device=boxes.device) < self.config.own_share
        if not own.any():
            return boxes
        crops, truth = features.unflatten(0, boxes.shape[:2])[own], boxes[own]
        keys, values = self.network.memory(_dense(crops[:, 0]), truth[:, 0])
        later = FRAMES - 1
        found = self._found(
            _dense(crops[:, 1:].flatten(0, 1)), keys.repeat_interleave(later, 0), values.repeat_interleave(later, 0)
        )
        close = overlaps(found, truth[:, 1:].flatten(0, 1))[0] > FAR_OFF
        result = boxes.clone()
        result[own, 1:] = torch.where(close[:, None], found, truth[:, 1:].flatten(0, 1)).view(-1, later, 4)
        return result

    def _found(self, features: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Best boxes B x 4 for crops."""
        answer = self.network.respond(features, keys, values, None)
        best = (torch.sigmoid(answer.cls_logit) * torch.sigmoid(answer.ctr_logit)).argmax(1)
        return answer.box[torch.arange(len(best)), best].float()

    def _noisy(self, boxes: Tensor) -> Tensor:
        """Boxes B x 5 x 4 with what goes wrong in a memory: noise, a common drift, something else altogether."""
        config = self.config
        later = torch.ones_like(boxes[..., :1])
        later[:, 0] = 0.0
        rough = 1.0 + 3.0 * (torch.rand_like(later) < config.rough_share).float()
        spread = config.box_noise * rough * later
        drift = config.drift * (torch.rand_like(later[:, :1]) < config.drift_share).float() * later
        lost = (torch.rand_like(later) < config.wrong_share).float() * later
        size = boxes[..., 2:] - boxes[..., :2]
        angle = torch.rand_like(later) * 2 * math.pi
        away = (0.7 + 1.3 * torch.rand_like(later)) * torch.cat([angle.cos(), angle.sin()], -1)
        common = torch.randn(2, len(boxes), 1, 2, device=boxes.device)
        moved = torch.randn_like(size) * spread + common[0] * drift * DRIFT_OF_PLACE + lost * away
        center = (boxes[..., :2] + boxes[..., 2:]) / 2 + moved * size
        half = size / 2 * torch.exp(torch.randn_like(size) * spread * NOISE_OF_SIZE + common[1] * drift)
        return torch.cat([center - half, center + half], -1)


def _dense(features: Tensor) -> Tensor:
    return features.contiguous(memory_format=torch.channels_last)


class Queries:
    """Which crops are asked with which memory, as indexes into the batch's flattened crops.

    query: Q; memory: Q x (FRAMES - 1), the first frame first; used: the slots that count; first: which slot that is;
    states: Q.
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
    """Ask every crop but the first, with the first frame and some of the others; now and then with another sample's."""
    rows = []
    samples = len(states)
    is_first = [i == 0 for i in range(FRAMES - 1)]
    for sample in range(samples):
        for query in range(1, FRAMES):
            negative = random.random() < negative_share
            source = (sample + 1) % samples if negative else sample
            others = [i for i in range(FRAMES) if negative or i != query][: FRAMES - 1]
            keep = random.choice(KEPT_SHARES)
            used = [i == 0 or (states[source, i] == PRESENT and random.random() < keep) for i in others]
            memory = [source * FRAMES + i for i in others]
            state = 0 if negative else int(states[sample, query])
            rows.append((sample * FRAMES + query, memory, used, is_first, state))
    return Queries(rows, device)
