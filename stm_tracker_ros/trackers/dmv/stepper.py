"""The network as the tracker uses it: numpy in, numpy out, one copy from the device a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stm_tracker_ros.core.matching import Floats
from stm_tracker_ros.core.types import Box, Pixels
from stm_tracker_ros.parts.backbones.mobilenet_v2 import with_input_in_stem
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.parts.label_map import coverage
from stm_tracker_ros.parts.soft_label import of_followed, soft_label
from stm_tracker_ros.parts.stages import stage
from stm_tracker_ros.parts.transfer import Upload, corners_of
from stm_tracker_ros.trackers.dmv.loss import exact_label
from stm_tracker_ros.trackers.dmv.network import Network
from stm_tracker_ros.trackers.dmv.vote import similarity


class Encoded(NamedTuple):
    """A crop on the device: features 1 x width x cells x cells, and its key, 1 x cells^2 x key channels."""

    features: Tensor
    key: Tensor


class Answer(NamedTuple):
    """What was asked of one crop. found: N x 5, corners in crop pixels and score; on the device, for its label: boxes
    1 x N x 4, score 1 x N, displacement 1 x N x 4.
    """

    found: Floats
    boxes: Tensor
    score: Tensor
    displacement: Tensor


class Stepper:
    """`encode` a crop, `ask` the memory about it, remember it: `first` from a box, `own` from the answer."""

    def __init__(self, network: Network, runtime: InferenceRuntime) -> None:
        self.runtime, self.device = runtime, runtime.device
        ready = runtime.ready(network)
        self.network = ready if runtime.plain else with_input_in_stem(ready)
        self.crop_size, self.cells = network.config.crop_size, network.cells
        self.upload = Upload(self.crop_size, self.device)
        image = self.upload(np.zeros((self.crop_size, self.crop_size, 3), np.uint8))
        self._encode = runtime.optimised(network, self._look, image)
        features, key = self._encode(image)
        score, displacement = self.network.anchors.new_zeros(1, len(network.anchors)), self.network.anchors[None]
        self._values = runtime.optimised(network, network.values, features, score, displacement)
        value = self._values(features, score, displacement)
        self._answer = runtime.optimised(network, self._scored, self._picked(key, key, value), features)

    def bank(self, slots: int) -> MemoryBank:
        """An empty memory for this network."""
        cells = self.cells * self.cells
        shapes = [(cells, self.network.key_channels), (cells, self.network.config.read.channels)]
        return MemoryBank(slots, shapes, self.device, self.runtime.precision, when_full="drop_oldest")

    @torch.inference_mode()
    def encode(self, patch: Pixels) -> Encoded:
        """Crop, size x size x 3 BGR -> features and key on the device."""
        with stage("query backbone"):
            return Encoded(*self._encode(self.upload(patch)))

    @torch.inference_mode()
    def ask(self, look: Encoded, bank: MemoryBank, slots: list[int]) -> Answer:
        """Where is the target, by these slots?"""
        with stage("read"):
            chosen = torch.tensor(slots, device=self.device)
            keys, values = (part.index_select(0, chosen).flatten(0, 1)[None] for part in bank.parts)
            picked = self._picked(look.key, keys, values)
        with stage("head"):
            boxes, score, displacement = self._answer(picked, look.features)
            found: Tensor = torch.cat([boxes, score[..., None]], -1)[0]
            return Answer(found.cpu().numpy().astype(np.float64), boxes, score, displacement.float())

    @torch.inference_mode()
    def first(self, look: Encoded, box: Box) -> list[Tensor]:
        """A crop and the box that a human drew in it (crop pixels) -> key and value of a slot."""
        with stage("memory backbone"):
            score, displacement = exact_label(corners_of(box, self.device), self.network.anchors)
            return [look.key[0], self._values(look.features, score, displacement)[0]]

    @torch.inference_mode()
    def own(self, look: Encoded, answer: Answer, followed: Box | None) -> list[Tensor]:
        """A crop and what was answered to it -> key and value of a slot.

        followed: in crop pixels; scores of what does not overlap with it do not count. None: all count.
        """
        with stage("memory backbone"):
            score = soft_label(answer.score)
            if followed is not None:
                score = of_followed(score, answer.boxes, corners_of(followed, self.device))
            return [look.key[0], self._values(look.features, score, answer.displacement)[0]]

    @torch.inference_mode()
    def without_background(self, kept: Sequence[Tensor], box: Box) -> list[Tensor]:
        """Key and value of a slot, zero in the cells that do not touch the box (crop pixels)."""
        touched = coverage(corners_of(box, self.device), self.cells, float(self.crop_size)).flatten() > 0
        return [part * touched[:, None] for part in kept]

    def _look(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.network.encode(image)
        return features, self.network.keys(features)

    def _picked(self, key: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        return self.network.read.values_for(similarity(key, keys).float(), values)

    def _scored(self, picked: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        prediction = self.network.answer(picked, features)
        return self.network.boxes(prediction), torch.sigmoid(prediction.score_logit), prediction.displacement
