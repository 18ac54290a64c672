"""DMV as the paper has it: ResNet-18 or -50, 8 x 8 cells of 32 px, a vote as wide as the features.

| paper | here | from |
|---|---|---|
| "a bottleneck convolution layer with and without stride" | 3x3 to 128 channels, stride 2 and 1 | not said |
| a head "similar to" SiamRPN's | each branch 3x3 to 256, norm, ReLU, 1x1 | SiamRPN++ |
| two convolutions with a ReLU encode a value | 3x3 each | not said |
| ImageNet weights, fine-tuned | the same; norms keep their published statistics | batches are small |

Crop pixel coordinates run from 0 to `crop_size`; cell i covers [32 i, 32 i + 32).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stm_tracker_ros.parts import backbones
from stm_tracker_ros.parts.layers import by_cell
from stm_tracker_ros.trackers.dmv.config import PaperNetworkConfig
from stm_tracker_ros.trackers.dmv.network import KINDS, Network

STRIDE = 32
HEAD_CHANNELS = 256


def branch(channels_in: int, channels_out: int) -> nn.Sequential:
    """One branch of the head."""
    first = nn.Conv2d(channels_in, HEAD_CHANNELS, 3, padding=1, bias=False)
    return nn.Sequential(first, nn.BatchNorm2d(HEAD_CHANNELS), nn.ReLU(), nn.Conv2d(HEAD_CHANNELS, channels_out, 1))


class PaperNetwork(Network):
    """See `network.Network`. The key is the feature itself, without a ReLU: "no match" can be best."""

    def __init__(self, config: PaperNetworkConfig) -> None:
        super().__init__(config, STRIDE, config.read)
        self.key_channels = width = config.width
        self.backbone = backbones.build(config.backbone, (16, 32))
        self.reduce_finer = nn.Conv2d(self.backbone.channels[16], width // 2, 3, stride=2, padding=1)
        self.reduce_coarser = nn.Conv2d(self.backbone.channels[32], width // 2, 3, padding=1)
        self.score = branch(width + config.read.channels, KINDS)
        self.box = branch(width + config.read.channels, 4 * KINDS)
        nn.init.constant_(self.score[-1].bias, -2.0)  # type: ignore[arg-type]

    def join(self, finer: Tensor, coarser: Tensor) -> Tensor:
        """See `Network`."""
        return torch.cat([self.reduce_finer(finer), self.reduce_coarser(coarser)], 1)

    def keys(self, features: Tensor) -> Tensor:
        """See `Network`."""
        return by_cell(features)

    def head(self, found: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """See `Network`."""
        x = torch.cat([features, found], 1)
        return self.score(x), self.box(x)
