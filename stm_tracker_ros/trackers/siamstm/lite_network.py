"""The lite SiamSTM network: MobileNetV2 to stride 16, for one CPU core.

| SiamSTM (paper) | here | why |
|---|---|---|
| ResNet-50 dilated to stride 8, 255 px | MobileNetV2 to stride 16, 192 px | 14 -> 0.25 GMAC a frame |
| template of 127 px, encoded by itself | the middle of the first crop's features | one size, one pass |
| all of the template counts | weighted by its box, whose sides are told (`labelled`) | what is target, which part |
| 7 x 7 cells in 31 x 31, no padding, 25 x 25 | 4 x 4 on 12 x 12, padding 2, 13 x 13 | sees targets at the edge |
| batch norms, 256 channels | layer norms over channels, 96 channels | learns from small batches; time |
| head of 3x3 convolutions | of depth-wise blocks, offset and size in one branch | time |

Crop pixel coordinates run from 0 to `crop_size`; feature cell i at stride s covers [s i, s i + s). An even kernel lies
about a corner of cells: answer i is of the point 16 i.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.parts import backbones
from stm_tracker_ros.parts.backbones.mobilenet_v2 import ImageInput
from stm_tracker_ros.parts.backbones.pyramid import Pyramid
from stm_tracker_ros.parts.label_map import coverage
from stm_tracker_ros.parts.layers import Block, CellNorm
from stm_tracker_ros.parts.layout import layout_of
from stm_tracker_ros.trackers.siamstm.config import LiteNetworkConfig
from stm_tracker_ros.trackers.siamstm.correlation import Correlation, Template
from stm_tracker_ros.trackers.siamstm.head import USUAL_SIDE, Head, Prediction, lite_branch
from stm_tracker_ros.trackers.siamstm.mask import FINE, FINE_STRIDE, MIDDLE, SIDE, MaskBranch, window

STRIDE = 16
SUB_CELLS = 4  # parts of a cell, a side, in which a template's box is drawn
ENCODER = ("backbone.", "skip.", "neck.", "neck_norm.", "neck_block.")  # what `stmtrack_lite` has as well


class Features(NamedTuple):
    """Of crops: maps at strides 4 and 8 for the mask, and what is correlated, B x channels (lite: at stride 16)."""

    fine: Tensor
    middle: Tensor
    coarse: Tensor


class Label(nn.Module):
    """Which part of a template is the target. Says nothing to begin with, so that weights without it go on with it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain, self.sides = nn.Conv2d(SUB_CELLS**2, channels, 1), nn.Linear(2, channels)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def weighted(self, coarse: Tensor, boxes: Tensor) -> Tensor:
        """Features by how much of each quarter of their cells the boxes cover, B x 4 corners in crop pixels."""
        cells = coarse.shape[-1]
        fine = coverage(boxes, cells * SUB_CELLS, float(cells * STRIDE))
        weighted: Tensor = coarse * (1 + self.gain(functional.pixel_unshuffle(fine, SUB_CELLS)))
        return weighted

    def told(self, template: Template, boxes: Tensor) -> Template:
        """The template, its descriptor knowing the boxes' sides."""
        sides = torch.log((boxes[:, 2:] - boxes[:, :2]).clamp(min=1) / USUAL_SIDE)
        return template._replace(descriptor=template.descriptor + self.sides(sides)[:, :, None, None])


class LiteNetwork(nn.Module):
    """Backbone, neck, correlation, head and mask branch; remembers nothing between calls."""

    def __init__(self, config: LiteNetworkConfig) -> None:
        super().__init__()
        self.config = config
        width, channels, kernel = config.width, config.channels, config.kernel
        self.crop_size = self.template_size = config.crop_size
        self.cells = config.crop_size // STRIDE + 1
        self.backbone: Pyramid = backbones.build(config.backbone, (4, 8, 16))
        maps = self.backbone.channels
        self.skip = nn.Conv2d(4 * maps[8], width, 1, bias=False)
        self.neck = nn.Conv2d(maps[16], width, 1)
        self.neck_norm = CellNorm(width)
        self.neck_block = Block(width)
        self.adjust = nn.Conv2d(width, channels, 1)
        kind = config.correlation
        self.correlation = Correlation(channels, kernel, kind, CellNorm, embeds=False, padding=kernel // 2)
        self.label = Label(channels) if config.labelled else None
        self.norm = CellNorm(channels)
        self.shared = nn.Sequential(*[Block(channels) for _ in range(config.shared_blocks)])
        branch = partial(lite_branch, channels)
        self.head = Head(config.head, branch, (4,), count=self.cells, first=0.0, stride=STRIDE)
        self.mask = MaskBranch(channels, maps[8], maps[4], config.mask_width)
        self.input = ImageInput(config.crop_size)

    def encode(self, patch_bgr: Tensor) -> Features:
        """Crops, B x 3 x crop x crop BGR in 0..255 -> features."""
        return self.join(*self.backbone(self.normalise(patch_bgr)))

    def normalise(self, patch_bgr: Tensor) -> Tensor:
        """BGR in 0..255, any type -> what the backbone was trained on, in the memory layout of its weights."""
        image: Tensor = self.input(patch_bgr)
        return image.contiguous(memory_format=layout_of(self.backbone.stem.weight))

    def join(self, stride_4: Tensor, stride_8: Tensor, stride_16: Tensor) -> Features:
        """The backbone's three outputs -> features."""
        return self.adjusted(self.encoded(stride_4, stride_8, stride_16))

    def encoded(self, stride_4: Tensor, stride_8: Tensor, stride_16: Tensor) -> Features:
        """The same as far as another tracker's encoder goes, `ENCODER`."""
        both = self.neck(stride_16) + self.skip(functional.pixel_unshuffle(stride_8, 2))
        return Features(stride_4, stride_8, self.neck_block(self.neck_norm(both)))

    def adjusted(self, encoded: Features) -> Features:
        """What `encoded` gives -> features."""
        return encoded._replace(coarse=self.adjust(encoded.coarse))

    def template(self, coarse: Tensor, boxes: Tensor) -> Template:
        """Features at stride 16 of crops with the target in their middle, its boxes there -> what is kept of it."""
        margin = [(self.config.kernel - coarse.shape[-1]) // 2] * 4
        if self.label is None:
            return self.correlation.template(functional.pad(coarse, margin))
        middle = functional.pad(self.label.weighted(coarse, boxes), margin)
        return self.label.told(self.correlation.template(middle), boxes)

    def correlate(self, template: Template, coarse: Tensor) -> Tensor:
        """A template and the features at stride 16 of a crop -> B x channels x cells x cells."""
        return self.norm(self.correlation(template, coarse))  # type: ignore[no-any-return]

    def answer(self, correlated: Tensor) -> Prediction:
        """What `correlate` gave -> a box and a score for each of its cells."""
        return self.head(self.shared(correlated))  # type: ignore[no-any-return]

    def windows(
        self, correlated: Tensor, features: Features, rows: list[int], columns: list[int]
    ) -> tuple[Tensor, ...]:
        """What the mask branch wants of a cell of each crop: vectors, windows at strides 8 and 4, as it says."""
        vectors = correlated[torch.arange(len(rows)), :, rows, columns]
        maps = []
        for one, side, stride in ((features.middle, MIDDLE, 8), (features.fine, FINE, FINE_STRIDE)):
            top, left = ([place * STRIDE // stride - side // 2 for place in places] for places in (rows, columns))
            maps.append(window(one, top, left, side))
        return vectors, *maps

    def window_edge(self, place: int) -> float:
        """Where the mask's window about the cells of that row or column begins, in crop pixels."""
        return float(STRIDE * place - SIDE // 2)
