"""The network of the paper as the tracker uses it; the same steps as `stepper.Stepper`."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.parts.read import read_slots
from stm_tracker_ros.parts.stages import stage
from stm_tracker_ros.parts.transfer import Upload
from stm_tracker_ros.trackers.dmb.lite_network import MASK_STRIDE
from stm_tracker_ros.trackers.dmb.paper_network import PaperFeatures, PaperNetwork
from stm_tracker_ros.trackers.dmb.steps import Segmented


class PaperEncoded(NamedTuple):
    """A crop on the device: features and value of the query, its key, and the crop itself for the memory's backbone."""

    features: PaperFeatures
    key: Tensor
    image: Tensor


class PaperStepper:
    """`encode` a crop, `segment` it, `remember` it; the filter has a wider crop of its own."""

    def __init__(self, network: PaperNetwork, runtime: InferenceRuntime) -> None:
        self.network, self.runtime, self.device = runtime.ready(network), runtime, runtime.device
        config = network.config
        self.crop_size, self.cells, self.spatial_size = config.crop_size, network.cells, config.spatial_size
        self.mask_cells = self.crop_size // MASK_STRIDE
        self.upload, self.upload_wide = (Upload(size, self.device) for size in (self.crop_size, self.spatial_size))
        image, wide = (
            upload(np.zeros((size, size, 3), np.uint8))
            for upload, size in ((self.upload, self.crop_size), (self.upload_wide, self.spatial_size))
        )
        mask = torch.zeros(1, 1, self.mask_cells, self.mask_cells, device=self.device)
        place = mask[..., : self.cells, : self.cells].contiguous()
        self._encode = runtime.optimised(network, self._look, image)
        *features, _ = self._encode(image)
        self._wide = runtime.optimised(network, self._coarse, wide)
        self._memory = runtime.optimised(network, network.memory, image, mask)
        found = self._memory(image, mask)[1].to(runtime.precision).contiguous()
        self._answer = runtime.optimised(network, self._scored, found, *features, place)

    def bank(self, capacity: int, spacing: int = 1) -> MemoryBank:
        """An empty memory for this network, of frames that many numbers apart."""
        cells, config = self.cells * self.cells, self.network.config
        shapes = [(cells, config.key_channels), (cells, config.value_channels)]
        return MemoryBank(capacity, shapes, self.device, self.runtime.precision, spacing)

    @torch.inference_mode()
    def encode(self, patch: Pixels) -> PaperEncoded:
        """Crop, size x size x 3 BGR -> features and key on the device."""
        with stage("query backbone"):
            image = self.upload(patch)
            *features, key = self._encode(image)
            return PaperEncoded(PaperFeatures(*features), key, image)

    @torch.inference_mode()
    def spatial_of(self, patch: Pixels) -> Tensor:
        """What the filter sees of its own crop, spatial_size x spatial_size x 3 BGR: 1 x C x h x w."""
        with stage("filter backbone"):
            coarse: Tensor = self._wide(self.upload_wide(patch))
            return coarse.float()

    @torch.inference_mode()
    def remember(self, look: PaperEncoded, mask: NDArray[np.float32], *, is_box: bool = False) -> tuple[Tensor, Tensor]:
        """A crop and its mask, mask_cells x mask_cells in [0, 1] -> key and value of one slot; a box is a mask."""
        with stage("memory backbone"):
            key, value = self._memory(look.image, torch.from_numpy(mask).to(self.device)[None, None])
            return key[0], value[0]

    @torch.inference_mode()
    def segment(
        self, look: PaperEncoded, bank: MemoryBank, slots: list[int], place: Tensor, first_weight: float
    ) -> Segmented:
        """What is the target? `slots[0]` is the first frame's; place: the spatial map, cells x cells."""
        keys, values = bank.parts
        with stage("read"):
            in_place = not self.runtime.plain
            found = read_slots(look.key[0], keys, values, slots, math.log(first_weight), in_place=in_place)
        with stage("head"):
            answer = self._answer(found[None], *look.features, place[None, None]).float().cpu().numpy()
        cells = self.mask_cells
        return Segmented(answer[:-1].reshape(cells, cells), float(1 / (1 + math.exp(-float(answer[-1])))))

    def _look(self, image: Tensor) -> tuple[Tensor, ...]:
        features = self.network.encode(image)
        return (*features, self.network.keys(features.coarse))

    def _coarse(self, image: Tensor) -> Tensor:
        return self.network.encode(image).coarse

    def _scored(
        self, found: Tensor, fine: Tensor, middle: Tensor, coarse: Tensor, value: Tensor, place: Tensor
    ) -> Tensor:
        answer = self.network.answer(found, PaperFeatures(fine, middle, coarse, value), place)
        return torch.cat([answer.mask_logit.flatten(), answer.score_logit.flatten()])
