"""How the lite networks learn: of a published backbone only the last blocks are trained, and all the rest anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.parts.backbones.pyramid import Pyramid
from stm_tracker_ros.training.config import FineTuningConfig

DECAY_SHARE = 0.4  # of the steps, in which the rate falls to zero
CPU_CHUNK, GPU_CHUNK = 4, 4096  # crops that pass the frozen blocks together: on a CPU, what stays in the cache


class FineTuned(Protocol):
    """A network with a published backbone."""

    backbone: Pyramid

    def normalise(self, patch_bgr: Tensor) -> Tensor:
        """Crops as the backbone was trained on."""

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """All of them, the backbone's behind `backbone.`."""


def optimiser(network: FineTuned, config: FineTuningConfig) -> torch.optim.Optimizer:
    """AdamW in the groups that `rates` has rates for; freezes the backbone but for the last of its blocks.

    Biases and norms do not decay, but for the backbone's.
    """
    rest = [p for name, p in network.named_parameters() if not name.startswith("backbone.")]
    network.backbone.requires_grad_(False)
    groups: list[dict[str, Any]] = [
        {"params": [p for p in rest if p.ndim >= 2]},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
        {"params": [p for block in network.backbone.in_order()[-config.trained_blocks :] for p in block.parameters()]},
    ]
    return torch.optim.AdamW(groups, lr=config.rate, weight_decay=config.weight_decay)


def leave_out(optimiser: torch.optim.Optimizer, network: FineTuned, parts: tuple[str, ...]) -> None:
    """Take the parameters whose names begin with `parts` out of the optimiser; the groups stay as many."""
    frozen = {id(p) for name, p in network.named_parameters() if name.startswith(parts)}
    for group in optimiser.param_groups:
        group["params"] = [p for p in group["params"] if id(p) not in frozen]


def rates(config: FineTuningConfig, step: int) -> tuple[float, float, float]:
    """Linear warm-up, constant, linear to zero over the last part: the end may be moved while it runs."""
    left = (config.steps - step) / (DECAY_SHARE * config.steps)
    rate = config.rate * min(1.0, (step + 1) / max(config.warm_up, 1), left)
    return rate, rate, rate * config.backbone_rate


def maps(network: FineTuned, crops: Tensor, trained_blocks: int) -> tuple[Tensor, ...]:
    """Crops N x S x S x 3 uint8 -> the backbone's maps; its frozen blocks run in small parts, without gradient.

    Raises ConfigError where the finer maps would be of other blocks than they are flown with.
    """
    if trained_blocks > network.backbone.last_blocks:
        most = network.backbone.last_blocks
        raise ConfigError(f"trained_blocks is {trained_blocks}; allowed with this backbone are 1 to {most}")
    image, blocks = crops.permute(0, 3, 1, 2), network.backbone.in_order()
    frozen, together = len(blocks) - trained_blocks, CPU_CHUNK if image.device.type == "cpu" else GPU_CHUNK
    with torch.no_grad():
        parts = [network.backbone.up_to(network.normalise(part), frozen) for part in image.split(together)]
        *finer, x = (torch.cat(part) for part in zip(*parts, strict=True))
    for block in blocks[frozen:]:
        x = block(x)
    return *finer, x
