"""The network of the paper, completed from SiamRPN++ (backbone, adjust layer, crops) and CenterNet (head).

| SiamSTM (paper) | here | why |
|---|---|---|
| names no sizes behind the backbone | 1x1 to 256 channels, batch norm; template cut to 7 x 7 cells | SiamRPN++ |
| correlates z and x | behind a 3x3 convolution each | SiamRPN++; 25 x 25 answers either way |
| one Ch_Trans drawn an input | each has its own weights | the drawing |
| mask branch of VOT2020, not described | `mask.py` | SiamMask |

Crop pixels: template 127, the middle of a search crop of 255 (`crop_size`). Cell j of the features at stride 8,
31 x 31, has its centre at 7.5 + 8 j, one at stride 4, 63 x 63, at 3.5 + 4 j; answer i, 25 x 25, is of the point
31.5 + 8 i (SiamRPN++ counts pixels by their numbers: half a pixel less). No layer knows how large a crop is: weights
that learned from one size answer for another.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.parts import backbones
from stm_tracker_ros.parts.layout import layout_of
from stm_tracker_ros.trackers.siamstm.config import PaperNetworkConfig
from stm_tracker_ros.trackers.siamstm.correlation import Correlation, Template
from stm_tracker_ros.trackers.siamstm.head import Head, Prediction, branch
from stm_tracker_ros.trackers.siamstm.lite_network import Features
from stm_tracker_ros.trackers.siamstm.mask import FINE, FINE_STRIDE, MIDDLE, MaskBranch, window

STRIDE, FIRST = 8, 31.5
TEMPLATE, KERNEL = 127, 7
BEFORE = 3  # cells of the features before the one at the first answer's point


class PaperNetwork(nn.Module):
    """Backbone, adjust layer, correlation, head and mask branch; remembers nothing between calls."""

    template_size = TEMPLATE

    def __init__(self, config: PaperNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.crop_size, channels = config.crop_size, config.channels
        self.cells = config.crop_size // STRIDE - KERNEL + 1
        self.backbone = backbones.build(config.backbone, (4, 8), width=config.width)
        fine, coarse = (self.backbone.channels[stride] for stride in (4, 8))
        self.adjust = nn.Sequential(nn.Conv2d(coarse, channels, 1, bias=False), nn.BatchNorm2d(channels))
        self.correlation = Correlation(channels, KERNEL, config.correlation, nn.BatchNorm2d)
        parts = (2, 2) if config.head == "center" else (4,)
        make = partial(branch, channels, channels)
        self.head = Head(config.head, make, parts, count=self.cells, first=FIRST, stride=STRIDE)
        self.mask = MaskBranch(channels, channels, fine, config.mask_width)

    def encode(self, patch_bgr: Tensor) -> Features:
        """Crops, B x 3 x S x S BGR in 0..255 -> features, 31 x 31 of 255 pixels, 15 x 15 of 127."""
        return self.adjusted(*self.backbone(self.prepared(patch_bgr)))

    def prepared(self, patch_bgr: Tensor) -> Tensor:
        """Crops as the backbone takes them."""
        return patch_bgr.float().contiguous(memory_format=layout_of(self.backbone.stem.weight))

    def adjusted(self, fine: Tensor, coarse: Tensor) -> Features:
        """The backbone's maps -> features."""
        return Features(fine, adjusted := self.adjust(coarse), adjusted)

    def template(self, coarse: Tensor, boxes: Tensor) -> Template:
        """Features at stride 8 of template crops, 15 x 15 -> what is kept of their middles, whatever the boxes."""
        margin = (KERNEL - coarse.shape[-1]) // 2
        return self.correlation.template(functional.pad(coarse, [margin] * 4))

    def correlate(self, template: Template, coarse: Tensor) -> Tensor:
        """A template and the features at stride 8 of a crop -> B x channels x cells x cells."""
        return self.correlation(template, coarse)  # type: ignore[no-any-return]

    def answer(self, correlated: Tensor) -> Prediction:
        """What `correlate` gave -> a box and a score for each of its cells."""
        return self.head(correlated)  # type: ignore[no-any-return]

    def windows(
        self, correlated: Tensor, features: Features, rows: list[int], columns: list[int]
    ) -> tuple[Tensor, ...]:
        """What the mask branch wants of a cell of each crop: vectors, windows at strides 8 and 4, as it says."""
        vectors = correlated[torch.arange(len(rows)), :, rows, columns]
        middle = window(features.coarse, *_starts(rows, columns, BEFORE - MIDDLE // 2, 1), MIDDLE)
        return vectors, middle, window(features.fine, *_starts(rows, columns, _first_fine(0), 2), FINE)

    def window_edge(self, place: int) -> float:
        """Where the mask's window about the cells of that row or column begins, in crop pixels."""
        return FINE_STRIDE * _first_fine(place) + 1.5


def _first_fine(place: int) -> int:
    """The window's first cell at stride 4; cell 2 j + 1 there has the centre of cell j at stride 8."""
    return 2 * (place + BEFORE) + 1 - FINE // 2


def _starts(rows: list[int], columns: list[int], first: int, step: int) -> tuple[list[int], list[int]]:
    return [first + step * row for row in rows], [first + step * column for column in columns]
