"""The lite DMB network: one small backbone, keys without label, a mask for every crop.

Crop pixel coordinates run from 0 to `crop_size`; masks have a cell every 4 pixels.
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
from stm_tracker_ros.parts.read import read
from stm_tracker_ros.trackers.dmb.config import LiteNetworkConfig

STRIDE = 16
MASK_STRIDE = 4
SUB_CELLS = STRIDE // MASK_STRIDE


class Features(NamedTuple):
    """What one pass of the backbone gives: its maps at strides 4 and 8, and B x width at stride 16."""

    fine: Tensor
    middle: Tensor
    coarse: Tensor


class Answer(NamedTuple):
    """Mask logits B x 1 x cells4 x cells4 (a cell every 4 pixels) and the logit of P(IoU >= 0.5), B."""

    mask_logit: Tensor
    score_logit: Tensor


class Refine(nn.Module):
    """Twice the resolution: the coarse map, bilinear, plus the backbone's features of that stride."""

    def __init__(self, channels_in: int, skip_in: int, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels_in, channels, 1)
        self.skip = nn.Conv2d(skip_in, channels, 1)
        self.norm = CellNorm(channels)
        self.block = Block(channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """B x channels_in x H x W and B x skip_in x 2H x 2W -> B x channels x 2H x 2W."""
        large = functional.interpolate(self.reduce(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        y: Tensor = self.block(self.norm(large + self.skip(skip)))
        return y


class LiteNetwork(nn.Module):
    """Backbone, memory encoder, read, decoder and score; remembers nothing between calls."""

    def __init__(self, config: LiteNetworkConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.cells = config.crop_size // STRIDE
        self.value_channels = width + SUB_CELLS * SUB_CELLS
        self.backbone: Pyramid = backbones.build(config.backbone, (4, 8, 16))
        channels = self.backbone.channels
        self.skip = nn.Conv2d(4 * channels[8], width, 1, bias=False)
        self.neck = nn.Conv2d(channels[16], width, 1)
        self.neck_norm = CellNorm(width)
        self.neck_block = Block(width)
        self.key = nn.Conv2d(width, config.key_channels, 1)
        self.label = nn.Conv2d(3 * SUB_CELLS * SUB_CELLS, width, 3, padding=1, bias=False)
        self.value_block = Block(width)
        self.value = nn.Conv2d(width, width, 1)
        self.first_frame_bias = nn.Parameter(torch.zeros(()))
        self.fuse = nn.Conv2d(2 * width + SUB_CELLS * SUB_CELLS, width, 1)
        self.fuse_norm = CellNorm(width)
        self.place = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.blocks = nn.Sequential(*[Block(width) for _ in range(config.blocks)])
        self.to_middle = Refine(width, channels[8], config.middle_width)
        self.to_fine = Refine(config.middle_width, channels[4], config.fine_width)
        self.out_norm = CellNorm(config.fine_width)
        self.out = nn.Conv2d(config.fine_width, 1, 3, padding=1)
        self.score = nn.Sequential(nn.Linear(2 * width + 2, 64), nn.ReLU(), nn.Linear(64, 1))
        nn.init.constant_(self.out.bias, -1.0)  # type: ignore[arg-type]
        nn.init.normal_(self.place, std=0.1)
        self.input = ImageInput(config.crop_size)

    def normalise(self, patch_bgr: Tensor) -> Tensor:
        """BGR in 0..255, any type -> what the backbone was trained on."""
        image: Tensor = self.input(patch_bgr)
        return image.contiguous(memory_format=torch.channels_last)

    def encode(self, patch_bgr: Tensor) -> Features:
        """Crops, B x 3 x crop x crop BGR in 0..255 -> features."""
        return self.join(*self.backbone(self.normalise(patch_bgr)))

    def join(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> Features:
        """The backbone's three outputs -> features."""
        both = self.neck(coarse) + self.skip(functional.pixel_unshuffle(middle, 2))
        return Features(fine, middle, self.neck_block(self.neck_norm(both)))

    def keys(self, coarse: Tensor) -> Tensor:
        """Features B x width x cells x cells -> keys B x cells^2 x K, to ask with and to be found by."""
        return by_cell(self.key(coarse))

    def values(self, coarse: Tensor, mask: Tensor, is_box: Tensor) -> Tensor:
        """Features of a crop with its label -> values B x cells^2 x value_channels.

        mask: B x 1 x 4 cells x 4 cells in [0, 1]; is_box: B x 1 x 1 x 1, 1 where the mask is a filled box.
        """
        label = functional.pixel_unshuffle(torch.cat([mask, 1 - mask, mask * is_box], 1), SUB_CELLS)
        value = self.value(self.value_block(coarse + self.label(label)))
        # The label itself is read beside the learned value: where things came from is a first mask.
        plain = label[:, : SUB_CELLS * SUB_CELLS].to(value.dtype)
        return by_cell(torch.cat([value, plain], 1))

    def memory(self, coarse: Tensor, mask: Tensor, is_box: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of crops, as `keys` and `values` give them."""
        return self.keys(coarse), self.values(coarse, mask, is_box)

    def segment(self, features: Features, keys: Tensor, values: Tensor, bias: Tensor | None, place: Tensor) -> Answer:
        """Query features, memory B x M x (K, V), logit bias B x M, spatial map B x 1 x cells x cells -> Answer."""
        return self.answer(read(self.keys(features.coarse), keys, values, bias), features, place)

    def answer(self, found: Tensor, features: Features, place: Tensor) -> Answer:
        """What was read for the query, B x cells^2 x V, its features and the spatial map -> Answer."""
        both = torch.cat([by_map(found, self.cells), features.coarse], 1)
        x = self.blocks(self.fuse_norm(self.fuse(both)) + self.place * place)
        fine = self.to_fine(self.to_middle(x, features.middle), features.fine)
        logit = self.out(functional.relu(self.out_norm(fine)))
        return Answer(logit, self._score(x, logit.detach()))

    def _score(self, x: Tensor, logit: Tensor) -> Tensor:
        """Is what the mask covers the target? The mask's own gradient is left alone."""
        share = functional.avg_pool2d(torch.sigmoid(logit.float()), SUB_CELLS)
        total = share.sum((2, 3))
        inside = (x * share).sum((2, 3)) / (total + 0.1)
        peak = torch.sigmoid(logit.float()).amax((2, 3))
        size = torch.log1p(total)
        score: Tensor = self.score(torch.cat([inside, x.mean((2, 3)), peak, size], 1))
        return score[:, 0]
