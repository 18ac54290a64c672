"""What trainings of several trackers can be set to; what one alone can stands in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stm_tracker_ros.core.config import setting, validate
from stm_tracker_ros.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """What the loop needs to know; each recipe's configuration adds its own settings and changes defaults."""

    batch: int = setting(12, "samples a step", low=1, high=1024)
    clip: float = setting(5.0, "largest norm of the gradient; 0 = no limit", low=0.0)
    average: float = setting(0.998, "decay of the averaged weights; 0 = no average is taken", low=0.0, high=1.0)
    precision: str = setting("bf16", "of the arithmetic; fp16 on a GPU only", choices=("fp32", "bf16", "fp16"))
    seed: int = setting(1, "seed of samples and weights", low=0)
    start_from: str = setting("", "weights to start from: ours as .safetensors, or a run's last.pt; empty: none")
    workers: int = setting(
        0, "processes that draw samples; 0 = one beside a CPU that trains, one a core beside a GPU", low=0, high=64
    )
    log_steps: int = setting(20, "steps a row of the log", low=1)
    checkpoint_minutes: float = setting(4.0, "minutes between checkpoints", low=0.1)
    validate_minutes: float = setting(20.0, "minutes between validations; 0 = none", low=0.0)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class FineTuningConfig(LoopConfig):
    """What the trainings of lite networks have in common, see `fine_tuning`."""

    steps: int = setting(4000, "optimiser steps", low=1)
    rate: float = setting(1e-3, "peak learning rate", low=0.0, high=1.0)
    backbone_rate: float = setting(
        0.1, "learning rate of the backbone's last blocks over the peak", low=0.0, high=1.0, formerly=("trunk_rate",)
    )
    trained_blocks: int = setting(
        3, "blocks of the backbone that are trained, from its end on; all of stride 16: 7", low=1, high=7
    )
    warm_up: int = setting(200, "steps of linear warm-up", low=0)
    weight_decay: float = setting(0.01, "AdamW's weight decay", low=0.0, high=1.0)
    backbone_weights: str = setting(
        "", "file of the published backbone; empty: that of a pip package", formerly=("trunk_weights",)
    )


@dataclass(frozen=True, kw_only=True)
class CachedConfig(FineTuningConfig):
    """Those that can take their encoder from another lite tracker, and leave it as it is: see `feature_cache`."""

    start_encoder: str = setting(
        "",
        "a checkpoint of stmtrack_lite, or of the same tracker, whose backbone and neck to start from; empty: a "
        "published backbone",
    )
    cached_samples: int = setting(
        0, "samples whose features are made once and used again, with backbone and neck as they are; 0 = none", low=0
    )
    renewed: bool = setting(
        False, "another process makes samples anew all the while, the oldest first: few are learned by heart"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_renewed(self.renewed, self.cached_samples)
        if self.cached_samples and not (self.start_encoder or self.start_from):
            raise ConfigError(
                f"cached_samples is {self.cached_samples}, which leaves backbone and neck as they are; needed is "
                "start_encoder or start_from, whose neck has been trained"
            )


def check_renewed(renewed: bool, cached_samples: int) -> None:
    """Raises ConfigError where samples are to be made anew and none are kept."""
    if renewed and not cached_samples:
        raise ConfigError("renewed is true and cached_samples 0; needed is how many there shall be at a time")


@dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """How samples are drawn; shares are probabilities."""

    SPANS: ClassVar = (10, 30, 60, 100, 200, 400)  # frames to either side, each as likely as the others

    farthest: int = setting(400, "frames to either side that a sample comes from, at most", low=1)
    search_scale: float = setting(
        3.5, "side of the crop over the target's size", low=1.5, high=8.0, formerly=("area_factor",)
    )
    scale_jitter: float = setting(0.3, "log of the largest wrong scale", low=0.0, high=1.0)
    shift: float = setting(0.08, "usual offset over the side of the crop", low=0.0, high=0.5)
    wide_shift: float = setting(0.3, "large offset over the side of the crop", low=0.0, high=0.5)
    wide_shift_share: float = setting(0.4, "share of large offsets", low=0.0, high=1.0)
    video_share: float = setting(0.55, "share of samples from videos", low=0.0, high=1.0)
    other_box_share: float = setting(
        0.0, "share of samples whose boxes all differ from the object's alike, as an operator's may", low=0.0, high=1.0
    )
    turn_share: float = setting(0.0, "share of stills with a mask whose surface turns", low=0.0, high=1.0)
    paste_share: float = setting(0.5, "share of stills pasted on another picture", low=0.0, high=1.0)
    elsewhere_share: float = setting(0.06, "share of video crops that look beside the target", low=0.0, high=1.0)
    sibling_share: float = setting(
        0.0, "share of video crops that look at another object of the frame, where there is one", low=0.0, high=1.0
    )
    doubtful_share: float = setting(
        0.0, "share of clips' samples with frames whose boxes are not trusted, where there are some", low=0.0, high=1.0
    )
    lookalike_share: float = setting(
        0.0, "share of distractors and occluders that are the target's double", low=0.0, high=1.0
    )
    similar_share: float = setting(
        0.0, "share of distractors and occluders that are other objects that look like the target", low=0.0, high=1.0
    )
    post_share: float = setting(0.0, "share of occluders that are posts", low=0.0, high=1.0)
    distractor_share: float = setting(0.5, "share of samples with another object beside the target", low=0.0, high=1.0)
    occluder_share: float = setting(0.4, "share of samples with an object over the target", low=0.0, high=1.0)
    occluded_frame_share: float = setting(0.4, "share of frames hidden in those", low=0.0, high=1.0)
    full_cover_share: float = setting(0.5, "share of covers that hide the target whole", low=0.0, high=1.0)
    grey_share: float = setting(0.1, "share of grey samples", low=0.0, high=1.0)
    low_resolution_share: float = setting(0.15, "share of coarse samples", low=0.0, high=1.0)
    blur_share: float = setting(0.08, "share of motion-blurred frames", low=0.0, high=1.0)
    poor_first_share: float = setting(
        0.0, "share of samples whose first frame is seen badly: coarse, in other light", low=0.0, high=1.0
    )

    def __post_init__(self) -> None:
        validate(self)

    @property
    def spans(self) -> tuple[int, ...]:
        """How many frames to either side a sample may come from, up to the farthest."""
        return *(span for span in self.SPANS if span < self.farthest), self.farthest
