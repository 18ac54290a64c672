"""The network as the tracker uses it: numpy in, numpy out, one copy from the device a frame."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stm_tracker_ros.core.types import Box, Pixels
from stm_tracker_ros.parts.backbones.mobilenet_v2 import with_input_in_stem
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.parts.read import read_slots_and_first
from stm_tracker_ros.parts.stages import stage
from stm_tracker_ros.parts.transfer import Upload, corners_of
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork


class Encoded(NamedTuple):
    """A crop on the device: features 1 x width x cells x cells, and its key, 1 x cells^2 x key channels."""

    features: Tensor
    key: Tensor


class Stepper:
    """`encode` a crop, `ask` the memory about it, `remember` it."""

    fresh_memory_crop = False  # the memory learns from the features of the query crop

    def __init__(self, network: LiteNetwork, runtime: InferenceRuntime) -> None:
        self.runtime, self.device = runtime, runtime.device
        ready = runtime.ready(network)
        self.network = ready if runtime.plain else with_input_in_stem(ready)
        self.crop_size, self.cells = network.config.crop_size, network.cells
        self.first_bias = float(network.first_frame_bias)
        self.upload = Upload(self.crop_size, self.device)
        image = self.upload(np.zeros((self.crop_size, self.crop_size, 3), np.uint8))
        corners = torch.tensor([[96.0, 96.0, 160.0, 160.0]], device=self.device)
        self._encode = runtime.optimised(network, self._look, image)
        features, _ = self._encode(image)
        self._values = runtime.optimised(network, network.values, features, corners)
        found = self._values(features, corners).repeat(1, 1, 2)
        self._answer = runtime.optimised(network, self._scored, found, features)

    def bank(self, capacity: int) -> MemoryBank:
        """An empty memory for this network."""
        cells, config = self.cells * self.cells, self.network.config
        shapes = [(cells, config.key_channels), (cells, config.width)]
        return MemoryBank(capacity, shapes, self.device, self.runtime.precision)

    @torch.inference_mode()
    def encode(self, patch: Pixels) -> Encoded:
        """Crop, size x size x 3 BGR -> features and key on the device."""
        with stage("query backbone"):
            return Encoded(*self._encode(self.upload(patch)))

    @torch.inference_mode()
    def remember(self, look: Encoded, box: Box) -> tuple[Tensor, Tensor]:
        """A crop's features and the target's box in it (crop pixels) -> key and value of one slot."""
        with stage("memory backbone"):
            return look.key[0], self._values(look.features, corners_of(box, self.device))[0]

    @torch.inference_mode()
    def ask(self, look: Encoded, bank: MemoryBank, slots: list[int], first_weight: float = 1.0) -> NDArray[np.float64]:
        """Where is the target? Returns N x 5: corners in crop pixels, score.

        `slots[0]` is the first frame's; read with the others it counts `first_weight` times what it has learned to.
        """
        keys, values = bank.parts
        with stage("read"):
            bias, exact = self.first_bias + math.log(first_weight), self.runtime.precision == torch.float32
            in_place = exact and not self.runtime.plain  # bf16: few small slots are copied sooner than read singly
            found, first = read_slots_and_first(look.key[0], keys, values, slots, bias, in_place=in_place)
        with stage("head"):
            answer: Tensor = self._answer(torch.cat([found, first], -1)[None], look.features)
            return answer.cpu().numpy().astype(np.float64)

    def _look(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.network.encode(image)
        return features, self.network.keys(features)

    def _scored(self, found: Tensor, features: Tensor) -> Tensor:
        prediction = self.network.answer(found, features)
        score = torch.sigmoid(prediction.cls_logit) * torch.sigmoid(prediction.ctr_logit)
        return torch.cat([prediction.box, score[..., None]], -1)[0]
