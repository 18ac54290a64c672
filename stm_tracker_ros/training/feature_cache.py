"""Features of samples, computed once and used again and again: for a backbone that stays as it is, on a CPU.

A shard holds the features of some samples in fp16, with boxes and states beside them. Shards are written whole or not
at all: an interrupted build goes on with the next one.
"""

from __future__ import annotations

import io
import logging
import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.training.sampler import FRAMES, Sampler
from stm_tracker_ros.training.unrolled import Clip, Lengths, some_frames

SHARD = 250  # samples
Encode = Callable[[Tensor], Tensor]
logger = logging.getLogger(__name__)
_made: tuple[Callable[[int], Sampler], Encode] | None = None


def build(
    folder: Path, samples: int, workers: int, seed: int, sampler: Callable[[int], Sampler], encode: Encode
) -> None:
    """Write the shards of at least that many samples into `folder`, unless they are there.

    sampler: makes one from a seed; encode: crops N x S x S x 3 uint8 -> features N x C x H x W.
    """
    global _made
    files = OutputFolder(folder)
    missing = [n for n in range(-(-samples // SHARD)) if not (folder / _name(n)).exists()]
    _made = sampler, encode  # a worker is a fork: it has them without a copy
    with (
        multiprocessing.get_context("fork").Pool(max(workers, 1), _start) as pool,
        tqdm(total=len(missing), desc="features", mininterval=5) as bar,
    ):
        for number, shard in pool.imap_unordered(_shard, [(n, seed + n) for n in missing]):
            files.write(_name(number), shard)
            bar.update()


class Cached:
    """Endless batches of clips whose features lie in `folder`; memory-mapped."""

    def __init__(self, folder: Path, lengths: Lengths, *, batch: int, first_step: int, seed: int) -> None:
        self.lengths, self.batch, self.step = lengths, batch, first_step
        self.random = np.random.default_rng([seed, first_step])
        self.shards = [_read(path) for path in sorted(folder.glob("features_*.npy"))]

    def __iter__(self) -> Iterator[Clip]:
        while True:
            clips = [self._clip(self.lengths(self.step)) for _ in range(self.batch)]
            features, boxes, states = (np.stack(part) for part in zip(*clips, strict=True))
            self.step += 1
            yield torch.from_numpy(features), torch.from_numpy(boxes), torch.from_numpy(states)

    def _clip(self, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        shard = self.shards[self.random.integers(len(self.shards))]
        row = self.random.integers(len(shard))
        chosen = some_frames(frames, self.random)
        return shard["features"][row, chosen], shard["boxes"][row, chosen], shard["states"][row, chosen]


def _name(number: int) -> str:
    return f"features_{number:04d}.npy"


def _read(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r")


def _start() -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _shard(task: tuple[int, int]) -> tuple[int, bytes]:
    """Number of a shard and its seed -> number and content of its file."""
    assert _made is not None, "forked from `build`"
    number, seed = task
    sampler, encode = _made[0](seed), _made[1]
    rows = []
    for _ in range(SHARD):
        sample = sampler.sample()
        with torch.inference_mode():
            features = encode(torch.from_numpy(sample.crops)).permute(0, 2, 3, 1).to(torch.float16)
        rows.append((features.numpy(), sample.boxes, sample.states))
    kinds = [("features", "f2", rows[0][0].shape), ("boxes", "f4", (FRAMES, 4)), ("states", "i8", (FRAMES,))]
    content = io.BytesIO()
    np.save(content, np.array(rows, np.dtype(kinds)))
    return number, content.getvalue()
