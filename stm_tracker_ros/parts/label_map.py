"""Box -> label map: 1 inside, 0 outside."""

from __future__ import annotations

import torch
from torch import Tensor


def coverage(boxes_xyxy: Tensor, cells: int, size: float) -> Tensor:
    """Fraction of each cell that a box covers.

    boxes_xyxy: B x 4 corners in crop pixels; parts outside the crop are cut off.
    cells: the map has cells x cells cells over a crop of `size` pixels. Returns B x 1 x cells x cells in [0, 1].
    """
    edges = torch.arange(cells, device=boxes_xyxy.device, dtype=boxes_xyxy.dtype) * (size / cells)
    low, high = boxes_xyxy[:, None, :2], boxes_xyxy[:, None, 2:]
    near = torch.maximum(edges[None, :, None], low)
    far = torch.minimum(edges[None, :, None] + size / cells, high)
    overlap = (far - near).clamp(min=0) * (cells / size)
    return (overlap[:, :, None, 1] * overlap[:, None, :, 0])[:, None]


def inside(boxes_xyxy: Tensor, pixels: int) -> Tensor:
    """1 in each pixel whose centre lies in the box, else 0.

    boxes_xyxy: B x 4 corners in crop pixels. Returns B x 1 x pixels x pixels of their type.
    """
    centers = torch.arange(pixels, device=boxes_xyxy.device, dtype=boxes_xyxy.dtype) + 0.5
    low, high = boxes_xyxy[:, None, :2], boxes_xyxy[:, None, 2:]
    covered = ((centers[None, :, None] >= low) & (centers[None, :, None] < high)).to(boxes_xyxy.dtype)
    return (covered[:, :, None, 1] * covered[:, None, :, 0])[:, None]
