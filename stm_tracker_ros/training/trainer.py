"""Trains the lite STMTrack: samples in, averaged weights out; stops and goes on where it was."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset
from tqdm import tqdm

from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork
from stm_tracker_ros.trackers.stmtrack.loss import Loss, loss
from stm_tracker_ros.training.config import TrainConfig
from stm_tracker_ros.training.pack import Pack
from stm_tracker_ros.training.sampler import FRAMES, PRESENT, Sampler

TRAINED_TRUNK_BLOCKS = 3
DECAY_SHARE = 0.4
CPU_CHUNK = 4  # crops that pass the frozen trunk together: what stays in the cache
Validate = Callable[[LiteNetwork], dict[str, float]]
logger = logging.getLogger(__name__)


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


class Trainer:
    """One training run in one folder: `last.pt` to go on from, `log.jsonl` to look at."""

    def __init__(self, network: LiteNetwork, pack: Path, out: Path, config: TrainConfig, device: torch.device) -> None:
        self.config, self.out, self.pack, self.device = config, out, pack, device
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.random = np.random.default_rng(config.seed)
        self.step, self.seconds = 0, 0.0
        self.chunk = CPU_CHUNK if self.device.type == "cpu" else 4096
        self.optimiser = torch.optim.AdamW(self._groups(), lr=config.rate, weight_decay=config.weight_decay)
        if (out / "last.pt").exists():
            self._resume()

    def _groups(self) -> list[dict[str, Any]]:
        trunk = self.network.trunk
        trunk.requires_grad_(False)
        trained = trunk.blocks[-TRAINED_TRUNK_BLOCKS:].requires_grad_(True)
        rest = [p for name, p in self.network.named_parameters() if not name.startswith("trunk.")]
        plain = [p for p in rest if p.ndim < 2]
        return [
            {"params": [p for p in rest if p.ndim >= 2], "factor": 1.0},
            {"params": plain, "factor": 1.0, "weight_decay": 0.0},
            {"params": list(trained.parameters()), "factor": self.config.trunk_rate},
        ]

    def run(self, validate: Validate | None = None) -> None:
        """Train until the last step; writes a checkpoint every few minutes and at the end."""
        self._write_json("config.json", self.config)
        loader = iter(self._loader())
        saved = validated = time.monotonic()
        with tqdm(total=self.config.steps, initial=self.step, desc="train", mininterval=5) as progress:
            while self.step < self.config.steps:
                start = time.monotonic()
                terms = self._train_step(next(loader))
                now = time.monotonic()
                self.seconds += now - start
                self.step += 1
                progress.update()
                if self.step % 20 == 0:
                    self._log({k: round(v.item(), 4) for k, v in terms._asdict().items()})
                if now - saved > 60 * self.config.checkpoint_minutes:
                    self.save()
                    saved = now
                if validate and now - validated > 60 * self.config.validate_minutes > 0:
                    self.validate(validate)
                    validated = time.monotonic()
        self.save()
        if validate and self.config.validate_minutes:
            self.validate(validate)

    def _loader(self) -> DataLoader[Any]:
        samples = _Samples(self.pack, self.config, self.network.config.crop_size, self.config.seed + 1000 * self.step)
        workers = 1 if self.device.type == "cpu" else 12
        # A worker is a fork: OpenCV's threads do not come with it, and ending them there waits for ever.
        cv2.setNumThreads(1)
        return DataLoader(samples, batch_size=self.config.batch, num_workers=workers, prefetch_factor=4)

    def _train_step(self, batch: tuple[Tensor, Tensor, Tensor]) -> Loss:
        crops, boxes, states = (part.to(self.device, non_blocking=True) for part in batch)
        with torch.autocast(self.device.type, torch.bfloat16):
            features = self._features(crops)
            prediction, chosen = self._query(features, boxes, states)
        flat_boxes, flat_states = boxes.flatten(0, 1)[chosen.query], chosen.states
        config = self.config.loss
        terms = loss(prediction, self.network.grid, flat_boxes, flat_states, config.focal_alpha, config.focal_gamma)
        total = terms.cls + config.centerness * terms.ctr + config.box * terms.box
        self._rate()
        self.optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimiser.step()
        self._update_average()
        return terms

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

    def _rate(self) -> None:
        """Linear warm-up, constant, linear to zero over the last part: the end may be moved while it runs."""
        config = self.config
        left = (config.steps - self.step) / (DECAY_SHARE * config.steps)
        share = min(1.0, (self.step + 1) / max(config.warm_up, 1), left)
        for group in self.optimiser.param_groups:
            group["lr"] = config.rate * share * group["factor"]

    def _update_average(self) -> None:
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        for name, value in self.network.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    def validate(self, validate: Validate) -> None:
        """Score the averaged weights; the figures go into the log."""
        kept = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        self._log({f"validation_{k}": v for k, v in validate(self.network).items()})
        self.network.load_state_dict(kept)

    def save(self) -> None:
        """Write `last.pt`, whole or not at all."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        torch.save(state, self.out / "next.pt")
        (self.out / "next.pt").replace(self.out / "last.pt")

    def _resume(self) -> None:
        state = torch.load(self.out / "last.pt", map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]
        logger.info("going on from step %d", self.step)

    def _log(self, row: dict[str, float]) -> None:
        row = {"step": self.step, "minutes": round(self.seconds / 60, 2), **row}
        with (self.out / "log.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def _write_json(self, name: str, value: Any) -> None:
        (self.out / name).write_text(json.dumps(value, default=vars, indent=1))


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
