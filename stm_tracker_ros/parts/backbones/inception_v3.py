"""Inception-v3 (Szegedy et al., CVPR 2016) up to Mixed_6e at stride 8: the backbone of STMTrack.

| torchvision's inception_v3 | here | source |
|---|---|---|
| max-pool between Conv2d_4a_3x3 and Mixed_5b | none: stride 8 instead of 16 | STMTrack's code |
| Mixed_7*, classifier, auxiliary head | none | STMTrack, section 4.2 |
| | optional label map, added after the first layer | STMTrack, Eq. 1 |

Layer names are torchvision's, so that its file and the authors' load by name. Input: RGB in [-1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

BATCH_NORM_EPS = 1e-3
CHANNELS, STRIDE = 768, 8
Kernel = tuple[int, int]


class ConvNormRelu(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int | Kernel, stride: int = 1, pad: bool = True):
        super().__init__()
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (size[0] // 2, size[1] // 2) if pad else 0
        self.conv = nn.Conv2d(channels_in, channels_out, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels_out, eps=BATCH_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W; without padding H and W shrink by the kernel."""
        return functional.relu(self.bn(self.conv(x)), inplace=True)


def _pooled(x: Tensor) -> Tensor:
    """Mean of 3 x 3 neighbours, zeros outside counted; shape is kept."""
    return functional.avg_pool2d(x, 3, 1, 1)


class InceptionA(nn.Module):
    """1x1, 5x5, twice 3x3 and pooled branch, side by side: 224 + `pool_channels` channels."""

    def __init__(self, channels_in: int, pool_channels: int) -> None:
        super().__init__()
        self.branch1x1 = ConvNormRelu(channels_in, 64, 1)
        self.branch5x5_1 = ConvNormRelu(channels_in, 48, 1)
        self.branch5x5_2 = ConvNormRelu(48, 64, 5)
        self.branch3x3dbl_1 = ConvNormRelu(channels_in, 64, 1)
        self.branch3x3dbl_2 = ConvNormRelu(64, 96, 3)
        self.branch3x3dbl_3 = ConvNormRelu(96, 96, 3)
        self.branch_pool = ConvNormRelu(channels_in, pool_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W; H and W are kept."""
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_pooled(x))], 1)


class InceptionB(nn.Module):
    """Halve H and W by strided convolutions and a max-pool, side by side: 480 + `channels_in` channels."""

    def __init__(self, channels_in: int) -> None:
        super().__init__()
        self.branch3x3 = ConvNormRelu(channels_in, 384, 3, stride=2, pad=False)
        self.branch3x3dbl_1 = ConvNormRelu(channels_in, 64, 1)
        self.branch3x3dbl_2 = ConvNormRelu(64, 96, 3)
        self.branch3x3dbl_3 = ConvNormRelu(96, 96, 3, stride=2, pad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to (H - 1) // 2 rows and (W - 1) // 2 columns."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, functional.max_pool2d(x, 3, 2)], 1)


class InceptionC(nn.Module):
    """Branches of 1x1, 1x7 and 7x1 with `inner` channels inside; 768 channels in and out."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        across, down = (1, 7), (7, 1)
        self.branch1x1 = ConvNormRelu(CHANNELS, 192, 1)
        self.branch7x7_1 = ConvNormRelu(CHANNELS, inner, 1)
        self.branch7x7_2 = ConvNormRelu(inner, inner, across)
        self.branch7x7_3 = ConvNormRelu(inner, 192, down)
        self.branch7x7dbl_1 = ConvNormRelu(CHANNELS, inner, 1)
        self.branch7x7dbl_2 = ConvNormRelu(inner, inner, down)
        self.branch7x7dbl_3 = ConvNormRelu(inner, inner, across)
        self.branch7x7dbl_4 = ConvNormRelu(inner, inner, down)
        self.branch7x7dbl_5 = ConvNormRelu(inner, 192, across)
        self.branch_pool = ConvNormRelu(CHANNELS, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 768 x H x W; shape is kept."""
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_2(self.branch7x7dbl_1(x))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(self.branch7x7dbl_3(double)))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(_pooled(x))], 1)


class InceptionV3(nn.Module):
    """The backbone, which gives one map; `with_label_map` adds the convolution that lets it see where the target is."""

    def __init__(self, strides: tuple[int, ...] = (STRIDE,), *, with_label_map: bool = False) -> None:
        super().__init__()
        self.channels = dict.fromkeys(strides, CHANNELS)
        self.Conv2d_1a_3x3 = ConvNormRelu(3, 32, 3, stride=2, pad=False)
        self.Conv2d_2a_3x3 = ConvNormRelu(32, 32, 3, pad=False)
        self.Conv2d_2b_3x3 = ConvNormRelu(32, 64, 3)
        self.Conv2d_3b_1x1 = ConvNormRelu(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvNormRelu(80, 192, 3, pad=False)
        self.Mixed_5b = InceptionA(192, 32)
        self.Mixed_5c = InceptionA(256, 64)
        self.Mixed_5d = InceptionA(288, 64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(128)
        self.Mixed_6c = InceptionC(160)
        self.Mixed_6d = InceptionC(160)
        self.Mixed_6e = InceptionC(192)
        self.proj_fg_bg_label_map = nn.Conv2d(1, 32, 3, 2, bias=False) if with_label_map else None
        if self.proj_fg_bg_label_map is not None:
            nn.init.normal_(self.proj_fg_bg_label_map.weight, std=0.01)

    def forward(self, image: Tensor, label_map: Tensor | None = None) -> Tensor:
        """RGB B x 3 x S x S in [-1, 1], S = 8 n + 1, label map B x 1 x S x S -> B x 768 x (n - 3) x (n - 3)."""
        x = self.Conv2d_1a_3x3(image)
        if self.proj_fg_bg_label_map is not None and label_map is not None:
            x = x + self.proj_fg_bg_label_map(label_map)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(x))
        x = self.Conv2d_3b_1x1(functional.max_pool2d(x, 3, 2))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(self.Conv2d_4a_3x3(x))))
        x = self.Mixed_6b(self.Mixed_6a(x))
        return self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(x)))  # type: ignore[no-any-return]
