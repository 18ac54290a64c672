"""Training of the lite DMB on clips of three, recurrently: what is segmented is remembered.

Frame 1 is remembered with its mask, frame 2 segmented and remembered with the answer, frame 3 segmented (paper, section
IV-A a). Where a clip starts from a box, frame 1 is segmented first and its answer remembered (Box-to-Segmentation).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from stm_tracker_ros.trackers.dmb.lite_network import Answer, Features, LiteNetwork
from stm_tracker_ros.trackers.dmb.loss import Loss, loss
from stm_tracker_ros.training import fine_tuning
from stm_tracker_ros.training.dmb.config import LiteTrainConfig
from stm_tracker_ros.training.dmb.sampler import CLIP, Clips
from stm_tracker_ros.training.dmb.spatial_maps import dilated, displaced, filled, simulated_maps
from stm_tracker_ros.training.loading import loader


class Clipped(NamedTuple):
    """A batch of B clips, ready for the network.

    frames: features of each of the three; truth: B x 3 x H x W in [0, 1]; label: B x 1 x cells4 x cells4, what frame 1
    starts from; maps: B x 3 x cells x cells; is_mask, from_box: B.
    """

    frames: list[Features]
    truth: Tensor
    label: Tensor
    maps: Tensor
    is_mask: Tensor
    from_box: Tensor


class LiteTask:
    """The lite network, its clips and its loss; see `loop.Task`."""

    def __init__(
        self, network: LiteNetwork, pack: Path, videos: Path, config: LiteTrainConfig, device: torch.device
    ) -> None:
        torch.manual_seed(config.seed)
        self.network, self.config, self.device = network, config, device
        self.pack, self.videos, self.steps = pack, videos, config.steps

    def optimiser(self) -> torch.optim.Optimizer:
        """See `fine_tuning.optimiser`."""
        return fine_tuning.optimiser(self.network, self.config)

    def rates(self, step: int) -> tuple[float, float, float]:
        """See `fine_tuning.rates`."""
        return fine_tuning.rates(self.config, step)

    def batches(self, step: int) -> DataLoader[Any]:
        """Other clips after each start."""
        seed = self.config.seed + 1000 * step
        clips = Clips(self.pack, self.videos, self.config.clips, self.network.config.crop_size, seed)
        return loader(clips, self.config, self.device)

    def loss_terms(self, batch: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Crops B x 3 x S x S x 3, masks B x 3 x S/2 x S/2, boxes B x 3 x 4, is_mask B -> weighted sum and terms."""
        clipped = self._clipped(*batch)
        terms: dict[str, Loss] = {}
        label = clipped.label
        if clipped.from_box.any():
            label, terms["first"] = self._from_box(clipped)
        terms |= self._recurrent(clipped, label)
        config = self.config
        total = torch.stack(
            [
                t.entropy + config.overlap * t.overlap + config.projection * t.projection + config.score * t.score
                for t in terms.values()
            ]
        ).sum()
        return total, {f"{frame}_{name}": v for frame, t in terms.items() for name, v in t._asdict().items()}

    def _clipped(self, crops: Tensor, masks: Tensor, boxes: Tensor, is_mask: Tensor) -> Clipped:
        truth = masks.float() / 255
        cells, size = self.network.cells, self.network.config.crop_size
        fine = functional.avg_pool2d(truth, 2)
        shown = truth.flatten(2).amax(2) > 0.5
        maps = simulated_maps(shown, boxes, cells, size, self.config.maps)
        from_box = ~is_mask | (torch.rand(len(is_mask), device=is_mask.device) < self.config.box_share)
        box = filled(boxes[:, 0], 4 * cells, size)
        label = torch.where(from_box[:, None, None], box, fine[:, 0])[:, None]
        return Clipped(self._features(crops), truth, label, maps, is_mask, from_box)

    def _features(self, crops: Tensor) -> list[Features]:
        """Features of the first, second and third frames."""
        maps = fine_tuning.maps(self.network, crops.flatten(0, 1), self.config.trained_blocks)
        by_clip = [part.unflatten(0, (len(crops), CLIP)) for part in self.network.join(*maps)]
        layout = torch.channels_last
        return [Features(*(p[:, frame].contiguous(memory_format=layout) for p in by_clip)) for frame in range(CLIP)]

    def _from_box(self, clipped: Clipped) -> tuple[Tensor, Loss]:
        """Segment first frames from their boxes; returns the labels B x 1 x ... with what was found in them."""
        network, chosen = self.network, clipped.from_box.nonzero()[:, 0]
        first = Features(*(part[chosen] for part in clipped.frames[0]))
        flag = torch.ones(len(chosen), 1, 1, 1, device=chosen.device)
        keys, values = network.memory(first.coarse, clipped.label[chosen], flag)
        answer = network.segment(first, keys, values, None, clipped.maps[chosen, :1])
        found = torch.sigmoid(answer.mask_logit.float()) * dilated(clipped.label[chosen])
        scored = _scored(answer, clipped.truth[chosen, 0], clipped.is_mask[chosen])
        return clipped.label.index_copy(0, chosen, found), scored

    def _recurrent(self, clipped: Clipped, label: Tensor) -> dict[str, Loss]:
        network, (first, second, third) = self.network, clipped.frames
        flag = label.new_zeros(len(label), 1, 1, 1)
        keys, values = network.memory(first.coarse, label, flag)
        bias = network.first_frame_bias.expand(len(label), keys.shape[1])
        answer = network.segment(second, keys, values, bias, clipped.maps[:, 1:2])
        terms = {"second": _scored(answer, clipped.truth[:, 1], clipped.is_mask)}
        found = displaced(torch.sigmoid(answer.mask_logit.float()), self.config.wrong_share)
        more_keys, more_values = network.memory(second.coarse, found, flag)
        keys, values = torch.cat([keys, more_keys], 1), torch.cat([values, more_values], 1)
        bias = torch.cat([bias, torch.zeros_like(bias)], 1)
        answer = network.segment(third, keys, values, bias, clipped.maps[:, 2:])
        return terms | {"third": _scored(answer, clipped.truth[:, 2], clipped.is_mask)}


def _scored(answer: Answer, truth: Tensor, is_mask: Tensor) -> Loss:
    logit = functional.interpolate(answer.mask_logit.float(), scale_factor=2.0, mode="bilinear", align_corners=False)
    return loss(logit[:, 0], answer.score_logit, truth, is_mask)
