"""What the trainings of STMTrack can be set to: the lite one's, and the paper's with defaults for the full data."""

from __future__ import annotations

from dataclasses import dataclass

from stm_tracker_ros.core.config import section, setting, validate
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig, PaperNetworkConfig
from stm_tracker_ros.training.config import FineTuningConfig, LoopConfig, SamplerConfig


@dataclass(frozen=True, kw_only=True)
class LiteLossConfig:
    """Weights of the terms and the constants of the focal loss (Lin et al., ICCV 2017)."""

    focal_alpha: float = setting(0.75, "weight of positive cells", low=0.0, high=1.0)
    focal_gamma: float = setting(2.0, "how much easy cells are forgiven", low=0.0, high=5.0)
    centerness: float = setting(0.5, "weight of the centre-ness term", low=0.0, high=10.0)
    box: float = setting(2.0, "weight of the box term", low=0.0, high=10.0)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class LiteTrainConfig(FineTuningConfig):
    """The whole training of the lite tracker."""

    batch: int = setting(10, "samples a step; each gives four queries", low=2, high=1024)
    negative_share: float = setting(0.15, "share of queries with another object's memory", low=0.0, high=1.0)
    box_noise: float = setting(0.05, "noise of remembered boxes over their size", low=0.0, high=0.5)
    rough_share: float = setting(0.2, "share of remembered boxes with four times that noise", low=0.0, high=1.0)
    own_share: float = setting(0.5, "share of samples that remember the network's own answers", low=0.0, high=1.0)
    drift: float = setting(0.2, "common error of the remembered boxes of a sample, log of size", low=0.0, high=1.0)
    drift_share: float = setting(0.5, "share of samples with a common error", low=0.0, high=1.0)
    wrong_share: float = setting(0.12, "share of remembered boxes that lie on something else", low=0.0, high=1.0)
    others_share: float = setting(
        0.0, "share of queries that read the other frames without the first one, which is read alone", low=0.0, high=1.0
    )
    network: LiteNetworkConfig = section(LiteNetworkConfig)
    sampler: SamplerConfig = section(SamplerConfig)
    loss: LiteLossConfig = section(LiteLossConfig)


@dataclass(frozen=True, kw_only=True)
class SourceWeights:
    """How often each source is drawn from, relative to their sum; objects of one source are equally likely."""

    videos: float = setting(0.3, "annotated videos", low=0.0)
    clips: float = setting(0.6, "clips whose boxes other trackers made", low=0.0)
    masked: float = setting(0.08, "stills with masks", low=0.0)
    boxed: float = setting(0.02, "aerial stills with boxes", low=0.0)

    def __post_init__(self) -> None:
        validate(self)
        if self.videos + self.clips + self.masked + self.boxed <= 0:
            raise ConfigError("the weights of all sources are 0; allowed is at least one above")


@dataclass(frozen=True, kw_only=True)
class PaperSamplerConfig:
    """How samples are drawn."""

    memory_frames: int = setting(3, "memory frames of a sample", low=1, high=16)
    window: int = setting(50, "frames from the middle of a sample to its ends", low=1)
    negative_share: float = setting(0.33, "share of samples whose query shows another object", low=0.0, high=1.0)
    search_scale: float = setting(
        4.0, "side of the crop over the target's size", low=1.5, high=8.0, formerly=("area_factor",)
    )
    resize: float = setting(0.3, "largest r of a crop's size factor, between 1 / (1 + r) and 1 + r", low=0.0, high=2.0)
    shift: float = setting(0.2, "largest offset over the side of the crop", low=0.0, high=0.5)
    longest: float = setting(10.0, "boxes this many times longer than wide are not used", low=1.0)
    filter_area: bool = setting(False, "leave out boxes under 0.1 % or over 60 % of the image")
    weights: SourceWeights = section(SourceWeights)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class PaperLossConfig:
    """Weights of the terms and the constants of the focal loss."""

    focal_alpha: float = setting(0.75, "weight of positive points", low=0.0, high=1.0)
    focal_gamma: float = setting(2.0, "how much easy points are forgiven", low=0.0, high=5.0)
    cls: float = setting(1.0, "weight of the score's term", low=0.0)
    ctr: float = setting(1.0, "weight of the centre-ness term", low=0.0)
    reg: float = setting(3.0, "weight of the box term", low=0.0)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class PaperTrainConfig(LoopConfig):
    """The whole training."""

    batch: int = setting(64, "samples a step", low=1, high=1024)
    clip: float = setting(0.0, "largest norm of the gradient; 0 = no limit", low=0.0)
    average: float = setting(0.0, "decay of the averaged weights; 0 = no average is taken", low=0.0, high=1.0)
    validate_minutes: float = setting(60.0, "minutes between validations; 0 = none", low=0.0)
    epochs: int = setting(20, "epochs", low=2)
    samples: int = setting(300_000, "samples an epoch", low=1)
    start_rate: float = setting(0.01, "learning rate at the start of the first epoch", low=1e-9, high=1.0)
    peak_rate: float = setting(0.08, "learning rate at its end", low=1e-9, high=1.0)
    end_rate: float = setting(1e-6, "learning rate at the end of all", low=1e-9, high=1.0)
    backbone_rate: float = setting(
        0.1, "learning rate of the backbones over that of the rest", low=0.0, high=1.0, formerly=("trunk_rate",)
    )
    release_epoch: int = setting(10, "epoch from which the backbones' Mixed_* convolutions are trained", low=0)
    momentum: float = setting(0.9, "SGD's momentum", low=0.0, high=1.0)
    weight_decay: float = setting(1e-4, "SGD's weight decay", low=0.0, high=1.0)
    backbone_weights: str = setting(
        "", "an Inception-v3, published or converted; random: none", formerly=("trunk_weights",)
    )
    network: PaperNetworkConfig = section(PaperNetworkConfig)
    sampler: PaperSamplerConfig = section(PaperSamplerConfig)
    loss: PaperLossConfig = section(PaperLossConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples < self.batch:
            raise ConfigError(f"samples is {self.samples}; allowed is at least batch = {self.batch}")

    @property
    def epoch_steps(self) -> int:
        """Optimiser steps of an epoch; samples that fill no batch are left over."""
        return self.samples // self.batch

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.epochs * self.epoch_steps
