"""ResNet-18 and ResNet-50 (He et al., CVPR 2016) up to stride 16, where STM and DMB cut ResNet-50, or up to 32.

`DilatedResNet50` is that of SiamRPN++ (Li et al., CVPR 2019; details by the authors' code), the backbone of SiamSTM:

| ResNet-50 | dilated |
|---|---|
| first convolution and the 3x3 that halves stage 2: padded | not padded |
| stage 3: halves the map | does not; dilation 2 behind its first block |
| projections: 1x1 | 3x3 in stages 2 and 3, strided and padded as the 3x3 beside them |

Layer names are torchvision's, so that published weights fit. Input: whatever the weights were trained on.
"""

from __future__ import annotations

from collections.abc import Callable
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
DILATED_STRIDES = (4, 8, 8)  # of each stage


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with norms, and the identity or its projection around them."""

    def __init__(
        self,
        channels_in: int,
        channels: int,
        stride: int,
        *,
        stride_in_first_conv: bool = False,
        padding: int = 1,
        dilation: int = 1,
        projection: int = 1,
    ) -> None:
        """padding, dilation: of the 3x3; projection: its kernel, 1, or 3 with the padding and dilation of the 3x3."""
        super().__init__()
        first, second = (stride, 1) if stride_in_first_conv else (1, stride)
        channels_out = channels * EXPANSION
        self.conv1 = nn.Conv2d(channels_in, channels, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, second, padding, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, channels_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Sequential | None = None
        if stride > 1 or channels_in != channels_out:
            around = (padding, dilation) if projection == 3 else (0, 1)
            shortcut = nn.Conv2d(channels_in, channels_out, projection, stride, *around, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(channels_out))

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


def _stride(stage: int, number: int) -> int:
    """Of a block, by stage and number in it, both from 0: all stages but the first one halve their map at once."""
    return 2 if stage and not number else 1


def _dilated(channels_in: int, channels: int, stage: int, number: int) -> Bottleneck:
    """A block of `DilatedResNet50`, see the module."""
    stride = 2 if stage == 1 and not number else 1
    dilation = 2 if stage == 2 and number else 1
    padding = 0 if stride > 1 else dilation
    return Bottleneck(channels_in, channels, stride, padding=padding, dilation=dilation, projection=3 if stage else 1)


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
        block: Callable[[int, int, int, int], nn.Module],
        at: tuple[int, ...] = STRIDES,
        padding: int = 3,
    ) -> None:
        """counts: blocks of each stage; block: takes channels in, inner channels, stage and number in it, from 0;
        at: stride of each stage, of several at one stride the last gives the map; padding: of the first convolution.
        """
        channels_at = {stride: expansion * width * 2**stage for stage, stride in enumerate(at)}
        super().__init__(strides, channels_at, dict(zip(at, accumulate(counts), strict=True)))
        has_fourth = STRIDES[3] in strides
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        stages, channels = [], width
        for stage, count in enumerate(counts if has_fourth else counts[:3]):
            blocks = []
            for number in range(count):
                inner = width * 2**stage
                blocks.append(block(channels, inner, stage, number))
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
        """What the first convolution gives -> what the blocks take, half as high and wide."""
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
        def block(channels_in: int, channels: int, stage: int, number: int) -> Basic:
            return Basic(channels_in, channels, _stride(stage, number))

        super().__init__(strides, WIDTH, BLOCKS_18, 1, block)


class ResNet50(_ResNet):
    """Bottlenecks: 4, 8, 16 and 32 x width channels at strides 4, 8, 16 and 32.

    width: 64 in the published one; stride_in_first_conv: true for Caffe's weights.
    """

    def __init__(
        self, width: int = WIDTH, *, strides: tuple[int, ...] = CUT, stride_in_first_conv: bool = False
    ) -> None:
        def block(channels_in: int, channels: int, stage: int, number: int) -> Bottleneck:
            stride = _stride(stage, number)
            return Bottleneck(channels_in, channels, stride, stride_in_first_conv=stride_in_first_conv)

        super().__init__(strides, width, BLOCKS_50, EXPANSION, block)


class DilatedResNet50(_ResNet):
    """The first three stages, the third with dilation: 4 and 16 x width channels at strides 4 and 8.

    Crops of 8 n + 7 pixels a side give n cells a side at stride 8 (15 of 127, 31 of 255), 2 n + 1 at stride 4. Cell i
    is centred at 8 i + 7.5. The published weights, trained for tracking, want BGR in 0..255 as it is.
    """

    def __init__(self, width: int = WIDTH, *, strides: tuple[int, ...] = (8,)) -> None:
        super().__init__(strides, width, BLOCKS_50[:3], EXPANSION, _dilated, DILATED_STRIDES, padding=0)


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
