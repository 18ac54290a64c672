"""What the trainings of SiamSTM can be set to: the lite one's, and the paper's."""

from __future__ import annotations

from dataclasses import dataclass, field

from stm_tracker_ros.core.config import section, setting, validate
from stm_tracker_ros.trackers.siamstm.config import LiteNetworkConfig
from stm_tracker_ros.training.config import FineTuningConfig, SamplerConfig

WINDOWS = (10, 30, 50)  # frames to either side: a pair is at most 100 apart, as in the paper


def _lite_sampler() -> SamplerConfig:
    return SamplerConfig(windows=WINDOWS, lookalike_share=0.3, sibling_share=0.1)


def _paper_sampler() -> SamplerConfig:
    return SamplerConfig(
        windows=WINDOWS, search_scale=2 * 255 / 127, scale_jitter=0.18, shift=0.125, wide_shift_share=0.0
    )


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
    """A target has three of its cells: a size is off by less of them, and label .1 is that of the neighbours."""
    return LossConfig(size=1.0, reach=0.1)


@dataclass(frozen=True, kw_only=True)
class LiteTrainConfig(FineTuningConfig):
    """The whole training of the lite tracker."""

    batch: int = setting(10, "samples a step; each gives a template and four searched crops", low=2, high=1024)
    start_encoder: str = setting(
        "", "weights of stmtrack_lite or siamstm_lite to take backbone and neck from; empty: the published backbone"
    )
    release_share: float = setting(
        0.5, "share of the steps after which the backbone's last blocks are trained", low=0.0, high=1.0
    )
    network: LiteNetworkConfig = section(LiteNetworkConfig)
    sampler: SamplerConfig = field(default_factory=_lite_sampler)
    examples: ExampleConfig = section(ExampleConfig)
    loss: LossConfig = field(default_factory=_lite_loss)
