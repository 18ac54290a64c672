"""What the trainings of SiamSTM can be set to: the lite one's, and the paper's."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from stm_tracker_ros.core.config import section, setting, validate
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.trackers.siamstm.config import (
    LiteNetworkConfig,
    PaperNetworkConfig,
    check_crop_size,
    crop_size_setting,
)
from stm_tracker_ros.training.config import CachedConfig, LoopConfig, SamplerConfig, check_renewed


def _lite_sampler() -> SamplerConfig:
    """Further apart than the paper's pairs and beside more look-alikes: the template stays the first."""
    return SamplerConfig(
        farthest=200,
        scale_jitter=0.4,
        turn_share=0.3,
        lookalike_share=0.25,
        similar_share=0.5,
        post_share=0.2,
        sibling_share=0.2,
        low_resolution_share=0.25,
        distractor_share=0.7,
    )


def _paper_sampler() -> SamplerConfig:
    """A pair is at most 100 frames apart."""
    return SamplerConfig(farthest=50, search_scale=2 * 255 / 127, scale_jitter=0.18, shift=0.125, wide_shift_share=0.0)


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weights of the terms and what they are."""

    offset: float = setting(1.0, "weight of the offset (of an FCOS head its centre-ness)", low=0.0, high=10.0)
    size: float = setting(0.1, "weight of the size, in cells (of an FCOS head 1 - GIoU)", low=0.0, high=10.0)
    arm: float = setting(0.5, "weight of the aberrance repressed module; 0 = triplets without it", low=0.0, high=10.0)
    divergence: str = setting(
        "normalised", "KL of maps normalised to sum 1, or of maps as they are", choices=("normalised", "printed")
    )
    reach: float = setting(
        1.0, "Gaussian label from which on a cell learns the box; 1 = the target's cell alone", low=0.01, high=1.0
    )
    mask: float = setting(1.0, "weight of the mask branch", low=0.0, high=10.0)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class ExampleConfig:
    """What is asked of the crops of a sample."""

    negative_share: float = setting(0.15, "share of searched crops with another object's template", low=0.0, high=1.0)
    box_noise: float = setting(0.06, "noise of the boxes that the mask branch gets, over their size", low=0.0, high=0.5)

    def __post_init__(self) -> None:
        validate(self)


def _lite_loss() -> LossConfig:
    """A target has three of its cells: a size is off by less of them, and label .1 is that of the neighbours.

    Without ARM's term, which costs .03 of success AUC in 1000 steps, and brings nothing in many (docs/RESULTS.md).
    """
    return LossConfig(size=1.0, reach=0.1, arm=0.0)


@dataclass(frozen=True, kw_only=True)
class LiteTrainConfig(CachedConfig):
    """The whole training of the lite tracker."""

    batch: int = setting(10, "samples a step; each gives a template and four searched crops", low=2, high=1024)
    release_share: float = setting(
        0.5, "share of the steps after which the backbone's last blocks are trained", low=0.0, high=1.0
    )
    network: LiteNetworkConfig = section(LiteNetworkConfig)
    sampler: SamplerConfig = field(default_factory=_lite_sampler)
    examples: ExampleConfig = section(ExampleConfig)
    loss: LossConfig = field(default_factory=_lite_loss)


@dataclass(frozen=True, kw_only=True)
class PaperTrainConfig(LoopConfig):
    """The paper's training (section 4.1); what it does not say is SiamRPN++'s."""

    batch: int = setting(48, "samples a step; each gives two of the paper's triplets", low=2, high=1024)
    clip: float = setting(10.0, "largest norm of the gradient; 0 = no limit", low=0.0)
    average: float = setting(0.0, "decay of the averaged weights; 0 = no average is taken", low=0.0, high=1.0)
    validate_minutes: float = setting(60.0, "minutes between validations; 0 = none", low=0.0)
    epochs: int = setting(20, "epochs", low=1)
    samples: int = setting(300_000, "samples an epoch", low=1)
    warm_up_epochs: int = setting(5, "epochs in which the rate rises", low=0)
    start_rate: float = setting(0.001, "learning rate at the start", low=1e-9, high=1.0)
    peak_rate: float = setting(0.005, "learning rate after the warm-up", low=1e-9, high=1.0)
    end_rate: float = setting(0.0005, "learning rate at the end", low=1e-9, high=1.0)
    release_epoch: int = setting(10, "epoch from which the backbone is trained; as many as epochs: never", low=0)
    backbone_rate: float = setting(0.1, "learning rate of the backbone over that of the rest", low=0.0, high=1.0)
    optimiser: str = setting("sgd", "adamw learns more in few steps, and without momentum", choices=("sgd", "adamw"))
    momentum: float = setting(0.9, "SGD's momentum", low=0.0, high=1.0)
    weight_decay: float = setting(1e-4, "the optimiser's weight decay", low=0.0, high=1.0)
    backbone_weights: str = setting(
        "", "a ResNet-50 dilated to stride 8, trained for tracking, published or converted; random: none"
    )
    cached_samples: int = setting(
        0, "samples whose maps are made once and used again, by a backbone that is never trained; 0 = none", low=0
    )
    renewed: bool = setting(
        False, "another process makes samples anew all the while, the oldest first: few are learned by heart"
    )
    crop_size: int = crop_size_setting("side of the searched crops it learns from, at network.crop_size's scale")
    network: PaperNetworkConfig = section(PaperNetworkConfig)
    sampler: SamplerConfig = field(default_factory=_paper_sampler)
    examples: ExampleConfig = section(ExampleConfig)
    loss: LossConfig = section(LossConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_crop_size(self.crop_size)
        check_renewed(self.renewed, self.cached_samples)
        if self.samples < self.batch:
            raise ConfigError(f"samples is {self.samples}; allowed is at least batch = {self.batch}")
        if self.warm_up_epochs >= self.epochs:
            raise ConfigError(f"warm_up_epochs is {self.warm_up_epochs}; allowed is less than epochs = {self.epochs}")
        if self.cached_samples and self.release_epoch < self.epochs:
            raise ConfigError(
                f"cached_samples is {self.cached_samples}, which leaves the backbone as it is; needed is a "
                f"release_epoch of at least epochs = {self.epochs}"
            )

    @property
    def cut(self) -> SamplerConfig:
        """How samples of `crop_size` are drawn: a target and its usual offset have the pixels that `sampler` says."""
        share = self.crop_size / self.network.crop_size
        scale, shift = self.sampler.search_scale * share, min(self.sampler.shift / share, 0.5)
        return replace(self.sampler, search_scale=scale, shift=shift)

    @property
    def epoch_steps(self) -> int:
        """Optimiser steps of an epoch; samples that fill no batch are left over."""
        return self.samples // self.batch

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.epochs * self.epoch_steps
