"""The networks as the tracker uses them: numpy in, numpy out, one copy from the device a frame, one more a mask."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stm_tracker_ros.core.types import Box, Pixels
from stm_tracker_ros.parts.backbones.mobilenet_v2 import with_input_in_stem
from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.parts.stages import stage
from stm_tracker_ros.parts.transfer import Upload, corners_of
from stm_tracker_ros.trackers.siamstm.correlation import Template
from stm_tracker_ros.trackers.siamstm.lite_network import Features, LiteNetwork
from stm_tracker_ros.trackers.siamstm.paper_network import PaperNetwork
from stm_tracker_ros.trackers.siamstm.steps import Matched, Outlined


class Seen(NamedTuple):
    """A crop on the device: what the correlation gave, and its features."""

    correlated: Tensor
    features: Features


class Stepper:
    """Keeps a `template`, `match`es crops with it, `outline`s one candidate."""

    def __init__(self, network: LiteNetwork | PaperNetwork, runtime: InferenceRuntime) -> None:
        self.device, self.network = runtime.device, runtime.ready(network)
        if isinstance(self.network, LiteNetwork) and not runtime.plain:
            self.network = with_input_in_stem(self.network)
        self.crop_size, self.cells = network.crop_size, network.cells
        self.first, self.stride = network.head.first, network.head.stride
        self.border = (network.crop_size - network.template_size) // 2
        self.upload = Upload(self.crop_size, self.device)
        blank = np.zeros((self.crop_size, self.crop_size, 3), np.uint8)
        image, box = self.upload(blank), Box(0, 0, 1, 1)
        corners = corners_of(box, self.device)
        self._template = runtime.optimised(network, self._kept, image, corners)
        self._match = runtime.optimised(network, self._found, *self._template(image, corners), image)
        seen = self.match(self.template(blank, box), blank).look
        self._mask = runtime.optimised(network, self.network.mask, *self._windows(seen, 0, 0), corners)

    @torch.inference_mode()
    def template(self, patch: Pixels, box: Box) -> Template:
        """A crop, size x size x 3 BGR, with the target in its middle, box in crop pixels -> what is kept of it."""
        with stage("template"):
            return Template(*self._template(self.upload(patch), corners_of(box, self.device)))

    @torch.inference_mode()
    def match(self, template: Template, patch: Pixels) -> Matched:
        """Where in a crop is what the template shows?"""
        with stage("search"):
            answer, correlated, *features = self._match(*template, self.upload(patch))
            return Matched(answer.float().cpu().numpy().astype(np.float64), Seen(correlated, Features(*features)))

    @torch.inference_mode()
    def outline(self, look: Seen, cell: int, box: Box) -> Outlined:
        """The mask of the target at that candidate; box: its box in crop pixels."""
        row, column = divmod(cell, self.cells)
        left, top = self.network.window_edge(column), self.network.window_edge(row)
        corners = corners_of(box._replace(x=box.x - left, y=box.y - top), self.device)
        with stage("mask"):
            logit = self._mask(*self._windows(look, row, column), corners)[0]
            return Outlined(logit.float().cpu().numpy(), left, top)

    def _kept(self, image: Tensor, corners: Tensor) -> Template:
        middle = slice(self.border, self.crop_size - self.border)
        return self.network.template(self.network.encode(image[:, :, middle, middle]).coarse, corners)

    def _found(self, kernel: Tensor, descriptor: Tensor, image: Tensor) -> tuple[Tensor, ...]:
        features = self.network.encode(image)
        correlated = self.network.correlate(Template(kernel, descriptor), features.coarse)
        prediction = self.network.answer(correlated)
        middle, sides = prediction.box[0].split(2, -1)
        answer = torch.cat([middle - sides / 2, sides, prediction.score[0, :, None]], -1)
        return answer, correlated, *features

    def _windows(self, look: Seen, row: int, column: int) -> tuple[Tensor, ...]:
        vector, *maps = self.network.windows(look.correlated, look.features, [row], [column])
        return vector, *(one.contiguous(memory_format=torch.channels_last) for one in maps)
