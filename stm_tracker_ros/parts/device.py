"""Names of devices -> devices, or a clear refusal."""

from __future__ import annotations

import torch

from stm_tracker_ros.core.errors import DeviceError


def resolve(name: str) -> torch.device:
    """`auto`, `cpu` or `cuda:N` -> a device that is there. Raises DeviceError."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda:0" if count else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, number = name.partition(":")
    if kind != "cuda" or not number.isdigit():
        raise DeviceError(f"device is {name!r}; allowed are auto, cpu and cuda:N")
    if int(number) >= count:
        found = f"{count} CUDA device(s)" if count else "no CUDA device"
        raise DeviceError(f"device {name!r} is not there: torch {torch.__version__} finds {found}; try auto or cpu")
    return torch.device(name)
