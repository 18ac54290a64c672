"""The paper's training of DMB (section IV-A a): clips of three, recurrently, with masks.

| paper | authors' code | here |
|---|---|---|
| stage 1: stills of five data sets | not released | those at hand (DUTS, COCO, people), bent as well |
| stage 2: YouTube-VOS, encoders frozen | the next annotated frame | videos with masks, windows of the sampler |
| Adam, 1e-5, batch 4 on four GPUs, 120 + 40 epochs | 32 000 clips an epoch | settings, one device |
| BCE + IoU | the hardest 40 % of the pixels; soft IoU (min / max) | as the code |
| 1 % of the clips start from a box | 0.5 % | as the paper (`box_share`) |
| the filter's map enters the decoder | distance to the jittered centre | `distance_share`; a made-up map |
| batch norms | those of ImageNet throughout | as the code |
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from stm_tracker_ros.trackers.dmb.lite_network import Answer
from stm_tracker_ros.trackers.dmb.loss import Loss, loss
from stm_tracker_ros.trackers.dmb.paper_network import PaperFeatures, PaperNetwork
from stm_tracker_ros.training.dmb.config import PaperTrainConfig
from stm_tracker_ros.training.dmb.sampler import CLIP, Clips
from stm_tracker_ros.training.dmb.spatial_maps import dilated, distance_maps, filled, simulated_maps
from stm_tracker_ros.training.loading import loader

DISTANCE_JITTER = 0.125  # of the target's sides (authors' code)


class PaperTask:
    """The network of the paper, its clips and its loss; see `loop.Task`."""

    def __init__(
        self, network: PaperNetwork, pack: Path, videos: Path, config: PaperTrainConfig, device: torch.device
    ) -> None:
        torch.manual_seed(config.seed)
        self.network, self.config, self.device = network, config, device
        self.pack, self.videos = pack, videos
        self.steps = config.epochs * config.epoch // config.batch

    def optimiser(self) -> torch.optim.Optimizer:
        """Adam over all but the batch norms; on videos the backbones stay as they are."""
        network, config = self.network, self.config
        network.requires_grad_(False)
        parameters = list(network.named_parameters())
        if config.stage == "videos":
            parameters = [(name, p) for name, p in parameters if "_backbone." not in name]
        trained = [p for name, p in parameters if ".bn" not in name and ".downsample.1" not in name]
        return torch.optim.Adam(trained, config.rate, weight_decay=config.weight_decay)

    def rates(self, step: int) -> tuple[float]:
        """The same throughout."""
        return (self.config.rate,)

    def batches(self, step: int) -> DataLoader[Any]:
        """Other clips after each start."""
        config = self.config
        clips = Clips(self.pack, self.videos, config.clips, config.network.crop_size, config.seed + 1000 * step)
        return loader(clips, config, self.device)

    def loss_terms(self, batch: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Crops B x 3 x S x S x 3, masks B x 3 x S/2 x S/2, boxes B x 3 x 4, is_mask B -> weighted sum and terms."""
        crops, masks, boxes, is_mask = batch
        truth = masks.float() / 255
        maps = self._maps(truth, boxes)
        images = crops.permute(0, 1, 4, 2, 3)
        label, terms = self._first_label(images[:, 0], truth[:, 0], boxes[:, 0], is_mask, maps[:, :1])
        memory = self.network.memory(images[:, 0], label)
        for frame in range(1, CLIP):
            answer = self._answer(images[:, frame], memory, maps[:, frame, None])
            terms[f"frame_{frame + 1}"] = _scored(answer, truth[:, frame], is_mask)
            if frame + 1 < CLIP:
                more = self.network.memory(images[:, frame], torch.sigmoid(answer.mask_logit))
                memory = (torch.cat([memory[0], more[0]], 1), torch.cat([memory[1], more[1]], 1))
        total = torch.stack([t.entropy + self.config.overlap * t.overlap for t in terms.values()]).sum()
        named = {f"{frame}_{name}": getattr(t, name) for frame, t in terms.items() for name in ("entropy", "jaccard")}
        return total, named

    def _answer(self, image: Tensor, memory: tuple[Tensor, Tensor], place: Tensor) -> Answer:
        features: PaperFeatures = self.network.encode(image)
        return self.network.segment(features, *memory, place)

    def _maps(self, truth: Tensor, boxes: Tensor) -> Tensor:
        cells, size = self.network.cells, self.config.network.crop_size
        if float(torch.rand(())) < self.config.distance_share:
            return distance_maps(boxes, cells, size, DISTANCE_JITTER)
        return simulated_maps(truth.flatten(2).amax(2) > 0.5, boxes, cells, size, self.config.maps)

    def _first_label(
        self, image: Tensor, truth: Tensor, boxes: Tensor, is_mask: Tensor, place: Tensor
    ) -> tuple[Tensor, dict[str, Loss]]:
        """What is remembered of frame 1: its mask, or for a share of the batches what was found in its box."""
        if float(torch.rand(())) >= self.config.box_share:
            return functional.avg_pool2d(truth, 2)[:, None], {}
        box = filled(boxes, 4 * self.network.cells, self.config.network.crop_size)[:, None]
        answer = self._answer(image, self.network.memory(image, box), place)
        found = torch.sigmoid(answer.mask_logit) * dilated(box)
        return found, {"frame_1": _scored(answer, truth, is_mask)}


def _scored(answer: Answer, truth: Tensor, is_mask: Tensor) -> Loss:
    logit = functional.interpolate(answer.mask_logit.float(), scale_factor=2.0, mode="bilinear", align_corners=False)
    return loss(logit[:, 0], answer.score_logit, truth, is_mask)
