"""What the trainings of DMB can be set to: the lite one's, and the paper's."""

from __future__ import annotations

from dataclasses import dataclass, field

from stm_tracker_ros.core.config import section, setting, validate
from stm_tracker_ros.trackers.dmb.config import PaperNetworkConfig
from stm_tracker_ros.training.config import FineTuningConfig, LoopConfig, SamplerConfig


def _sampler() -> SamplerConfig:
    return SamplerConfig(
        farthest=100,
        search_scale=3.0,
        scale_jitter=0.35,
        wide_shift=0.25,
        elsewhere_share=0.04,
        paste_share=0.6,
        distractor_share=0.4,
    )


@dataclass(frozen=True, kw_only=True)
class ClipConfig:
    """How clips of three crops are drawn; shares are probabilities."""

    filmed_share: float = setting(0.3, "share of clips from videos with masks", low=0.0, high=1.0)
    boxed_share: float = setting(0.3, "share of clips from videos with boxes only", low=0.0, high=1.0)
    bend_share: float = setting(0.6, "share of crops of stills that are bent", low=0.0, high=1.0)
    bend: float = setting(0.05, "spread of the bending over the object's size", low=0.0, high=0.5)
    sampler: SamplerConfig = field(default_factory=_sampler)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class MapConfig:
    """The filter's map as it is made up in training, so that no filter has to be learned there."""

    jitter: float = setting(0.12, "spread of the peak about the target's centre over its size", low=0.0, high=1.0)
    flat_share: float = setting(0.15, "share of maps that say nothing", low=0.0, high=1.0)
    astray_share: float = setting(0.1, "share of maps that peak elsewhere", low=0.0, high=1.0)
    noise: float = setting(0.04, "spread of each cell", low=0.0, high=1.0)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class LiteTrainConfig(FineTuningConfig):
    """The whole training of the lite network."""

    steps: int = setting(5000, "optimiser steps", low=1)
    batch: int = setting(12, "clips a step", low=1, high=1024)
    box_share: float = setting(0.3, "share of masked clips that start from a box", low=0.0, high=1.0)
    wrong_share: float = setting(0.1, "share of second memories with a displaced mask", low=0.0, high=1.0)
    overlap: float = setting(1.0, "weight of the IoU term", low=0.0, high=10.0)
    projection: float = setting(1.0, "weight of the projection term", low=0.0, high=10.0)
    score: float = setting(0.2, "weight of the score term", low=0.0, high=10.0)
    maps: MapConfig = section(MapConfig)
    clips: ClipConfig = section(ClipConfig)


@dataclass(frozen=True, kw_only=True)
class PaperTrainConfig(LoopConfig):
    """The paper's training (section IV-A a), one stage a run: the second one starts from the first one's weights."""

    stage: str = setting(
        "stills",
        "stills: everything is trained, on stills made to move; videos: the encoders stay as they are",
        choices=("stills", "videos"),
    )
    epochs: int = setting(120, "epochs of `epoch` clips; the paper has 120 of stills, then 40 of videos", low=1)
    epoch: int = setting(32000, "clips an epoch", low=1)
    batch: int = setting(4, "clips a step", low=1, high=1024)
    rate: float = setting(1e-5, "Adam's learning rate, the same throughout", low=0.0, high=1.0)
    weight_decay: float = setting(5e-4, "Adam's weight decay (the authors' parent code)", low=0.0, high=1.0)
    clip: float = setting(0.0, "largest norm of the gradient; 0 = no limit", low=0.0)
    average: float = setting(0.0, "decay of the averaged weights; 0 = no average is taken", low=0.0, high=1.0)
    precision: str = setting("fp32", "of the arithmetic", choices=("fp32", "bf16", "fp16"))
    box_share: float = setting(0.01, "share of clips that start from a box (Box-to-Segmentation)", low=0.0, high=1.0)
    overlap: float = setting(1.0, "weight of the IoU term (lambda)", low=0.0, high=10.0)
    distance_share: float = setting(0.0, "share of batches with the authors' map of distances", low=0.0, high=1.0)
    backbone_weights: str = setting(
        "", "a ResNet-50, published or converted; random: none", formerly=("trunk_weights",)
    )
    network: PaperNetworkConfig = section(PaperNetworkConfig)
    maps: MapConfig = section(MapConfig)
    clips: ClipConfig = section(ClipConfig)
