"""Samples made by other processes while the device computes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from stm_tracker_ros.core.errors import StmTrackerError
from stm_tracker_ros.training.config import LoopConfig

MOST_WORKERS = 12


def worker_seed(seed: int) -> int:
    """In a process that draws samples: the seed of its own, another one for each. OpenCV takes one thread there."""
    cv2.setNumThreads(1)
    info = get_worker_info()
    return seed * 64 + (info.id if info else 0)


def loader(
    samples: Dataset[Any], config: LoopConfig, device: torch.device, order: Sequence[int] | None = None
) -> DataLoader[Any]:
    """Batches of samples; `order` names the samples by number, None takes an endless data set as it comes.

    `config.workers` of 0: one beside a CPU that trains, one a core (12 at most) beside a GPU.
    """
    suited = 1 if device.type == "cpu" else max(1, min(MOST_WORKERS, (os.cpu_count() or 2) - 1))
    workers = config.workers or suited
    # A worker is a fork: OpenCV's threads do not come with it, and ending them there waits for ever.
    cv2.setNumThreads(1)
    pinned = device.type == "cuda"
    return DataLoader(samples, config.batch, sampler=order, num_workers=workers, prefetch_factor=4, pin_memory=pinned)


@contextmanager
def told_as_raised() -> Iterator[None]:
    """An error of ours that a process raised which draws samples, in its own words: torch lays a traceback before."""
    try:
        yield
    except StmTrackerError as error:
        kind = type(error)
        raise kind(str(error).rsplit(f"{kind.__module__}.{kind.__qualname__}: ", 1)[-1].strip()) from None
