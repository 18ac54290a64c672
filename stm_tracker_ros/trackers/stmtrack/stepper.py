"""The network as the tracker uses it: numpy in, numpy out, one copy from the device a frame."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stm_tracker_ros.core.types import Box, Pixels
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork


class Stepper:
    """`encode` a crop, `ask` the memory about it, `remember` it."""

    def __init__(self, network: LiteNetwork, device: torch.device) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self.network.requires_grad_(False)
        self.device = device
        self.crop_size, self.cells = network.config.crop_size, network.cells

    def bank(self, capacity: int) -> MemoryBank:
        """An empty memory for this network."""
        cells, config = self.cells * self.cells, self.network.config
        shapes = [(cells, config.key_channels), (cells, config.width)]
        return MemoryBank(capacity, shapes, self.device, torch.float32)

    @torch.inference_mode()
    def encode(self, patch: Pixels) -> Tensor:
        """Crop, size x size x 3 BGR -> features on the device."""
        image = torch.from_numpy(patch).to(self.device).permute(2, 0, 1)[None]
        return self.network.encode(image)

    @torch.inference_mode()
    def remember(self, features: Tensor, box: Box) -> tuple[Tensor, Tensor]:
        """Features of a crop and the target's box in it (crop pixels) -> key and value of one slot."""
        x, y, width, height = box
        corners = torch.tensor([[x, y, x + width, y + height]], dtype=torch.float32, device=self.device)
        key, value = self.network.memory(features, corners)
        return key[0], value[0]

    @torch.inference_mode()
    def ask(self, features: Tensor, bank: MemoryBank, slots: list[int]) -> NDArray[np.float64]:
        """Where is the target? `slots[0]` is the first frame's. Returns N x 5: corners in crop pixels, score."""
        keys, values = (part[slots].flatten(0, 1)[None] for part in bank.parts)
        bias = torch.zeros(1, keys.shape[1], device=self.device)
        bias[:, : self.cells * self.cells] = self.network.first_frame_bias
        prediction = self.network.respond(features, keys, values, bias)
        score = torch.sigmoid(prediction.cls_logit) * torch.sigmoid(prediction.ctr_logit)
        answer = torch.cat([prediction.box, score[..., None]], -1)[0]
        return answer.cpu().numpy().astype(np.float64)
