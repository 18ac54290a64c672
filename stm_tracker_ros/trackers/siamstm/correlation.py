"""SVC-Corr: depth-wise correlation, recalibrated by what each place and the template have in common in their channels.

Section 3.2 of the paper. Shapes: B crops, C channels, template k x k, search H x W, answer H' x W'.

| kind | descriptor of the search features | paper |
|---|---|---|
| `dw` | none: the correlation alone | Table 4, DW-XCorr |
| `svc` | pooled in each window of the template's size | Table 4, SVC-Corr |
| `channel` | pooled over the whole map, the same for every place | its missing control: channel attention |

The correlation is the mean of its products, where the paper has the sum: the layer behind it takes up the factor, and
both addends of Eq. 4 begin with one order of magnitude.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

KINDS = ("svc", "dw", "channel")
REDUCTION, FEWEST = 16, 4  # channels over those of the descriptors' hidden layer (CBAM, which the paper cites)


class Template(NamedTuple):
    """What is kept of a template: kernel B x C x k' x k' and descriptor B x C x 1 x 1 (zeros where none is used)."""

    kernel: Tensor
    descriptor: Tensor


class ChannelTransform(nn.Module):
    """Descriptors of windows (Eq. 2): a 3x3 convolution, maximum and mean of each window, one shared small network."""

    def __init__(self, channels: int, norm: Callable[[int], nn.Module], conv_padding: int) -> None:
        super().__init__()
        self.conv = conv_3x3(channels, norm, conv_padding)
        hidden = max(channels // REDUCTION, FEWEST)
        self.down, self.up = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor, window: int | None, padding: int = 0) -> Tensor:
        """B x C x H x W -> B x C x H' x W' for windows of that side; None: one descriptor of the whole map."""
        x = self.conv(x)
        if window is None:
            return self._connected(x.amax((2, 3), keepdim=True)) + self._connected(x.mean((2, 3), keepdim=True))
        most = functional.max_pool2d(x, window, 1, padding)
        mean = functional.avg_pool2d(x, window, 1, padding, count_include_pad=False)
        return self._connected(most) + self._connected(mean)

    def _connected(self, x: Tensor) -> Tensor:
        y: Tensor = self.up(functional.relu(self.down(x)))
        return y


class Correlation(nn.Module):
    """The three kinds of the module's table.

    kernel: side k of the template's features; norm: makes the norm behind each 3x3 convolution; padding: zeros around
    the search features. embeds: 3x3 convolutions before the correlation as well, as SiamRPN++ has them, all without
    padding (k' = k - 2); else template and search features are correlated as they are, as the paper writes it (k' = k).
    """

    def __init__(
        self,
        channels: int,
        kernel: int,
        kind: str,
        norm: Callable[[int], nn.Module],
        *,
        embeds: bool = True,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.kind, self.padding = kind, padding
        self.window = kernel - 2 if embeds else kernel
        self.template_conv = conv_3x3(channels, norm, 0) if embeds else nn.Identity()
        self.search_conv = conv_3x3(channels, norm, 0) if embeds else nn.Identity()
        if kind != "dw":
            self.template_transform = ChannelTransform(channels, norm, 0 if embeds else 1)
            self.search_transform = ChannelTransform(channels, norm, 0 if embeds else 1)
            self.join = nn.Conv2d(channels, channels, 1)

    def template(self, features: Tensor) -> Template:
        """Features of a template, B x C x k x k -> what is kept of it."""
        kernel = self.template_conv(features)
        if self.kind == "dw":
            return Template(kernel, torch.zeros_like(kernel[:, :, :1, :1]))
        return Template(kernel, self.template_transform(features, self.window))

    def forward(self, template: Template, search: Tensor) -> Tensor:
        """Template and search features B x C x H x W -> B x C x H' x W' (Eq. 4)."""
        found = depthwise(self.search_conv(search), template.kernel, self.padding)
        if self.kind == "dw":
            return found
        window = self.window if self.kind == "svc" else None
        weights: Tensor = self.join(template.descriptor + self.search_transform(search, window, self.padding))
        return found + weights


def depthwise(search: Tensor, kernel: Tensor, padding: int = 0) -> Tensor:
    """Each crop's channels B x C x H x W with its own kernels B x C x k x k: the mean of the k x k products."""
    batch, channels, side = kernel.shape[:3]
    one = search.reshape(1, batch * channels, *search.shape[2:])
    kernels = kernel.reshape(batch * channels, 1, side, side) / side**2
    found = functional.conv2d(one, kernels, padding=padding, groups=batch * channels)
    return found.reshape(batch, channels, *found.shape[2:])


def conv_3x3(channels: int, norm: Callable[[int], nn.Module], padding: int) -> nn.Sequential:
    """3x3 convolution, norm, ReLU."""
    conv = nn.Conv2d(channels, channels, 3, padding=padding, bias=False)
    return nn.Sequential(conv, norm(channels), nn.ReLU())
