"""Names of precisions -> types that the device is fast at, or a clear refusal.

| device | bf16 | fp16 |
|---|---|---|
| x86 CPU | with avx512_bf16 or amx_bf16; without them it would be emulated, slower than fp32 | never |
| CUDA | from compute capability 8.0 on (Ampere, Jetson Orin) | from 5.3 on (Jetson Nano) |
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import torch

from stm_tracker_ros.core.errors import ConfigError

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
CPU_INFO = Path("/proc/cpuinfo")
CPU_FLAGS_OF_BF16 = {"avx512_bf16", "amx_bf16"}
CUDA_CAPABILITY_OF_BF16, CUDA_CAPABILITY_OF_FP16 = (8, 0), (5, 3)


def choose(name: str, device: torch.device, harmless: Sequence[str] = ()) -> str:
    """`auto` or the name of a precision -> the name of the one to use.

    harmless: names that the tracker loses nothing by, the fastest first; `auto` takes the first one that the device
    can do, else fp32. Raises ConfigError for what the device cannot do.
    """
    able = available(device)
    if name == "auto":
        return next((one for one in harmless if one in able), "fp32")
    if name not in able:
        raise ConfigError(f"precision is {name!r}; allowed on {_described(device)} are auto, {', '.join(able)}")
    return name


def available(device: torch.device) -> tuple[str, ...]:
    """Names of what this device is fast at."""
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        able = ("fp32", *_if(capability >= CUDA_CAPABILITY_OF_BF16, "bf16"))
        return (*able, *_if(capability >= CUDA_CAPABILITY_OF_FP16, "fp16"))
    return ("fp32", *_if(device.type == "cpu" and bool(CPU_FLAGS_OF_BF16 & cpu_flags()), "bf16"))


@functools.cache
def cpu_flags() -> frozenset[str]:
    """What Linux says that the CPU can do; empty where it says nothing (other systems, other architectures)."""
    try:
        lines = CPU_INFO.read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(word for line in lines if line.startswith("flags") for word in line.split(":", 1)[1].split())


def _if(condition: bool, name: str) -> tuple[str, ...]:
    return (name,) if condition else ()


def _described(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return "this CPU" if CPU_FLAGS_OF_BF16 & cpu_flags() else "this CPU (it has neither avx512_bf16 nor amx_bf16)"
