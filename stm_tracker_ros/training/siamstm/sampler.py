"""Samples of SiamSTM: five crops of one object, of which the first shows the template and two pairs are searched.

The paper draws triplets, a template and two search frames at most 100 apart. Here one template serves two pairs: crops
2 and 3, 4 and 5. The first crop is placed as the tracker cuts the first frame, about the target itself, and nearly so
large as it shall be; the template is cut out of its middle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from stm_tracker_ros.training.config import SamplerConfig
from stm_tracker_ros.training.loading import worker_seed
from stm_tracker_ros.training.pack import Pack
from stm_tracker_ros.training.sampler import ABSENT, Sampler, _Crop
from stm_tracker_ros.training.similar import Similar, known
from stm_tracker_ros.training.transforms import Affine, crop_affine

TEMPLATE_SHIFT, TEMPLATE_SCALE = 4 / 255, 0.05  # of the crop's side; log of the size (SiamRPN++)
MASK_SHARE = 2  # pixels of the crop that one pixel of a mask spans, a side


@dataclass
class Outlined:
    """A sample with masks.

    crops: 5 x size x size x 3 uint8 BGR; boxes: 5 x 4 corners in crop pixels; states: PRESENT, ABSENT or IGNORE; masks:
    5 x size / 2 x size / 2 uint8, 255 = target; is_mask: false where the masks are filled boxes, or not of these boxes.
    """

    crops: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    states: NDArray[np.int64]
    masks: NDArray[np.uint8]
    is_mask: bool

    def tensors(self) -> tuple[Tensor, ...]:
        """All of it, for a loader."""
        arrays = (self.crops, self.boxes, self.states, self.masks)
        return *(torch.from_numpy(array) for array in arrays), torch.tensor(self.is_mask)


class OutlinedSampler(Sampler):
    """Draws samples from a pack; the same seed gives the same samples."""

    def __init__(
        self, pack: Pack, config: SamplerConfig, crop_size: int, seed: int, similar: Similar | None = None
    ) -> None:
        super().__init__(pack, config, crop_size, seed, similar)
        self._placed = 0

    def outlined(self) -> Outlined:
        """One sample."""
        self._placed = 0
        crops = self._crops()
        boxes, states = [crop.box for crop in crops], [crop.state for crop in crops]
        masks = np.stack([self._mask(crop) for crop in crops])
        pictures = np.stack([crop.picture for crop in crops])
        is_mask = crops[0].outlined and not self.is_of_other_boxes
        return Outlined(pictures, np.asarray(boxes, np.float32), np.asarray(states), masks, is_mask)

    def _place(self, box: NDArray[np.float64]) -> Affine:
        """The first crop of a sample is the one with the template."""
        self._placed += 1
        if self._placed > 1:
            return super()._place(box)
        width, height = np.maximum(box[2:] - box[:2], 2.0)
        scale = np.exp(self.random.uniform(-TEMPLATE_SCALE, TEMPLATE_SCALE))
        side = float(self.config.search_scale * np.sqrt(width * height) * scale)
        x, y = (box[:2] + box[2:]) / 2 + self.random.uniform(-TEMPLATE_SHIFT, TEMPLATE_SHIFT, 2) * side
        return crop_affine(float(x), float(y), side, self.size)

    def _mask(self, crop: _Crop) -> NDArray[np.uint8]:
        small = self.size // MASK_SHARE
        if crop.state == ABSENT:
            return np.zeros((small, small), np.uint8)
        return np.asarray(cv2.resize(crop.mask, (small, small), interpolation=cv2.INTER_AREA), np.uint8)


def outlined_sampler(folder: Path, config: SamplerConfig, crop_size: int, seed: int) -> OutlinedSampler:
    """One on the pack in `folder`."""
    return OutlinedSampler(Pack(folder), config, crop_size, seed, known(folder, config))


class Samples(IterableDataset[tuple[Tensor, ...]]):
    """Endless samples, drawn in a worker process: crops, boxes, states, masks, is_mask."""

    def __init__(self, folder: Path, config: SamplerConfig, crop_size: int, seed: int) -> None:
        self.folder, self.config, self.crop_size, self.seed = folder, config, crop_size, seed

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        sampler = outlined_sampler(self.folder, self.config, self.crop_size, worker_seed(self.seed))
        while True:
            yield sampler.outlined().tensors()
