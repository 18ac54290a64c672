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

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.parts import backbones
from stm_tracker_ros.parts.backbones.mobilenet_v2 import ImageInput
from stm_tracker_ros.parts.backbones.pyramid import Pyramid
from stm_tracker_ros.parts.layers import Block, CellNorm, by_cell, by_map
from stm_tracker_ros.parts.layout import layout_of
from stm_tracker_ros.trackers.dmv.anchors import RATIOS, anchors, displaced
from stm_tracker_ros.trackers.dmv.config import LiteNetworkConfig
from stm_tracker_ros.trackers.dmv.vote import Read, similarity

STRIDE = 16


class Prediction(NamedTuple):
    """Head outputs for the N anchors of a crop: score_logit B x N; displacement B x N x 4, see `anchors.py`."""

    score_logit: Tensor
    displacement: Tensor


class LiteNetwork(nn.Module):
    """Backbone, value encoder, read and head; remembers nothing between calls."""

    anchors: Tensor

    def __init__(self, config: LiteNetworkConfig) -> None:
        super().__init__()
        self.config = config
        width, kinds = config.width, len(RATIOS)
        self.cells = config.crop_size // STRIDE
        self.backbone: Pyramid = backbones.build(config.backbone, (8, 16))
        self.skip = nn.Conv2d(4 * self.backbone.channels[8], width, 1, bias=False)
        self.neck = nn.Conv2d(self.backbone.channels[16], width, 1)
        self.neck_norm = CellNorm(width)
        self.neck_block = Block(width)
        self.key = nn.Conv2d(width, config.key_channels, 1)
        self.label = nn.Conv2d(width + 5 * kinds, width, 3, padding=1)
        self.value = nn.Conv2d(width, width, 3, padding=1)
        self.read = Read(width, width, config.read)
        self.fuse = nn.Conv2d(width + config.read.channels, width, 1)
        self.fuse_norm = CellNorm(width)
        self.shared = nn.Sequential(*[Block(width) for _ in range(config.shared_blocks)])
        self.score_tower = nn.Sequential(*[Block(width) for _ in range(config.tower_blocks)], CellNorm(width))
        self.box_tower = nn.Sequential(*[Block(width) for _ in range(config.tower_blocks)], CellNorm(width))
        self.score = nn.Conv2d(width, kinds, 1)
        self.box = nn.Conv2d(width, 4 * kinds, 1)
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.constant_(self.score.bias, -2.0)  # type: ignore[arg-type]
        nn.init.normal_(self.box.weight, std=0.01)
        self.input = ImageInput(config.crop_size)
        self.register_buffer("anchors", anchors(self.cells, STRIDE), persistent=False)

    def encode(self, patch_bgr: Tensor) -> Tensor:
        """Crops, B x 3 x crop x crop BGR in 0..255 -> features B x width x cells x cells."""
        return self.join(*self.backbone(self.normalise(patch_bgr)))

    def normalise(self, patch_bgr: Tensor) -> Tensor:
        """BGR in 0..255, any type -> what the backbone was trained on, in the memory layout of its weights."""
        image: Tensor = self.input(patch_bgr)
        return image.contiguous(memory_format=layout_of(self.backbone.stem.weight))

    def join(self, stride_8: Tensor, stride_16: Tensor) -> Tensor:
        """The backbone's two outputs -> features B x width x cells x cells."""
        fine = functional.pixel_unshuffle(stride_8, 2)
        x: Tensor = self.neck_block(self.neck_norm(self.neck(stride_16) + self.skip(fine)))
        return x

    def keys(self, features: Tensor) -> Tensor:
        """Features -> keys B x cells^2 x K, to ask with and to be found by."""
        return by_cell(self.key(features))

    def values(self, features: Tensor, score: Tensor, displacement: Tensor) -> Tensor:
        """Features with the soft label of their anchors, B x N and B x N x 4 -> values B x cells^2 x width."""
        cells = self.cells
        maps = [by_map(part.reshape(len(part), cells * cells, -1), cells) for part in (score, displacement)]
        labelled = torch.cat([features, *maps], 1).contiguous(memory_format=torch.channels_last)
        return by_cell(self.value(functional.relu(self.label(labelled))))

    def respond(self, features: Tensor, keys: Tensor, values: Tensor, used: Tensor | None = None) -> Prediction:
        """Query features, memory B x M x (K, width); used: B x M, cells that count (None: all) -> Prediction."""
        logits = similarity(self.keys(features), keys)
        if used is not None:
            logits = logits.masked_fill(~functional.pad(used, (1, 0), value=True)[:, None], -torch.inf)
        return self.answer(self.read.values_for(logits, values), features)

    def answer(self, values: Tensor, features: Tensor) -> Prediction:
        """What was picked for each cell, B x cells^2 x K x width, and the query's features -> Prediction."""
        found = by_map(self.read(values, by_cell(features)), self.cells)
        x = self.shared(self.fuse_norm(self.fuse(torch.cat([found, features], 1))))
        score, box = by_cell(self.score(self.score_tower(x))), by_cell(self.box(self.box_tower(x)))
        return Prediction(score.flatten(1), box.reshape(len(box), -1, 4))

    def boxes(self, prediction: Prediction) -> Tensor:
        """Corners B x N x 4 in crop pixels."""
        return displaced(prediction.displacement, self.anchors)
