"""The network as the tracker uses it: numpy in, numpy out, one copy from the device a frame."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stm_tracker_ros.core.types import Box, Pixels
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.parts.inference import optimised
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork

WARM_UP_SLOTS = (1, 2, 3, 4, 5, 6)


class Stepper:
    """`encode` a crop, `ask` the memory about it, `remember` it."""

    fresh_memory_crop = False  # the memory learns from the features of the query crop

    def __init__(self, network: LiteNetwork, device: torch.device) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self.network.requires_grad_(False)
        self.device = device
        self.crop_size, self.cells = network.config.crop_size, network.cells
        image = torch.zeros(1, 3, self.crop_size, self.crop_size, dtype=torch.uint8, device=device)
        corners = torch.tensor([[96.0, 96.0, 160.0, 160.0]], device=device)
        self._encode = optimised(network, network.encode, image)
        features = self._encode(image)
        self._memory = optimised(network, network.memory, features, corners)
        key, value = self._memory(features, corners)
        self._respond = optimised(network, self._scored, features, key, value, self._bias(1))
        for slots in WARM_UP_SLOTS:
            self._respond(features, key.repeat(1, slots, 1), value.repeat(1, slots, 1), self._bias(slots))

    def bank(self, capacity: int) -> MemoryBank:
        """An empty memory for this network."""
        cells, config = self.cells * self.cells, self.network.config
        shapes = [(cells, config.key_channels), (cells, config.width)]
        return MemoryBank(capacity, shapes, self.device, torch.float32)

    def upload(self, patch: Pixels) -> Tensor:
        """Crop, size x size x 3 BGR -> the same on the device, 1 x 3 x size x size."""
        return torch.from_numpy(patch).to(self.device).permute(2, 0, 1)[None]

    @torch.inference_mode()
    def encode(self, patch: Pixels) -> Tensor:
        """Crop, size x size x 3 BGR -> features on the device."""
        features: Tensor = self._encode(self.upload(patch))
        return features

    @torch.inference_mode()
    def remember(self, features: Tensor, box: Box) -> tuple[Tensor, Tensor]:
        """Features of a crop and the target's box in it (crop pixels) -> key and value of one slot."""
        x, y, width, height = box
        corners = torch.tensor([[x, y, x + width, y + height]], dtype=torch.float32, device=self.device)
        key, value = self._memory(features, corners)
        return key[0], value[0]

    @torch.inference_mode()
    def ask(self, features: Tensor, bank: MemoryBank, slots: list[int]) -> NDArray[np.float64]:
        """Where is the target? `slots[0]` is the first frame's. Returns N x 5: corners in crop pixels, score."""
        keys, values = (part[slots].flatten(0, 1)[None] for part in bank.parts)
        answer: Tensor = self._respond(features, keys, values, self._bias(len(slots)))
        return answer.cpu().numpy().astype(np.float64)

    def _bias(self, slots: int) -> Tensor:
        cells = self.cells * self.cells
        bias = torch.zeros(1, slots * cells, device=self.device)
        bias[:, :cells] = self.network.first_frame_bias + math.log(self.network.config.first_weight)
        return bias

    def _scored(self, features: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        prediction = self.network.respond(features, keys, values, bias)
        score = torch.sigmoid(prediction.cls_logit) * torch.sigmoid(prediction.ctr_logit)
        return torch.cat([prediction.box, score[..., None]], -1)[0]
