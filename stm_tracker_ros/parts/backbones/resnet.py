"""ResNet-18 and ResNet-50 (He et al., CVPR 2016) up to stride 16, where STM and DMB cut ResNet-50, or up to 32.

Layer names are torchvision's, so that published weights fit. Input: whatever the weights were trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.parts.backbones.pyramid import Pyramid

EXPANSION = 4
WIDTH = 64
BLOCKS_18, BLOCKS_50 = (2, 2, 2, 2), (3, 4, 6, 3)  # of each stage
STRIDES = (4, 8, 16, 32)  # of each stage
CUT = STRIDES[:3]  # what is built unless more is asked for


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with norms, and the identity or its projection around them."""

    def __init__(self, channels_in: int, channels: int, stride: int, *, stride_in_first_conv: bool) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_in_first_conv else (1, stride)
        channels_out = channels * EXPANSION
        self.conv1 = nn.Conv2d(channels_in, channels, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, second, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, channels_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Sequential | None = None
        if stride > 1 or channels_in != channels_out:
            projection = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the next block's input."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(functional.relu(self.bn2(self.conv2(y)))))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class Basic(nn.Module):
    """Two 3x3 with norms, and the identity or its projection around them."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Sequential | None = None
        if stride > 1 or channels_in != channels:
            projection = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the next block's input."""
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class _ResNet(Pyramid):
    """The first three stages, and the fourth if its stride is asked for.

    Norms keep the statistics that they were published with, in training as well.
    """

    def __init__(
        self,
        strides: tuple[int, ...],
        width: int,
        counts: tuple[int, ...],
        expansion: int,
        block: Callable[..., nn.Module],
    ) -> None:
        """counts: blocks of each stage; block: takes channels in, inner channels and stride."""
        ends = dict(zip(STRIDES, accumulate(counts), strict=True))
        super().__init__(strides, {s: expansion * width * s // STRIDES[0] for s in STRIDES}, ends)
        has_fourth = STRIDES[3] in strides
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        stages, channels = [], width
        for stage, count in enumerate(counts if has_fourth else counts[:3]):
            blocks = []
            for number in range(count):
                stride = 2 if stage and not number else 1
                inner = width * 2**stage
                blocks.append(block(channels, inner, stride))
                channels = inner * expansion
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3 = stages[:3]
        self.layer4 = stages[3] if has_fourth else None
        self.train()

    @property
    def stem(self) -> nn.Conv2d:  # type: ignore[override]
        """The first convolution."""
        return self.conv1

    def in_order(self) -> list[nn.Module]:
        """All blocks, the first one first."""
        return [*self.layer1, *self.layer2, *self.layer3, *(self.layer4 or ())]

    def first(self, image: Tensor) -> Tensor:
        """The first convolution, its norm and the pool."""
        return self.pooled(self.conv1(image))

    def pooled(self, convolved: Tensor) -> Tensor:
        """What the first convolution gives, B x width x H/2 x W/2 -> what the blocks take."""
        return functional.max_pool2d(functional.relu(self.bn1(convolved)), 3, 2, 1)

    def train(self, mode: bool = True) -> _ResNet:
        """As for any module, but for the norms."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


class ResNet18(_ResNet):
    """Two 3x3 a block: 64, 128, 256 and 512 channels at strides 4, 8, 16 and 32."""

    def __init__(self, strides: tuple[int, ...] = CUT) -> None:
        super().__init__(strides, WIDTH, BLOCKS_18, 1, Basic)


class ResNet50(_ResNet):
    """Bottlenecks: 4, 8, 16 and 32 x width channels at strides 4, 8, 16 and 32.

    width: 64 in the published one; stride_in_first_conv: true for Caffe's weights.
    """

    def __init__(
        self, width: int = WIDTH, *, strides: tuple[int, ...] = CUT, stride_in_first_conv: bool = False
    ) -> None:
        block = partial(Bottleneck, stride_in_first_conv=stride_in_first_conv)
        super().__init__(strides, width, BLOCKS_50, EXPANSION, block)


class MaskedResNet50(ResNet50):
    """Two more first convolutions, for a foreground and a background mask, added to that of the image (STM)."""

    def __init__(
        self, width: int = WIDTH, *, strides: tuple[int, ...] = CUT, stride_in_first_conv: bool = False
    ) -> None:
        super().__init__(width, strides=strides, stride_in_first_conv=stride_in_first_conv)
        self.conv1_foreground = nn.Conv2d(1, width, 7, 2, 3, bias=False)
        self.conv1_background = nn.Conv2d(1, width, 7, 2, 3, bias=False)

    def forward(self, image: Tensor, mask: Tensor | None = None) -> tuple[Tensor, ...]:
        """Images and masks B x 1 x H x W in [0, 1] (None: nothing is target) -> a map for each of `channels`."""
        mask = torch.zeros_like(image[:, :1]) if mask is None else mask
        first = self.conv1(image) + self.conv1_foreground(mask) + self.conv1_background(1 - mask)
        return self.through(self.pooled(first))
