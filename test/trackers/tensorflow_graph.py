"""The Inception-v3 graph of 2015, as published archives hold it, at random weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Layer(nn.Module):
    """A convolution as the graph of 2015 has it: the norm has no gamma."""

    def __init__(self, channels_in: int, channels_out: int, height: int, width: int, stride: int = 1, pad: int = 1):
        super().__init__()
        self.stride, self.padding = stride, (pad * (height // 2), pad * (width // 2))
        fan_in = channels_in * height * width
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, height, width) * (2 / fan_in) ** 0.5)
        self.beta, self.mean = (nn.Parameter(0.1 * torch.randn(channels_out)) for _ in range(2))
        self.var = nn.Parameter(0.5 + torch.rand(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv2d(x, self.weight, None, self.stride, self.padding)
        return functional.relu(functional.batch_norm(x, self.mean, self.var, None, self.beta, eps=1e-3))


def chain(*layers: Layer) -> nn.Sequential:
    """Layers called conv, conv_1, ... one after the other."""
    tower = nn.Sequential()
    for index, layer in enumerate(layers):
        tower.add_module(f"conv_{index}" if index else "conv", layer)
    return tower


class Block(nn.Module):
    """Branches side by side, the last one behind a mean pool."""

    def __init__(self, conv: Layer, tower: nn.Module, tower_1: nn.Module, tower_2: nn.Module) -> None:
        super().__init__()
        self.conv, self.tower, self.tower_1, self.tower_2 = conv, tower, tower_1, tower_2

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.tower_2(functional.avg_pool2d(x, 3, 1, 1))
        return torch.cat([self.conv(x), self.tower(x), self.tower_1(x), pooled], 1)


class Halving(nn.Module):
    """Two strided branches and a max-pool."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = Layer(288, 384, 3, 3, 2, 0)
        self.tower = chain(Layer(288, 64, 1, 1), Layer(64, 96, 3, 3), Layer(96, 96, 3, 3, 2, 0))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.conv(x), self.tower(x), functional.max_pool2d(x, 3, 2)], 1)


def mixed_5(channels: int, pool: int) -> Block:
    double = chain(Layer(channels, 64, 1, 1), Layer(64, 96, 3, 3), Layer(96, 96, 3, 3))
    five = chain(Layer(channels, 48, 1, 1), Layer(48, 64, 5, 5))
    return Block(Layer(channels, 64, 1, 1), five, double, chain(Layer(channels, pool, 1, 1)))


def mixed_6(c: int) -> Block:
    seven = chain(Layer(768, c, 1, 1), Layer(c, c, 1, 7), Layer(c, 192, 7, 1))
    double = chain(Layer(768, c, 1, 1), Layer(c, c, 7, 1), Layer(c, c, 1, 7), Layer(c, c, 7, 1), Layer(c, 192, 1, 7))
    return Block(Layer(768, 192, 1, 1), seven, double, chain(Layer(768, 192, 1, 1)))


class Graph(nn.Module):
    """The graph of 2015 with its own names, without STMTrack's second max-pool, and one block beyond ours."""

    def __init__(self) -> None:
        super().__init__()
        stem = (Layer(3, 32, 3, 3, 2, 0), Layer(32, 32, 3, 3, pad=0), Layer(32, 64, 3, 3), Layer(64, 80, 1, 1))
        self.layers = chain(*stem, Layer(80, 192, 3, 3, pad=0))
        blocks = [mixed_5(192, 32), mixed_5(256, 64), mixed_5(288, 64), Halving()]
        blocks += [mixed_6(128), mixed_6(160), mixed_6(160), mixed_6(192)]
        for index, block in enumerate(blocks):
            self.layers.add_module(f"mixed_{index}" if index else "mixed", block)
        self.layers.add_module("mixed_8", chain(Layer(768, 4, 1, 1)))

    def features(self, x: Tensor) -> Tensor:
        for index, layer in enumerate(list(self.layers)[:-1]):
            x = functional.max_pool2d(layer(x), 3, 2) if index == 2 else layer(x)
        return x


class Wrapped(nn.Module):
    """The names of the published archive begin with `net.`."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
