"""The lite network as the tracker uses it: numpy in, numpy out, one copy from the device a frame."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.parts.backbones.mobilenet_v2 import with_input_in_stem
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.parts.read import read_slots
from stm_tracker_ros.parts.stages import stage
from stm_tracker_ros.parts.transfer import Upload
from stm_tracker_ros.trackers.dmb.lite_network import MASK_STRIDE, Features, LiteNetwork
from stm_tracker_ros.trackers.dmb.steps import Segmented


class Encoded(NamedTuple):
    """A crop on the device: features of three strides, and its key, 1 x cells^2 x key channels."""

    fine: Tensor
    middle: Tensor
    coarse: Tensor
    key: Tensor


class Stepper:
    """`encode` a crop, `segment` it, `remember` it."""

    spatial_size = 0  # the filter sees the same crop

    def __init__(self, network: LiteNetwork, runtime: InferenceRuntime) -> None:
        self.runtime, self.device = runtime, runtime.device
        ready = runtime.ready(network)
        self.network = ready if runtime.plain else with_input_in_stem(ready)
        self.crop_size, self.cells = network.config.crop_size, network.cells
        self.mask_cells = self.crop_size // MASK_STRIDE
        self.first_bias = float(network.first_frame_bias)
        self.upload = Upload(self.crop_size, self.device)
        image = self.upload(np.zeros((self.crop_size, self.crop_size, 3), np.uint8))
        mask = torch.zeros(1, 1, self.mask_cells, self.mask_cells, device=self.device)
        flag, place = mask[..., :1, :1], mask[..., : self.cells, : self.cells].contiguous()
        self._encode = runtime.optimised(network, self._look, image)
        look = Encoded(*self._encode(image))
        self._values = runtime.optimised(network, network.values, look.coarse, mask, flag)
        # in the type of the bank, from which it will come, and not in that of the values on their way to it
        found = self._values(look.coarse, mask, flag).to(runtime.precision).contiguous()
        self._answer = runtime.optimised(network, self._scored, found, *look[:3], place)

    def bank(self, capacity: int, spacing: int = 1) -> MemoryBank:
        """An empty memory for this network, of frames that many numbers apart."""
        cells = self.cells * self.cells
        shapes = [(cells, self.network.config.key_channels), (cells, self.network.value_channels)]
        return MemoryBank(capacity, shapes, self.device, self.runtime.precision, spacing)

    @torch.inference_mode()
    def encode(self, patch: Pixels) -> Encoded:
        """Crop, size x size x 3 BGR -> features and key on the device."""
        with stage("query backbone"):
            return Encoded(*self._encode(self.upload(patch)))

    def spatial(self, look: Encoded) -> Tensor:
        """What the filter sees of a crop: 1 x C x cells x cells."""
        return look.coarse.float()

    def spatial_of(self, patch: Pixels) -> Tensor:
        """The same of a crop that is not encoded yet."""
        return self.spatial(self.encode(patch))

    @torch.inference_mode()
    def remember(self, look: Encoded, mask: NDArray[np.float32], *, is_box: bool = False) -> tuple[Tensor, Tensor]:
        """A crop's features and its mask, mask_cells x mask_cells in [0, 1] -> key and value of one slot."""
        with stage("memory backbone"):
            label = torch.from_numpy(mask).to(self.device)[None, None]
            flag = torch.full((1, 1, 1, 1), float(is_box), device=self.device)
            return look.key[0], self._values(look.coarse, label, flag)[0]

    @torch.inference_mode()
    def segment(
        self, look: Encoded, bank: MemoryBank, slots: list[int], place: Tensor, first_weight: float
    ) -> Segmented:
        """What is the target? `slots[0]` is the first frame's; place: the spatial map, cells x cells."""
        keys, values = bank.parts
        with stage("read"):
            bias = self.first_bias + math.log(first_weight)
            found = read_slots(look.key[0], keys, values, slots, bias, in_place=not self.runtime.plain)
        with stage("head"):
            answer = self._answer(found[None], *look[:3], place[None, None]).float().cpu().numpy()
        cells = self.mask_cells
        return Segmented(answer[:-1].reshape(cells, cells), float(1 / (1 + math.exp(-float(answer[-1])))))

    def _look(self, image: Tensor) -> tuple[Tensor, ...]:
        features = self.network.encode(image)
        return (*features, self.network.keys(features.coarse))

    def _scored(self, found: Tensor, fine: Tensor, middle: Tensor, coarse: Tensor, place: Tensor) -> Tensor:
        answer = self.network.answer(found, Features(fine, middle, coarse), place)
        return torch.cat([answer.mask_logit.flatten(), answer.score_logit.flatten()])
