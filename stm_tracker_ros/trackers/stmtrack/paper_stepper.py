"""The network of the paper as the tracker uses it: numpy in, numpy out, one copy from the device a frame."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stm_tracker_ros.core.types import Box, Pixels
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.parts.label_map import inside
from stm_tracker_ros.parts.read import read_slots
from stm_tracker_ros.parts.stages import stage
from stm_tracker_ros.parts.transfer import Upload, corners_of
from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork, cells_first


class PaperStepper:
    """As `stepper.Stepper`, but the memory sees a crop of its own about the found box, with the target marked."""

    fresh_memory_crop = True

    def __init__(self, network: PaperNetwork, runtime: InferenceRuntime) -> None:
        self.network, self.runtime, self.device = runtime.ready(network), runtime, runtime.device
        self.crop_size, self.cells = network.config.crop_size, network.cells
        self.upload = Upload(self.crop_size, self.device)
        image = self.upload(np.zeros((self.crop_size, self.crop_size, 3), np.uint8))
        label_map = torch.zeros(1, 1, self.crop_size, self.crop_size, device=self.device)
        self._query = runtime.optimised(network, network.query, image)
        self._memory = runtime.optimised(network, network.memory, image, label_map)
        self._answer = runtime.optimised(network, self._scored, self._memory(image, label_map), self._query(image))

    def bank(self, capacity: int) -> MemoryBank:
        """An empty memory for this network."""
        shape = (self.cells * self.cells, self.network.config.channels)
        return MemoryBank(capacity, [shape], self.device, self.runtime.precision)

    @torch.inference_mode()
    def encode(self, patch: Pixels) -> Tensor:
        """Query crop, size x size x 3 BGR -> features on the device, 1 x C x cells x cells."""
        with stage("query backbone"):
            features: Tensor = self._query(self.upload(patch))
            return features

    @torch.inference_mode()
    def remember(self, image: Tensor, box: Box) -> tuple[Tensor]:
        """Memory crop from `upload` and the target's box in it (crop pixels, edges) -> feature of one slot."""
        return self.remember_marked(image, inside(corners_of(box, self.device), self.crop_size))

    @torch.inference_mode()
    def remember_marked(self, image: Tensor, label_map: Tensor) -> tuple[Tensor]:
        """The same with a label map, 1 x 1 x size x size."""
        with stage("memory backbone"):
            return (self._memory(image, label_map)[0],)

    @torch.inference_mode()
    def ask(
        self, features: Tensor, bank: MemoryBank, slots: list[int], first_weight: float = 1.0
    ) -> NDArray[np.float64]:
        """Where is the target? Returns cells^2 x 5: edges x1, y1, x2, y2 in crop pixels, score.

        The first of the slots counts `first_weight` times as much as another one.
        """
        memory = bank.parts[0]
        with stage("read"):
            query, bias = cells_first(features)[0], math.log(first_weight)
            found = read_slots(query, memory, memory, slots, bias, in_place=not self.runtime.plain)
        with stage("head"):
            answer = self._answer(found[None], features).cpu().numpy().astype(np.float64)
        answer[:, 2:4] += 1.0  # from the number of the last pixel to its far edge
        return answer  # type: ignore[no-any-return]

    def _scored(self, found: Tensor, features: Tensor) -> Tensor:
        prediction = self.network.answer(found, features)
        score = torch.sigmoid(prediction.cls_logit) * torch.sigmoid(prediction.ctr_logit)
        return torch.cat([prediction.box, score[..., None]], -1)[0]
