"""What DMV's two networks have in common: how a memory is written, asked and answered from (section 3 of the paper).

Keys are the features of a crop's cells, values know what is said of the anchors there; both pass the same way whether
the box is a human's or the network's own answer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.parts.backbones.mobilenet_v2 import ImageInput
from stm_tracker_ros.parts.backbones.pyramid import Pyramid
from stm_tracker_ros.parts.layers import by_cell, by_map
from stm_tracker_ros.parts.layout import layout_of
from stm_tracker_ros.trackers.dmv.anchors import RATIOS, anchors, displaced
from stm_tracker_ros.trackers.dmv.config import ReadConfig
from stm_tracker_ros.trackers.dmv.vote import Read, similarity

KINDS = len(RATIOS)  # anchors of a cell


class Prediction(NamedTuple):
    """Head outputs for the N anchors of a crop: score_logit B x N; displacement B x N x 4, see `anchors.py`."""

    score_logit: Tensor
    displacement: Tensor


class Network(nn.Module):
    """Value encoder and read; `lite_network` and `paper_network` bring backbone, keys and head.

    Remembers nothing between calls.
    """

    anchors: Tensor
    backbone: Pyramid
    key_channels: int

    def __init__(self, config: Any, stride: int, read: ReadConfig) -> None:
        """config: with `crop_size` and `width`; stride: pixels of a cell."""
        super().__init__()
        self.config, self.cells, self.width = config, config.crop_size // stride, config.width
        self.label = nn.Conv2d(self.width + 5 * KINDS, self.width, 3, padding=1)
        self.value = nn.Conv2d(self.width, self.width, 3, padding=1)
        self.read = Read(self.width, self.width, read)
        self.input = ImageInput(config.crop_size)
        self.register_buffer("anchors", anchors(self.cells, stride), persistent=False)

    def encode(self, patch_bgr: Tensor) -> Tensor:
        """Crops, B x 3 x crop x crop BGR in 0..255 -> features B x width x cells x cells."""
        return self.join(*self.backbone(self.normalise(patch_bgr)))

    def normalise(self, patch_bgr: Tensor) -> Tensor:
        """BGR in 0..255, any type -> what the backbone was trained on, in the memory layout of its weights."""
        image: Tensor = self.input(patch_bgr)
        return image.contiguous(memory_format=layout_of(self.backbone.stem.weight))

    def join(self, finer: Tensor, coarser: Tensor) -> Tensor:
        """The backbone's two outputs -> features B x width x cells x cells."""
        raise NotImplementedError

    def keys(self, features: Tensor) -> Tensor:
        """Features -> keys B x cells^2 x key_channels, to ask with and to be found by."""
        raise NotImplementedError

    def head(self, found: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """What was read and the features, B x C x cells x cells each -> maps of scores (5) and displacements (20)."""
        raise NotImplementedError

    def values(self, features: Tensor, score: Tensor, displacement: Tensor) -> Tensor:
        """Features with the soft label of their anchors, B x N and B x N x 4 -> what the read keeps of their values.

        B x cells^2 x `read.channels`.
        """
        cells = self.cells
        maps = [by_map(part.reshape(len(part), cells * cells, -1), cells) for part in (score, displacement)]
        labelled = torch.cat([features, *maps], 1).contiguous(memory_format=torch.channels_last)
        return self.read.kept(by_cell(self.value(functional.relu(self.label(labelled)))))

    def respond(self, features: Tensor, keys: Tensor, values: Tensor) -> Prediction:
        """Query features and memory B x M x (key_channels, read.channels) -> Prediction."""
        logits = similarity(self.keys(features), keys)
        return self.answer(self.read.values_for(logits, values), features)

    def answer(self, values: Tensor, features: Tensor) -> Prediction:
        """What was picked for each cell, B x cells^2 x K x read.channels, and the query's features -> Prediction."""
        found = by_map(self.read(values, by_cell(features)), self.cells)
        score, displacement = (by_cell(part) for part in self.head(found, features))
        return Prediction(score.flatten(1), displacement.reshape(len(displacement), -1, 4))

    def boxes(self, prediction: Prediction) -> Tensor:
        """Corners B x N x 4 in crop pixels."""
        return displaced(prediction.displacement, self.anchors)
