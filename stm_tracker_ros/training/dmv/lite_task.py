"""Training of the lite DMV: of a published or given encoder the last blocks, or, on features made once, none of it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stm_tracker_ros.trackers.dmv.lite_network import LiteNetwork
from stm_tracker_ros.training import fine_tuning
from stm_tracker_ros.training.dmv.config import LiteTrainConfig
from stm_tracker_ros.training.dmv.task import DmvTask, sampler
from stm_tracker_ros.training.feature_cache import Cache, restored
from stm_tracker_ros.training.loading import loader
from stm_tracker_ros.training.unrolled import CachedClips, Clips

ENCODER = ("backbone.", "skip.", "neck.", "neck_norm.", "neck_block.")


class LiteTask(DmvTask):
    """See `loop.Task`."""

    config: LiteTrainConfig

    def __init__(
        self, network: LiteNetwork, pack: Path, cache: Cache | None, config: LiteTrainConfig, device: torch.device
    ) -> None:
        """cache: of a `feature_cache`; None where the crops pass through the network."""
        super().__init__(network, config, device)
        self.pack, self.cache = pack, cache

    def optimiser(self) -> torch.optim.Optimizer:
        """See `fine_tuning.optimiser`; with features from a cache what makes them is frozen."""
        optimiser = fine_tuning.optimiser(self.network, self.config)
        if self.cache:
            fine_tuning.leave_out(optimiser, self.network, ENCODER)
        return optimiser

    def rates(self, step: int) -> tuple[float, float, float]:
        """See `fine_tuning.rates`."""
        return fine_tuning.rates(self.config, step)

    def batches(self, step: int) -> Iterable[Any]:
        """Other clips after each start, of a length that grows with the steps."""
        some: dict[str, Any] = {"batch": self.config.batch, "first_step": step, "seed": self.config.seed}
        if self.cache:
            return CachedClips(self.cache, self.lengths, **some)
        clips = Clips(partial(sampler, self.pack, self.config), self.lengths, **some)
        return loader(clips, self.config, self.device)

    def features(self, given: Tensor) -> list[Tensor]:
        """See `DmvTask`; of a cache they are given, B x T x H x W x C."""
        if self.cache:
            return self.by_frame(restored(given.flatten(0, 1)), len(given))
        maps = fine_tuning.maps(self.network, given.flatten(0, 1), self.config.trained_blocks)
        return self.by_frame(self.network.join(*maps), len(given))
