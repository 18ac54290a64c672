"""The network of the paper: two ResNet-50 up to stride 16, labelled memory, read, decoder with refinement.

| paper | authors' code | here |
|---|---|---|
| the filter's map is added to the read-out | the distance to the crop's centre, later | what is given, later |
| mask probabilities | sharpened by STM's soft aggregation | likewise (`aggregates`); it doubles the logit |
| key and value by 1/8 and 1/2 of the channels | 128 and 512 | `key_channels`, `value_channels` |

Batch norms stay as they were trained on ImageNet, in training as well, as in the authors' code.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.parts.backbones.mobilenet_v2 import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB
from stm_tracker_ros.parts.backbones.resnet import MaskedResNet50, ResNet50
from stm_tracker_ros.parts.layers import by_cell, by_map
from stm_tracker_ros.parts.read import read
from stm_tracker_ros.trackers.dmb.config import PaperNetworkConfig
from stm_tracker_ros.trackers.dmb.lite_network import Answer

CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
CONFIDENT_EPS = 1e-4


class PaperFeatures(NamedTuple):
    """Features of the query's backbone at strides 4, 8 and 16, and its value."""

    fine: Tensor
    middle: Tensor
    coarse: Tensor
    value: Tensor


class Residual(nn.Module):
    """x + conv(relu(conv(relu(x)))), 3x3 each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Refine; shape is kept."""
        y: Tensor = self.conv2(functional.relu(self.conv1(functional.relu(x))))
        return x + y


class RefineStage(nn.Module):
    """Twice the resolution: the coarse map, bilinear, plus the query's features of that stride."""

    def __init__(self, skip_in: int, channels: int) -> None:
        super().__init__()
        self.skip = nn.Conv2d(skip_in, channels, 3, padding=1)
        self.skip_block = Residual(channels)
        self.block = Residual(channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """B x channels x H x W and B x skip_in x 2H x 2W -> B x channels x 2H x 2W."""
        large = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        y: Tensor = self.block(self.skip_block(self.skip(skip)) + large)
        return y


class PaperNetwork(nn.Module):
    """Memory encoder, query encoder, read and decoder; remembers nothing between calls."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: PaperNetworkConfig) -> None:
        super().__init__()
        self.config = config
        width, channels = config.width, config.decoder_channels
        caffe = config.layout == "caffe"
        self.cells = config.crop_size // 16
        self.memory_backbone = MaskedResNet50(width, stride_in_first_conv=caffe)
        self.query_backbone = ResNet50(width, stride_in_first_conv=caffe)
        deep = 16 * width
        self.memory_key = nn.Conv2d(deep, config.key_channels, 3, padding=1)
        self.memory_value = nn.Conv2d(deep, config.value_channels, 3, padding=1)
        self.query_key = nn.Conv2d(deep, config.key_channels, 3, padding=1)
        self.query_value = nn.Conv2d(deep, config.value_channels, 3, padding=1)
        self.reduce = nn.Conv2d(2 * config.value_channels, channels, 3, padding=1)
        self.reduce_block = Residual(channels)
        self.to_middle = RefineStage(8 * width, channels)
        self.to_fine = RefineStage(4 * width, channels)
        self.out = nn.Conv2d(channels, 2, 3, padding=1)
        mean, std = (
            (CAFFE_MEAN_BGR, (1.0, 1.0, 1.0)) if caffe else (_scaled(IMAGENET_MEAN_RGB), _scaled(IMAGENET_STD_RGB))
        )
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.train()

    def train(self, mode: bool = True) -> PaperNetwork:
        """Batch norms keep the statistics of ImageNet whatever the mode."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def normalise(self, patch_bgr: Tensor) -> Tensor:
        """BGR in 0..255, any type -> what the backbones were trained on."""
        image = patch_bgr if self.config.layout == "caffe" else patch_bgr.flip(1)
        return ((image.float() - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def encode(self, patch_bgr: Tensor) -> PaperFeatures:
        """Crops, B x 3 x size x size BGR in 0..255 -> features; any size that 16 divides."""
        fine, middle, coarse = self.query_backbone(self.normalise(patch_bgr))
        return PaperFeatures(fine, middle, coarse, self.query_value(coarse))

    def keys(self, coarse: Tensor) -> Tensor:
        """The query's features at stride 16 -> keys B x cells^2 x K, to ask with."""
        return by_cell(self.query_key(coarse))

    def memory(self, patch_bgr: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Crops and their masks B x 1 x 4 cells x 4 cells in [0, 1] -> keys B x cells^2 x K, values B x cells^2 x V."""
        image = self.normalise(patch_bgr)
        whole = functional.interpolate(mask, size=image.shape[-2:], mode="bilinear", align_corners=False)
        coarse = self.memory_backbone(image, whole)[2]
        return by_cell(self.memory_key(coarse)), by_cell(self.memory_value(coarse))

    def segment(self, features: PaperFeatures, keys: Tensor, values: Tensor, place: Tensor) -> Answer:
        """Query features, memory B x M x (K, V), spatial map B x 1 x cells x cells -> Answer."""
        return self.answer(read(self.keys(features.coarse), keys, values), features, place)

    def answer(self, found: Tensor, features: PaperFeatures, place: Tensor) -> Answer:
        """What was read for the query, B x cells^2 x V, its features and the spatial map -> Answer.

        The score is the mean probability within the mask: the paper has none.
        """
        both = torch.cat([by_map(found, features.coarse.shape[-1]), features.value], 1)
        x = self.reduce_block(self.reduce(both)) + place
        x = self.to_fine(self.to_middle(x, features.middle), features.fine)
        background, foreground = self.out(functional.relu(x)).float().split(1, 1)
        logit = (foreground - background) * (2.0 if self.config.aggregates else 1.0)
        return Answer(logit, _confidence(logit))


def _confidence(logit: Tensor) -> Tensor:
    """Logit of the mean probability of what is more likely target than not; very low where nothing is."""
    share = torch.sigmoid(logit.detach())
    inside = (share > 0.5).to(share.dtype)
    mean = (share * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3)).clamp(min=1)
    return torch.logit(mean.clamp(CONFIDENT_EPS, 1 - CONFIDENT_EPS))


def _scaled(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(255 * value for value in values)
