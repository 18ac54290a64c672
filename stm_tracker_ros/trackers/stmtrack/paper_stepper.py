"""The network of the paper as the tracker uses it: numpy in, numpy out, one copy from the device a frame."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stm_tracker_ros.core.types import Box, Pixels
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.parts.label_map import inside
from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork


class PaperStepper:
    """As `stepper.Stepper`, but the memory sees a crop of its own about the found box, with the target marked."""

    fresh_memory_crop = True

    def __init__(self, network: PaperNetwork, device: torch.device) -> None:
        network = network.to(device).eval().requires_grad_(False)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = device
        self.crop_size, self.cells = network.config.crop_size, network.cells

    def bank(self, capacity: int) -> MemoryBank:
        """An empty memory for this network."""
        shape = (self.cells * self.cells, self.network.config.channels)
        return MemoryBank(capacity, [shape], self.device, torch.float32)

    def upload(self, patch: Pixels) -> Tensor:
        """Crop, size x size x 3 BGR -> the same on the device, 1 x 3 x size x size."""
        return torch.from_numpy(patch).to(self.device).permute(2, 0, 1)[None]

    @torch.inference_mode()
    def encode(self, patch: Pixels) -> Tensor:
        """Query crop, size x size x 3 BGR -> features on the device."""
        return self.network.query(self.upload(patch))

    @torch.inference_mode()
    def remember(self, image: Tensor, box: Box) -> tuple[Tensor]:
        """Memory crop from `upload` and the target's box in it (crop pixels, edges) -> feature of one slot."""
        x, y, width, height = box
        corners = torch.tensor([[x, y, x + width, y + height]], dtype=torch.float32, device=self.device)
        return self.remember_marked(image, inside(corners, self.crop_size))

    @torch.inference_mode()
    def remember_marked(self, image: Tensor, label_map: Tensor) -> tuple[Tensor]:
        """The same with a label map, 1 x 1 x size x size."""
        return (self.network.memory(image, label_map)[0],)

    @torch.inference_mode()
    def ask(self, features: Tensor, bank: MemoryBank, slots: list[int]) -> NDArray[np.float64]:
        """Where is the target? Returns cells^2 x 5: edges x1, y1, x2, y2 in crop pixels, score."""
        memory = bank.parts[0][slots].flatten(0, 1)[None]
        prediction = self.network.respond(features, memory)
        score = torch.sigmoid(prediction.cls_logit) * torch.sigmoid(prediction.ctr_logit)
        answer = torch.cat([prediction.box, score[..., None]], -1)[0].cpu().numpy().astype(np.float64)
        answer[:, 2:4] += 1.0  # from the number of the last pixel to its far edge
        return answer
