"""The lite network as the tracker uses it: numpy in, numpy out, one copy from the device a frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.parts.inference import optimised
from stm_tracker_ros.trackers.dmb.lite_network import MASK_STRIDE, STRIDE, Features, LiteNetwork

WARM_UP_SLOTS = (1, 2, 3, 4, 5, 6)


class Segmented(NamedTuple):
    """Mask logits (a cell every `mask_stride` pixels of the crop) and the score in [0, 1]."""

    logit: NDArray[np.float32]
    score: float


class Stepper:
    """`encode` a crop, `segment` it, `remember` it."""

    def __init__(self, network: LiteNetwork, device: torch.device) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self.network.requires_grad_(False)
        self.device = device
        self.crop_size, self.cells = network.config.crop_size, network.cells
        self.mask_cells, self.mask_stride, self.stride = self.crop_size // MASK_STRIDE, MASK_STRIDE, STRIDE
        image = torch.zeros(1, 3, self.crop_size, self.crop_size, dtype=torch.uint8, device=device)
        mask = torch.zeros(1, 1, self.mask_cells, self.mask_cells, device=device)
        flag = torch.zeros(1, 1, 1, 1, device=device)
        place = torch.zeros(1, 1, self.cells, self.cells, device=device)
        self._encode = optimised(network, network.encode, image)
        features = Features(*self._encode(image))
        self._memory = optimised(network, network.memory, features.coarse, mask, flag)
        key, value = self._memory(features.coarse, mask, flag)
        self._respond = optimised(network, self._answer, *features, key, value, self._bias(1, 1.0), place)
        for slots in WARM_UP_SLOTS:
            repeated = (key.repeat(1, slots, 1), value.repeat(1, slots, 1), self._bias(slots, 1.0))
            self._respond(*features, *repeated, place)

    def bank(self, capacity: int) -> MemoryBank:
        """An empty memory for this network."""
        cells = self.cells * self.cells
        shapes = [(cells, self.network.config.key_channels), (cells, self.network.value_channels)]
        return MemoryBank(capacity, shapes, self.device, torch.float32)

    @torch.inference_mode()
    def encode(self, patches: Sequence[Pixels]) -> list[Features]:
        """Crops, size x size x 3 BGR -> features of each on the device."""
        images = (torch.from_numpy(np.ascontiguousarray(p)).to(self.device) for p in patches)
        return [Features(*self._encode(image.permute(2, 0, 1)[None])) for image in images]

    @torch.inference_mode()
    def remember(self, features: Features, mask: NDArray[np.float32], *, is_box: bool = False) -> tuple[Tensor, Tensor]:
        """Features of a crop and its mask, mask_cells x mask_cells in [0, 1] -> key and value of one slot."""
        label = torch.from_numpy(mask).to(self.device)[None, None]
        flag = torch.full((1, 1, 1, 1), float(is_box), device=self.device)
        key, value = self._memory(features.coarse, label, flag)
        return key[0], value[0]

    @torch.inference_mode()
    def segment(
        self, features: Features, bank: MemoryBank, slots: list[int], place: Tensor, first_weight: float
    ) -> Segmented:
        """What is the target? `slots[0]` is the first frame's; place: the spatial map, cells x cells."""
        keys, values = (part[slots].flatten(0, 1)[None] for part in bank.parts)
        bias = self._bias(len(slots), first_weight)
        answer = self._respond(*features, keys, values, bias, place[None, None]).cpu().numpy()
        cells = self.mask_cells
        return Segmented(answer[:-1].reshape(cells, cells), float(1 / (1 + math.exp(-float(answer[-1])))))

    def _bias(self, slots: int, first_weight: float) -> Tensor:
        cells = self.cells * self.cells
        bias = torch.zeros(1, slots * cells, device=self.device)
        bias[:, :cells] = self.network.first_frame_bias + math.log(first_weight)
        return bias

    def _answer(
        self, fine: Tensor, middle: Tensor, coarse: Tensor, keys: Tensor, values: Tensor, bias: Tensor, place: Tensor
    ) -> Tensor:
        answer = self.network.segment(Features(fine, middle, coarse), keys, values, bias, place)
        return torch.cat([answer.mask_logit.flatten(), answer.score_logit])
