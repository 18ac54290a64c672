"""Names of devices -> devices, or a clear refusal."""

from __future__ import annotations

import torch

from stm_tracker_ros.core.errors import DeviceError


def resolve(name: str) -> torch.device:
    """`auto`, `cpu`, `cuda` (the GPU in use) or `cuda:N` -> a device that is there. Raises DeviceError."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count and name != "cpu" and getattr(torch.cuda, "_is_in_bad_fork", bool)():
        raise DeviceError(f"device is {name!r} in a process forked from one that uses CUDA; start it by 'spawn'")
    if name == "auto":
        return torch.device("cuda:0" if count else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, colon, number = name.partition(":")
    if kind != "cuda" or not (number.isdecimal() or not colon):
        raise DeviceError(f"device is {name!r}; allowed are auto, cpu, cuda and cuda:N")
    if int(number or 0) >= count:
        raise DeviceError(f"device {name!r} is not there: {_found(count)}; try auto or cpu")
    return torch.device("cuda", int(number) if colon else torch.cuda.current_device())


def _found(count: int) -> str:
    if count:
        return f"torch {torch.__version__} finds {count} CUDA device(s)"
    built = ", for it was built without CUDA" if torch.version.cuda is None else ""
    return f"torch {torch.__version__} finds no CUDA device{built}"
