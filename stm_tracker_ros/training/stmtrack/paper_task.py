"""The paper's training of STMTrack (Fu et al., CVPR 2021, section 4.2): optimiser, rates, freezing, samples, loss.

| paper | authors' code | here |
|---|---|---|
| 20 epochs of 300 000 samples, batch 64 (GOT-10k: 150 000, 32) | same | settings `epochs`, `samples`, `batch` |
| rate 1e-2 -> 8e-2 in the first epoch, cosine to 1e-6 | the same, GOT-10k from 1e-6 | settings, as `start_rate=1e-6` |
| one rate | backbones at a tenth of it | as the code: `backbone_rate` |
| stages 3 and 4 of both backbones released at epoch 10 | Mixed_5*, Mixed_6*; Conv2d_* stay frozen | as the code |
| all convolutions frozen before | batch norms and the label map's convolution learn from the start | as the code |
| fp32 on four GPUs, batch norms in step | eight processes in step | one device, bf16 (`precision`) |
| TrackingNet, LaSOT, GOT-10k, VID, DET, COCO | likewise | what is at hand, see `paper_sampler` |
| label map of the target's box | whole pixels, both ends in | pixels whose centre lies in the box |
| validation on GOT-10k | from epoch 15 | on our validation sequences, by the clock |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from stm_tracker_ros.parts.label_map import inside
from stm_tracker_ros.trackers.stmtrack.lite_network import Prediction
from stm_tracker_ros.trackers.stmtrack.paper_loss import paper_loss
from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork
from stm_tracker_ros.training.loading import loader
from stm_tracker_ros.training.pack import Pack
from stm_tracker_ros.training.stmtrack.config import PaperTrainConfig
from stm_tracker_ros.training.stmtrack.paper_sampler import PaperSampler

WARM_UP_EPOCHS = 1


class _Samples(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Samples by number; each worker process opens the pack for itself."""

    def __init__(self, folder: Path, config: PaperTrainConfig) -> None:
        self.folder, self.config = folder, config
        self.sampler: PaperSampler | None = None

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        if self.sampler is None:
            cv2.setNumThreads(1)
            config = self.config
            self.sampler = PaperSampler(Pack(self.folder), config.sampler, config.network.crop_size, config.seed)
        sample = self.sampler.sample(number)
        return torch.from_numpy(sample.crops), torch.from_numpy(sample.boxes), torch.tensor(sample.negative)


class PaperTask:
    """The network of the paper, its samples and its loss; see `loop.Task`."""

    def __init__(self, network: PaperNetwork, pack: Path, config: PaperTrainConfig, device: torch.device) -> None:
        self.network, self.config, self.pack, self.device = network, config, pack, device
        self.steps = config.steps

    def optimiser(self) -> torch.optim.Optimizer:
        """SGD over necks and head; batch norms and label map of the backbones; their Mixed_* convolutions."""
        network, config = self.network, self.config
        backbones = [network.basemodel_m, network.basemodel_q]
        slow = [p for backbone in backbones for p in _always_trained(backbone)]
        released = [p for backbone in backbones for p in _released(backbone)]
        heads = [p for part in (network.neck_m, network.neck_q, network.head) for p in part.parameters()]
        network.requires_grad_(False)
        groups = [{"params": part} for part in (heads, slow, released)]
        return torch.optim.SGD(groups, config.start_rate, config.momentum, weight_decay=config.weight_decay)

    def rates(self, step: int) -> tuple[float, float, float]:
        """Necks and head; batch norms and label map; Mixed_* convolutions, frozen until their epoch."""
        config = self.config
        rate = scheduled(config, step)
        backbone = rate * config.backbone_rate
        return rate, backbone, backbone if step >= config.release_epoch * config.epoch_steps else 0.0

    def batches(self, step: int) -> DataLoader[Any]:
        """Each step has its own samples, however often the training was interrupted."""
        batch = self.config.batch
        order = range(step * batch, self.steps * batch)
        return loader(_Samples(self.pack, self.config), self.config, self.device, order)

    def loss_terms(self, batch: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Crops B x F x S x S x 3 (the query last), boxes B x F x 4, negative B -> the weighted sum and its terms."""
        crops, boxes, negative = batch
        config, network = self.config.loss, self.network
        prediction = self._answer(crops.permute(0, 1, 4, 2, 3), boxes)
        corners = boxes[:, -1] - boxes.new_tensor([0.0, 0.0, 1.0, 1.0])  # from the far edge to the last pixel's number
        terms = paper_loss(prediction, network.grid, corners, negative, config.focal_alpha, config.focal_gamma)
        return config.cls * terms.cls + config.ctr * terms.ctr + config.reg * terms.reg, terms._asdict()

    def _answer(self, images: Tensor, boxes: Tensor) -> Prediction:
        """Images B x F x 3 x S x S, the last one asked with the memory of the others."""
        network = self.network
        label_map = inside(boxes[:, :-1].flatten(0, 1), network.config.crop_size)
        remembered = network.memory(images[:, :-1].flatten(0, 1), label_map)
        memory = remembered.unflatten(0, (len(images), -1)).flatten(1, 2)
        cls, ctr, raw = network.head(network.join(network.query(images[:, -1]), memory))
        sides = network.head.sides(raw.float())  # exp of rounded numbers would be off by a cell
        return Prediction(cls, ctr, torch.cat([network.grid - sides[..., :2], network.grid + sides[..., 2:]], -1))


def scheduled(config: PaperTrainConfig, step: int) -> float:
    """Learning rate of necks and head: linear in the first epoch, then half a cosine to the end."""
    warm_up = WARM_UP_EPOCHS * config.epoch_steps
    if step < warm_up:
        return config.start_rate + (config.peak_rate - config.start_rate) * step / warm_up
    share = (step - warm_up) / (config.steps - warm_up)
    return config.end_rate + (config.peak_rate - config.end_rate) * (1 + math.cos(math.pi * share)) / 2


def _always_trained(backbone: nn.Module) -> list[nn.Parameter]:
    return [p for name, p in backbone.named_parameters() if ".bn." in name or name.startswith("proj_fg_bg_label_map.")]


def _released(backbone: nn.Module) -> list[nn.Parameter]:
    return [p for name, p in backbone.named_parameters() if name.startswith("Mixed_") and ".conv." in name]
