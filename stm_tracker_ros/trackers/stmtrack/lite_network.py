"""The lite STMTrack network: one small backbone, keys without label, real-time on two CPU cores.

| STMTrack (paper) | here | why |
|---|---|---|
| two Inception-v3, 289 px, 25 x 25 cells | one MobileNetV2, 224 px, 14 x 14 cells | 42 -> 0.4 GMAC a frame |
| memory from a fresh crop about the found box | from the query crop's own features | no second pass of the backbone |
| label map enters at the first layer | at feature level, 4 x 4 sub-cells | the key stays free of the label |
| one feature is key and value | 64-channel key, labelled value | learns with a hundredth of the pictures |
| all memory frames alike | learned logit bias for the first frame | it is the only box a human gave |
| one read of the memory | the first frame is read alone as well | what the others say drifts, its box does not |

Crop pixel coordinates run from 0 to `crop_size`; cell i covers [16 i, 16 i + 16), its point is its centre.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.parts import backbones
from stm_tracker_ros.parts.backbones.mobilenet_v2 import ImageInput
from stm_tracker_ros.parts.backbones.pyramid import Pyramid
from stm_tracker_ros.parts.label_map import coverage
from stm_tracker_ros.parts.layers import Block, CellNorm, by_cell, by_map
from stm_tracker_ros.parts.layout import layout_of
from stm_tracker_ros.parts.read import read
from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig

STRIDE = 16
SUB_CELLS = 4


class Prediction(NamedTuple):
    """Head outputs for every cell, row-major.

    cls_logit, ctr_logit: B x cells; box: B x cells x 4 corners x1, y1, x2, y2 in crop pixels.
    """

    cls_logit: Tensor
    ctr_logit: Tensor
    box: Tensor


class LiteNetwork(nn.Module):
    """Backbone, memory encoder, read and head; remembers nothing between calls."""

    grid: Tensor
    points: Tensor
    outwards: Tensor

    def __init__(self, config: LiteNetworkConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.cells = config.crop_size // STRIDE
        self.backbone: Pyramid = backbones.build(config.backbone, (8, 16))
        self.skip = nn.Conv2d(4 * self.backbone.channels[8], width, 1, bias=False)
        self.neck = nn.Conv2d(self.backbone.channels[16], width, 1)
        self.neck_norm = CellNorm(width)
        self.neck_block = Block(width)
        self.key = nn.Conv2d(width, config.key_channels, 1)
        self.label = nn.Conv2d(SUB_CELLS * SUB_CELLS, width, 3, padding=1, bias=False)
        self.value_block = Block(width)
        self.value = nn.Conv2d(width, width, 1)
        self.first_frame_bias = nn.Parameter(torch.zeros(()))
        self.fuse = nn.Conv2d(3 * width, width, 1)
        self.fuse_norm = CellNorm(width)
        self.shared = nn.Sequential(*[Block(width) for _ in range(config.shared_blocks)])
        self.cls_tower = nn.Sequential(*[Block(width) for _ in range(config.tower_blocks)], CellNorm(width))
        self.reg_tower = nn.Sequential(*[Block(width) for _ in range(config.tower_blocks)], CellNorm(width))
        self.cls_ctr = nn.Conv2d(width, 2, 1)
        self.reg = nn.Conv2d(width, 4, 1)
        nn.init.constant_(self.cls_ctr.bias, -2.0)  # type: ignore[arg-type]
        nn.init.normal_(self.reg.weight, std=0.01)
        self.input = ImageInput(config.crop_size)
        middles = (torch.arange(self.cells) + 0.5) * STRIDE
        grid = torch.stack(torch.meshgrid(middles, middles, indexing="xy"), -1).view(-1, 2)
        self.register_buffer("grid", grid, persistent=False)
        self.register_buffer("points", grid.repeat(1, 2), persistent=False)  # of both corners
        self.register_buffer("outwards", torch.tensor([-1.0, -1.0, 1.0, 1.0]) * (2 * STRIDE), persistent=False)

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

    def memory(self, features: Tensor, boxes_xyxy: Tensor) -> tuple[Tensor, Tensor]:
        """Features of a crop and the target's corners in it (B x 4, crop px) -> keys B x cells x K, values ... W."""
        return self.keys(features), self.values(features, boxes_xyxy)

    def keys(self, features: Tensor) -> Tensor:
        """Features of a crop, B x W x cells x cells -> keys B x cells x K, to ask with and to be found by."""
        return by_cell(self.key(features))

    def values(self, features: Tensor, boxes_xyxy: Tensor) -> Tensor:
        """As `memory`, the values alone, B x cells x W."""
        fine = coverage(boxes_xyxy, self.cells * SUB_CELLS, float(self.config.crop_size))
        label = self.label(functional.pixel_unshuffle(fine, SUB_CELLS))
        return by_cell(self.value(self.value_block(features + label)))

    def respond(self, features: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Prediction:
        """Query features B x W x cells x cells, memory B x M x (K, W) and logit bias B x M -> Prediction.

        The memory begins with the cells of the first frame.
        """
        query, first = self.keys(features), self.cells * self.cells
        found = read(query, keys, values, bias)
        found_first = read(query, keys[:, :first], values[:, :first])
        return self.answer(torch.cat([found, found_first], -1), features)

    def answer(self, found: Tensor, features: Tensor) -> Prediction:
        """What was read in all frames and in the first, B x cells x 2 W, and the query's features -> Prediction."""
        x = self.shared(self.fuse_norm(self.fuse(torch.cat([by_map(found, self.cells), features], 1))))
        cls_ctr = self.cls_ctr(self.cls_tower(x)).flatten(2)
        sides = functional.softplus(self.reg(self.reg_tower(x)).flatten(2).transpose(1, 2) + 1.0)
        box = self.points + sides * self.outwards
        return Prediction(cls_ctr[:, 0], cls_ctr[:, 1], box)
