"""ResNet (He et al., CVPR 2016) with bottlenecks up to stride 16, as ResNet-50 is cut by STM and DMB.

Layer names are torchvision's, so that published weights fit. Input: whatever the weights were trained on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

EXPANSION = 4
RESNET_50_BLOCKS = (3, 4, 6)


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


class ResNet(nn.Module):
    """The first three stages; `width` is 64 in ResNet-50, `stride_in_first_conv` true for Caffe's weights."""

    def __init__(self, width: int = 64, *, stride_in_first_conv: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        stages, channels = [], width
        for stage, count in enumerate(RESNET_50_BLOCKS):
            blocks = []
            for number in range(count):
                stride = 2 if stage and not number else 1
                inner = width * 2**stage
                blocks.append(Bottleneck(channels, inner, stride, stride_in_first_conv=stride_in_first_conv))
                channels = inner * EXPANSION
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3 = stages

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images B x 3 x H x W -> features at strides 4, 8 and 16 with 4, 8 and 16 x width channels."""
        return self.stages(self.conv1(image))

    def stages(self, first: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the first convolution gives, B x width x H/2 x W/2 -> the same."""
        x = functional.max_pool2d(functional.relu(self.bn1(first)), 3, 2, 1)
        stride_4 = self.layer1(x)
        stride_8 = self.layer2(stride_4)
        return stride_4, stride_8, self.layer3(stride_8)


class MaskedResNet(ResNet):
    """Two more first convolutions, for a foreground and a background mask, added to that of the image (STM)."""

    def __init__(self, width: int = 64, *, stride_in_first_conv: bool = False) -> None:
        super().__init__(width, stride_in_first_conv=stride_in_first_conv)
        self.conv1_foreground = nn.Conv2d(1, width, 7, 2, 3, bias=False)
        self.conv1_background = nn.Conv2d(1, width, 7, 2, 3, bias=False)

    def forward(self, image: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Images and masks B x 1 x H x W in [0, 1] (None: nothing is target) -> features at strides 4, 8 and 16."""
        mask = torch.zeros_like(image[:, :1]) if mask is None else mask
        first = self.conv1(image) + self.conv1_foreground(mask) + self.conv1_background(1 - mask)
        return self.stages(first)
