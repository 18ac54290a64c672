"""Features of samples, computed once and used again and again: for a backbone that stays as it is, on a CPU.

A shard holds some samples: features in fp16, truth beside them, whatever arrays a tracker keeps of one. Shards are
written whole or not at all: an interrupted build goes on with the next one. They can be renewed all the while: few are
learned by heart, and many would fill the disk.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import secrets
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from stm_tracker_ros.core.errors import TrainingError
from stm_tracker_ros.core.output_folder import PART_SUFFIX, OutputFolder
from stm_tracker_ros.training.config import LoopConfig

SHARD = 50  # samples; those of siamstm take 16 MB each, and are held three times while they are written
Draw = Callable[[], Mapping[str, NDArray[Any]]]
_drawn_by: Callable[[int], Draw] | None = None


class Cache:
    """The samples in the shards of a folder; memory-mapped."""

    def __init__(self, folder: Path, renewing: ForkProcess | None = None) -> None:
        """renewing: what writes the shards anew; none of them is kept open for long."""
        self.paths, self._renewing = sorted(folder.glob("features_*.npy")), renewing

    def draw(self, random: np.random.Generator) -> Any:
        """One of them, its arrays by name. Raises TrainingError if they are no longer renewed."""
        if self._renewing is not None and not self._renewing.is_alive():
            raise TrainingError(
                f"the samples in {self.paths[0].parent} are no longer renewed: the process that does has ended with "
                f"exit code {self._renewing.exitcode}; what it said stands above"
            )
        shard = np.load(self.paths[random.integers(len(self.paths))], mmap_mode="r")
        return shard[random.integers(len(shard))]


@contextmanager
def made(
    out: Path, samples: int, renewed: bool, config: LoopConfig, drawn_by: Callable[[int], Draw]
) -> Iterator[Cache | None]:
    """The features of a run, once they are there; None where it is to have none. See `build`.

    renewed: another process replaces the oldest shard, and again the oldest, as long as this block lasts.
    """
    if not samples:
        yield None
        return
    folder = out / "features"
    build(folder, samples, config.workers, config.seed, drawn_by)
    if not renewed:
        yield Cache(folder)
        return
    renewing = multiprocessing.get_context("fork").Process(target=_renew, args=(folder, os.getpid()), daemon=True)
    renewing.start()
    try:
        yield Cache(folder, renewing)
    finally:
        renewing.terminate()
        renewing.join()


def build(folder: Path, samples: int, workers: int, seed: int, drawn_by: Callable[[int], Draw]) -> None:
    """Write the shards of at least that many samples into `folder`, unless they are there.

    drawn_by: a seed -> what draws samples, one a call: arrays by name, of the same shapes and types each time.
    """
    global _drawn_by
    files = OutputFolder(folder)
    shards = range(-(-samples // SHARD))
    missing = [n for n in shards if not (folder / _name(n)).exists() or files.is_unfinished(_name(n))]
    _drawn_by = drawn_by  # a worker is a fork: it has it without a copy
    cv2.setNumThreads(1)  # OpenCV's threads do not come with a fork: ending them there waits for ever
    with (
        multiprocessing.get_context("fork").Pool(max(workers, 1), _start) as pool,
        tqdm(total=len(missing), desc="features", mininterval=5) as bar,
    ):
        for number, shard in pool.imap_unordered(_shard, [(n, seed + n) for n in missing]):
            files.write(_name(number), shard)
            bar.update()
        pool.close()  # its end by a signal waits for ever where a program around it handles that signal
        pool.join()


def stored(features: Tensor) -> NDArray[np.float16]:
    """Features N x C x H x W -> as a shard has them, N x H x W x C."""
    return features.permute(0, 2, 3, 1).to(torch.float16).numpy()  # type: ignore[no-any-return]


def restored(features: Tensor) -> Tensor:
    """Features of a shard, N x H x W x C -> N x C x H x W in fp32."""
    return features.permute(0, 3, 1, 2).float()


def _name(number: int) -> str:
    return f"features_{number:04d}.npy"


def _start() -> None:
    torch.set_num_threads(1)


def _renew(folder: Path, parent: int) -> None:
    """Write the shards anew, the oldest first, until the process `parent` is no more."""
    assert _drawn_by is not None, "forked after `build`"
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # at a terminal it comes to all: `parent` ends this one
    _start()
    files, draw = OutputFolder(folder), _drawn_by(secrets.randbits(32))  # the time says who sees which, not a seed
    for path in cycle(sorted(folder.glob("features_*.npy"), key=lambda path: path.stat().st_mtime_ns)):
        content = _content(draw)
        if os.getppid() != parent:
            return
        files.write(path.name + PART_SUFFIX, content)
        files.replace(path.name + PART_SUFFIX, path.name)


def _shard(task: tuple[int, int]) -> tuple[int, bytes]:
    """Number of a shard and its seed -> number and content of its file."""
    assert _drawn_by is not None, "forked from `build`"
    number, seed = task
    return number, _content(_drawn_by(seed))


def _content(draw: Draw) -> bytes:
    with torch.inference_mode():
        rows = [draw() for _ in range(SHARD)]
    kinds = [(name, array.dtype, array.shape) for name, array in rows[0].items()]
    content = io.BytesIO()
    np.save(content, np.array([tuple(row.values()) for row in rows], np.dtype(kinds)))
    return content.getvalue()
