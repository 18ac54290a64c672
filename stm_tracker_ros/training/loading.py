"""Samples made by other processes while the device computes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

MOST_WORKERS = 12


def loader(
    samples: Dataset[Any], batch: int, device: torch.device, order: Sequence[int] | None = None
) -> DataLoader[Any]:
    """Batches of `batch` samples; `order` names the samples by number, None takes an endless data set as it comes.

    One worker beside a CPU that trains, one a core (12 at most) beside a GPU.
    """
    workers = 1 if device.type == "cpu" else max(1, min(MOST_WORKERS, (os.cpu_count() or 2) - 1))
    # A worker is a fork: OpenCV's threads do not come with it, and ending them there waits for ever.
    cv2.setNumThreads(1)
    pinned = device.type == "cuda"
    return DataLoader(samples, batch, sampler=order, num_workers=workers, prefetch_factor=4, pin_memory=pinned)
