"""How the lite networks learn: a published trunk of which only the last blocks are trained, and all the rest anew."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from stm_tracker_ros.parts.backbones.mobilenet_v2 import MobileNetV2
from stm_tracker_ros.training.config import FineTuningConfig

DECAY_SHARE = 0.4  # of the steps, in which the rate falls to zero
CPU_CHUNK, GPU_CHUNK = 4, 4096  # crops that pass the frozen trunk together: on a CPU, what stays in the cache


def optimiser(network: nn.Module, trunk: MobileNetV2, config: FineTuningConfig) -> torch.optim.Optimizer:
    """AdamW in the groups that `rates` has rates for; freezes the network's `trunk` but for the last of its blocks.

    Biases and norms do not decay.
    """
    rest = [p for name, p in network.named_parameters() if not name.startswith("trunk.")]
    trunk.requires_grad_(False)
    groups: list[dict[str, Any]] = [
        {"params": [p for p in rest if p.ndim >= 2]},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
        {"params": list(trunk.blocks[-config.trained_blocks :].parameters())},
    ]
    return torch.optim.AdamW(groups, lr=config.rate, weight_decay=config.weight_decay)


def rates(config: FineTuningConfig, step: int) -> tuple[float, float, float]:
    """Linear warm-up, constant, linear to zero over the last part: the end may be moved while it runs."""
    left = (config.steps - step) / (DECAY_SHARE * config.steps)
    rate = config.rate * min(1.0, (step + 1) / max(config.warm_up, 1), left)
    return rate, rate, rate * config.trunk_rate


def chunk(device: torch.device) -> int:
    """Crops that pass the frozen trunk together on that device."""
    return CPU_CHUNK if device.type == "cpu" else GPU_CHUNK
