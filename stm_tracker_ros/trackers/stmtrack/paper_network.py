"""The STMTrack network as published (Fu et al., CVPR 2021) and as its authors' code runs it.

| paper | authors' code, and here | why it matters |
|---|---|---|
| the label map joins "the first layer" | behind its batch norm and ReLU, none after the sum | to load their weights |
| necks are "non-linear convolutional layers" | one linear 3x3 convolution each | likewise |
| read-out joined as concat(query, read), Eq. 4 | concat(read, query) | likewise |
| ReLU behind every convolution of the towers | none behind the last one | likewise |
| the outputs are "linear convolutional layers" | 1x1 convolution and batch norm | likewise |
| sides from exp(x) | exp(si * x + bi) * 8 with two learned numbers | likewise |
| | four convolutions r_z_k, c_z_k, r_x, c_x that nothing reads | left out here |

Names of parameters are the authors', so that conversion is a filter. Corner coordinates are theirs too: the number of
the first and of the last pixel of the box, so that its width is x2 - x1 + 1; `paper_stepper` turns them into edges.
Shapes: B batch, N memory cells (frames * cells^2), C channels of a feature (512).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.parts.backbones import inception_v3
from stm_tracker_ros.parts.layout import layout_of
from stm_tracker_ros.parts.read import read
from stm_tracker_ros.trackers.stmtrack.config import PaperNetworkConfig
from stm_tracker_ros.trackers.stmtrack.lite_network import Prediction

STRIDE = 8
BORDER_CELLS = 4  # cut off each side of the backbone's map
FIRST_POINT = 48  # pixel of the first cell's point: the grid lies centred in the crop
TOWER_CHANNELS = 256
TOWER_CONVS = 7
PRIOR_OF_TARGET = 0.01  # the classifier starts by believing in one target in a hundred cells


class Neck(nn.Module):
    """One linear convolution to the width of the memory."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.adjustor = nn.Conv2d(inception_v3.CHANNELS, channels, 3, padding=1)
        nn.init.normal_(self.adjustor.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """B x 768 x H x W -> B x C x H x W."""
        return self.adjustor(x)  # type: ignore[no-any-return]


class Tower(nn.Module):
    """Seven convolutions with ReLU between them."""

    def __init__(self, channels_in: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, TOWER_CHANNELS, 3, padding=1)
        layers: list[nn.Module] = []
        for _ in range(TOWER_CONVS - 1):
            layers += [nn.ReLU(inplace=True), nn.Conv2d(TOWER_CHANNELS, TOWER_CHANNELS, 3, padding=1)]
        self.conv_layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """B x channels x H x W -> B x 256 x H x W."""
        return self.conv_layers(self.conv1(x))  # type: ignore[no-any-return]


class Output(nn.Module):
    """1x1 convolution and batch norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(TOWER_CHANNELS, channels, 1)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """B x 256 x H x W -> B x cells x channels, row-major."""
        y: Tensor = self.bn(self.conv(x))
        return y.flatten(2).transpose(1, 2)


class Head(nn.Module):
    """Two towers, three outputs and the decoding of the sides."""

    def __init__(self, channels_in: int) -> None:
        super().__init__()
        self.cls_ctr, self.reg = Tower(channels_in), Tower(channels_in)
        self.cls_score, self.ctr_score, self.reg_offsets = Output(1), Output(1), Output(4)
        self.si, self.bi = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=1e-4)
        nn.init.constant_(self.cls_score.conv.bias, -math.log(1 / PRIOR_OF_TARGET - 1))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read and query features, B x 2 C x H x W -> cls and ctr logits, B x cells, and raw sides, B x cells x 4."""
        what, where = self.cls_ctr(x), self.reg(x)
        return self.cls_score(what)[..., 0], self.ctr_score(what)[..., 0], self.reg_offsets(where)

    def sides(self, raw: Tensor) -> Tensor:
        """Raw sides -> distances to left, top, right, bottom in crop pixels."""
        return torch.exp(self.si * raw + self.bi) * STRIDE


class PaperNetwork(nn.Module):
    """Two backbones, memory read and head; remembers nothing between calls."""

    grid: Tensor

    def __init__(self, config: PaperNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.cells = config.crop_size // STRIDE - 3 - 2 * BORDER_CELLS
        self.basemodel_m = inception_v3.InceptionV3(with_label_map=True)
        self.basemodel_q = inception_v3.InceptionV3()
        self.neck_m, self.neck_q = Neck(config.channels), Neck(config.channels)
        self.head = Head(2 * config.channels)
        points = torch.arange(self.cells) * float(STRIDE) + FIRST_POINT
        grid = torch.stack(torch.meshgrid(points, points, indexing="xy"), -1).view(-1, 2)
        self.register_buffer("grid", grid, persistent=False)

    def memory(self, patch_bgr: Tensor, label_map: Tensor) -> Tensor:
        """Crops B x 3 x S x S BGR in 0..255 and maps B x 1 x S x S, 1 on the target -> B x cells^2 x C."""
        x = self.basemodel_m(self.normalise(patch_bgr), label_map)
        return cells_first(self.neck_m(without_border(x)))

    def normalise(self, patch_bgr: Tensor) -> Tensor:
        """BGR in 0..255, any type -> RGB in [-1, 1], as the backbones were trained, in the layout of their weights."""
        layout = layout_of(self.basemodel_q.Conv2d_1a_3x3.conv.weight)
        return ((patch_bgr.flip(1).float() - 127.5) / 127.5).contiguous(memory_format=layout)

    def query(self, patch_bgr: Tensor) -> Tensor:
        """Crops B x 3 x S x S BGR in 0..255 -> features B x C x cells x cells."""
        return self.neck_q(without_border(self.basemodel_q(self.normalise(patch_bgr))))  # type: ignore[no-any-return]

    def join(self, query: Tensor, memory: Tensor) -> Tensor:
        """Query B x C x cells x cells, memory B x N x C -> read beside query, B x 2 C x cells x cells (Eq. 3, 4)."""
        return joined(read(cells_first(query), memory, memory), query)

    def respond(self, query: Tensor, memory: Tensor) -> Prediction:
        """Query B x C x cells x cells, memory B x N x C -> Prediction; corners as the module says."""
        return self.answer(read(cells_first(query), memory, memory), query)

    def answer(self, found: Tensor, query: Tensor) -> Prediction:
        """What was read, B x cells^2 x C, and the query B x C x cells x cells -> Prediction."""
        cls_logit, ctr_logit, raw = self.head(joined(found, query))
        sides = self.head.sides(raw)
        box = torch.cat([self.grid - sides[..., :2], self.grid + sides[..., 2:]], -1)
        return Prediction(cls_logit, ctr_logit, box)


def joined(found: Tensor, query: Tensor) -> Tensor:
    """What was read, B x cells^2 x C, beside the query B x C x cells x cells -> B x 2 C x cells x cells (Eq. 4)."""
    return torch.cat([found.transpose(1, 2).reshape(query.shape), query], 1)


def without_border(x: Tensor) -> Tensor:
    """Cut four cells off each side of B x C x H x W."""
    return functional.pad(x, [-BORDER_CELLS] * 4)


def cells_first(x: Tensor) -> Tensor:
    """B x C x H x W -> B x H W x C."""
    return x.flatten(2).transpose(1, 2)
