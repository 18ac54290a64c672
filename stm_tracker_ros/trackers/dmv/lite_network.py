"""The lite DMV network: a small backbone at stride 16, part-level memory with a vote, an anchor head.

| DMV (paper) | here | why |
|---|---|---|
| ResNet, 256 px, 8 x 8 cells | MobileNetV2, 192 px, 12 x 12 cells | a target covers 4 x 4 cells, not 2 x 2; 0.2 GMAC |
| layers 3 and 4 side by side | strides 8 and 16 added up | as `stmtrack_lite` does |
| the key is the feature | 64 channels of it | half the products; signed, so that "no match" can be best |
| vote as wide as the features | 64 channels | what is read is 4 candidates in 144 cells |
| head: 3x3 convolution and 1x1 a branch | depth-wise blocks, then 1x1 a branch | a tenth of the products |

Crop pixel coordinates run from 0 to `crop_size`; cell i covers [16 i, 16 i + 16), its anchors' centre is its middle.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.parts import backbones
from stm_tracker_ros.parts.layers import Block, CellNorm, by_cell
from stm_tracker_ros.trackers.dmv.config import LiteNetworkConfig
from stm_tracker_ros.trackers.dmv.network import KINDS, Network

STRIDE = 16


class LiteNetwork(Network):
    """See `network.Network`."""

    def __init__(self, config: LiteNetworkConfig) -> None:
        super().__init__(config, STRIDE, config.read)
        width, self.key_channels = config.width, config.key_channels
        self.backbone = backbones.build(config.backbone, (8, 16))
        self.skip = nn.Conv2d(4 * self.backbone.channels[8], width, 1, bias=False)
        self.neck = nn.Conv2d(self.backbone.channels[16], width, 1)
        self.neck_norm = CellNorm(width)
        self.neck_block = Block(width)
        self.key = nn.Conv2d(width, config.key_channels, 1)
        self.fuse = nn.Conv2d(width + config.read.channels, width, 1)
        self.fuse_norm = CellNorm(width)
        self.shared = nn.Sequential(*[Block(width) for _ in range(config.shared_blocks)])
        self.score_tower = nn.Sequential(*[Block(width) for _ in range(config.tower_blocks)], CellNorm(width))
        self.box_tower = nn.Sequential(*[Block(width) for _ in range(config.tower_blocks)], CellNorm(width))
        self.score = nn.Conv2d(width, KINDS, 1)
        self.box = nn.Conv2d(width, 4 * KINDS, 1)
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.constant_(self.score.bias, -2.0)  # type: ignore[arg-type]
        nn.init.normal_(self.box.weight, std=0.01)

    def join(self, finer: Tensor, coarser: Tensor) -> Tensor:
        """See `Network`."""
        fine = functional.pixel_unshuffle(finer, 2)
        x: Tensor = self.neck_block(self.neck_norm(self.neck(coarser) + self.skip(fine)))
        return x

    def keys(self, features: Tensor) -> Tensor:
        """See `Network`."""
        return by_cell(self.key(features))

    def head(self, found: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """See `Network`."""
        x = self.shared(self.fuse_norm(self.fuse(torch.cat([found, features], 1))))
        return self.score(self.score_tower(x)), self.box(self.box_tower(x))
