"""What a tracker's network runs on, as the user names it; `parts/` turns the names into what is there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from stm_tracker_ros.core.errors import ConfigError

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
MOST_THREADS = 256


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Device and precision by name.

    device: auto, cpu, cuda or cuda:N.
    precision: of convolutions and matrix products; auto takes the fastest one that the tracker has been measured to
        lose nothing by and that the device can do.
    plain: run the modules one by one as they are written, in fp32: slow, there to be compared with.
    Raises ConfigError for an unknown precision.
    """

    device: str = "cpu"
    precision: str = "auto"
    plain: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision is {self.precision!r}; allowed are {', '.join(PRECISIONS)}")
        if self.plain and self.precision not in ("auto", "fp32"):
            raise ConfigError(f"precision is {self.precision!r}; allowed for the plain network is fp32")


def default_threads() -> int:
    """All cores that this process may use, but one, for the camera needs one as well; at least 1.

    Two torch threads on a busy two-core machine are ten times slower than one.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, usable - 1)


def checked_threads(count: Any) -> int:
    """That number of threads. Raises ConfigError if it is no whole number from 1 to MOST_THREADS."""
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_THREADS:
        raise ConfigError(f"threads is {count!r}; allowed are whole numbers from 1 to {MOST_THREADS}")
    return count


def device_text(device: Any) -> str:
    """The name of a device that is given as text, as the number of a GPU, or as a torch.device."""
    if isinstance(device, int) and not isinstance(device, bool):
        return f"cuda:{device}"
    return str(device)
