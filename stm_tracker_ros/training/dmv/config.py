"""What the trainings of DMV can be set to: the lite one's, and the paper's."""

from __future__ import annotations

from dataclasses import dataclass, field

from stm_tracker_ros.core.config import section, setting
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.trackers.dmv.config import LiteNetworkConfig, PaperNetworkConfig
from stm_tracker_ros.training.config import CachedConfig, LoopConfig, SamplerConfig


def _sampler() -> SamplerConfig:
    return SamplerConfig(
        search_scale=3.0,
        scale_jitter=0.25,
        wide_shift=0.25,
        turn_share=0.4,
        lookalike_share=0.25,
        similar_share=0.45,
        post_share=0.2,
        sibling_share=0.1,
        doubtful_share=0.3,
        low_resolution_share=0.25,
        distractor_share=0.6,
        occluder_share=0.5,
        poor_first_share=0.1,
    )


def _paper_sampler() -> SamplerConfig:
    """Stretch, blur, grey and flip, frames at most 100 apart."""
    return SamplerConfig(farthest=100, search_scale=4.03, scale_jitter=0.18, doubtful_share=0.3)


@dataclass(frozen=True, kw_only=True)
class UnrolledConfig(LoopConfig):
    """What all trainings on clips that are remembered can be set to."""

    shortest: int = setting(2, "frames of a clip to begin with", low=2, high=5)
    longest: int = setting(5, "frames of a clip in the end, one more after each fifth of the steps", low=2, high=5)
    negative_share: float = setting(0.1, "share of clips whose first frame shows another object", low=0.0, high=1.0)
    box: float = setting(1.2, "weight of the box term (lambda)", low=0.0, high=10.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.longest < self.shortest:
            raise ConfigError(f"longest is {self.longest}; allowed is at least shortest = {self.shortest}")


@dataclass(frozen=True, kw_only=True)
class LiteTrainConfig(UnrolledConfig, CachedConfig):
    """The whole training of the lite tracker."""

    steps: int = setting(7000, "optimiser steps", low=1)
    batch: int = setting(8, "clips a step", low=2, high=1024)
    precision: str = setting("fp32", "of the arithmetic", choices=("fp32", "bf16", "fp16"))
    network: LiteNetworkConfig = section(LiteNetworkConfig)
    sampler: SamplerConfig = field(default_factory=_sampler)


@dataclass(frozen=True, kw_only=True)
class PaperTrainConfig(UnrolledConfig):
    """The paper's training."""

    steps: int = setting(32_000, "optimiser steps", low=1)
    batch: int = setting(16, "clips a step", low=2, high=1024)
    clip: float = setting(0.0, "largest norm of the gradient; 0 = no limit", low=0.0)
    average: float = setting(0.0, "decay of the averaged weights; 0 = no average is taken", low=0.0, high=1.0)
    rate: float = setting(0.001, "SGD's learning rate", low=0.0, high=1.0)
    decay: float = setting(0.95, "factor of the rate after each fifth of the steps", low=0.0, high=1.0)
    momentum: float = setting(0.9, "SGD's momentum", low=0.0, high=1.0)
    weight_decay: float = setting(5e-4, "SGD's weight decay", low=0.0, high=1.0)
    backbone_weights: str = setting("", "a ResNet-18 or -50, published or converted")
    random_stage: bool = setting(False, "the backbone's last stage, which the file does not have, begins at random")
    network: PaperNetworkConfig = section(PaperNetworkConfig)
    sampler: SamplerConfig = field(default_factory=_paper_sampler)


TrainConfig = LiteTrainConfig | PaperTrainConfig
