"""The mask branch: from the correlation feature at the target's cell to a mask of the square about it (SiamMask).

| SiamMask (Wang et al., CVPR 2019) | here | why |
|---|---|---|
| a vector to 63 x 63 by a linear layer, or to 15 x 15 and refined | to 8 x 8, refined twice to 32 x 32 | time |
| features at strides 8, 4 and 2, cut about the cell | at strides 8 and 4 | the maps that are there |
| | the target's box enters as well | the head has it, and it is half the mask |
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.parts.label_map import coverage

SEED, MIDDLE, FINE = 8, 16, 32  # cells a side of the vector's picture, and of the windows at strides 8 and 4
FINE_STRIDE = 4
SIDE = FINE * FINE_STRIDE  # of the window, in crop pixels


class _Refine(nn.Module):
    """Twice the resolution: the coarse map, bilinear, plus the features of that stride, mixed by a 3x3 convolution."""

    def __init__(self, channels_in: int, skip_in: int, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels_in, channels, 1)
        self.skip = nn.Conv2d(skip_in, channels, 1)
        self.mix = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """B x channels_in x H x W and B x skip_in x 2H x 2W -> B x channels x 2H x 2W."""
        large = functional.interpolate(self.reduce(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        return functional.relu(self.mix(functional.relu(self.skip(skip) + large)))


class MaskBranch(nn.Module):
    """Vector and windows to logits; remembers nothing."""

    def __init__(self, row: int, middle: int, fine: int, width: int) -> None:
        """Channels of the correlation feature, of the features at strides 8 and 4, and of the branch itself."""
        super().__init__()
        self.seed = nn.Linear(row, width * SEED * SEED)
        self.label = nn.Conv2d(1, width, 3, padding=1)
        self.to_middle = _Refine(width, middle, width)
        self.to_fine = _Refine(width, fine, width // 2)
        self.out = nn.Conv2d(width // 2, 1, 3, padding=1)
        nn.init.constant_(self.out.bias, -1.0)  # type: ignore[arg-type]

    def forward(self, row: Tensor, middle: Tensor, fine: Tensor, box: Tensor) -> Tensor:
        """Vectors B x row, windows B x middle x 16 x 16 and B x fine x 32 x 32, boxes B x 4 -> logits B x 32 x 32.

        box: corners in pixels of the window, which has 128 a side.
        """
        label = self.label(coverage(box, SEED, float(SIDE)))
        seed = functional.relu(self.seed(row).view(label.shape) + label)
        y: Tensor = self.out(self.to_fine(self.to_middle(seed, middle), fine))
        return y[:, 0]


def window(features: Tensor, rows: list[int], columns: list[int], side: int) -> Tensor:
    """From each map of B x C x H x W the side x side cells from a row and column on; zeros where it has none."""
    return torch.stack([_cut(one, row, column, side) for one, row, column in zip(features, rows, columns, strict=True)])


def _cut(features: Tensor, row: int, column: int, side: int) -> Tensor:
    inside = features[:, max(row, 0) : max(row + side, 0), max(column, 0) : max(column + side, 0)]
    top, left = (min(max(-start, 0), side) for start in (row, column))
    bottom, right = side - top - inside.shape[1], side - left - inside.shape[2]
    return functional.pad(inside, [left, right, top, bottom])
