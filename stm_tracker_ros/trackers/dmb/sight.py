"""The filter's map, on its way from its own crop to the one that is segmented."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from stm_tracker_ros.core.matching import Crop
from stm_tracker_ros.trackers.dmb.lite_network import STRIDE
from stm_tracker_ros.trackers.dmb.masks import Share

HIGHEST_MAP, LOWEST_MAP = 1.2, -0.1  # what the decoder knows from training


class Sight(NamedTuple):
    """The crop that the filter sees: where it lies, its features 1 x C x h x w, and the filter's map h x w of them."""

    crop: Crop
    features: Tensor
    response: Tensor


def guide(kind: str, sight: Sight, crop: Crop, cells: int) -> Tensor:
    """The spatial map that enters the decoder for `crop`, cells x cells, in the range that it knows from training."""
    response = sight.response
    if kind == "flat":
        return response.new_zeros(cells, cells)
    if kind == "distance":
        offset = (torch.arange(cells, device=response.device) + 0.5) / cells - 0.5
        return torch.sqrt(offset.square()[:, None] + offset.square())
    if sight.crop is not crop:
        response = torch.from_numpy(_resampled(sight, crop, cells)).to(response.device)
    return response.clamp(LOWEST_MAP, HIGHEST_MAP)


def _resampled(sight: Sight, crop: Crop, cells: int) -> Share:
    """The filter's map on the grid of the crop that is segmented, 0 beyond its own crop."""
    step = crop.scale / sight.crop.scale
    shift = [
        (there - here) / sight.crop.scale / STRIDE + 0.5 * step - 0.5
        for there, here in ((crop.left, sight.crop.left), (crop.top, sight.crop.top))
    ]
    to_sight = np.array([[step, 0.0, shift[0]], [0.0, step, shift[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(sight.response.cpu().numpy(), to_sight, (cells, cells), flags=flags), np.float32)
