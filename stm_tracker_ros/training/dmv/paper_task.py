"""Training of DMV as the paper has it (section 3.4): all of it by SGD, the rate falling in steps.

| paper | here | why |
|---|---|---|
| rate "decayed by 0.05 every 6.4k" steps | times 0.95 after each fifth (`decay`) | times 0.05 would leave 6e-9 |
| 32 000 steps of 16 clips on three data sets | the same by default | what the data allows is for the user to say |
| | a clip in ten is asked for with another object | a target that is not there is told (`negative_share`) |
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from stm_tracker_ros.trackers.dmv.paper_network import PaperNetwork
from stm_tracker_ros.training.dmv.config import PaperTrainConfig
from stm_tracker_ros.training.dmv.task import DmvTask, sampler
from stm_tracker_ros.training.loading import loader
from stm_tracker_ros.training.unrolled import Clips

STAGES = 5  # of the rate and of the clips' length


class PaperTask(DmvTask):
    """See `loop.Task`."""

    config: PaperTrainConfig

    def __init__(self, network: PaperNetwork, pack: Path, config: PaperTrainConfig, device: torch.device) -> None:
        super().__init__(network, config, device)
        self.pack = pack

    def optimiser(self) -> torch.optim.Optimizer:
        """SGD with momentum over everything."""
        config = self.config
        return torch.optim.SGD(
            self.network.parameters(), lr=config.rate, momentum=config.momentum, weight_decay=config.weight_decay
        )

    def rates(self, step: int) -> tuple[float]:
        """Falls after each fifth of the steps."""
        return (self.config.rate * self.config.decay ** (STAGES * step // self.steps),)

    def batches(self, step: int) -> Iterable[Any]:
        """Other clips after each start, of a length that grows with the steps."""
        clips = Clips(
            partial(sampler, self.pack, self.config),
            self.lengths,
            batch=self.config.batch,
            first_step=step,
            seed=self.config.seed,
        )
        return loader(clips, self.config, self.device)
