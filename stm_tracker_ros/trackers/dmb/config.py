"""What DMB can be set to: the network (kept in the checkpoint) and the tracking around it (parameters)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from stm_tracker_ros.core.config import section, setting, validate
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.following.config import (
    FOLLOW_BEST,
    STILL,
    FollowingConfig,
    PresenceConfig,
    PriorConfig,
    SearchConfig,
    SizeConfig,
)

LITE_BACKBONES = ("mobilenet_v2", "resnet18")  # that see RGB by the mean and deviation of ImageNet


@dataclass(frozen=True, kw_only=True)
class LiteNetworkConfig:
    """Shape of `lite_network.LiteNetwork`."""

    KIND: ClassVar = "lite"

    backbone: str = setting("mobilenet_v2", "the one backbone", choices=LITE_BACKBONES, formerly=("trunk",))
    crop_size: int = setting(256, "side of the crop in pixels, a multiple of 16", low=64, high=512)
    width: int = setting(128, "channels of features and learned values", low=16, high=512)
    key_channels: int = setting(64, "channels of the keys", low=8, high=256)
    blocks: int = setting(2, "blocks of the decoder at stride 16", low=0, high=8)
    middle_width: int = setting(96, "channels of the decoder at stride 8", low=8, high=256)
    fine_width: int = setting(48, "channels of the decoder at stride 4", low=8, high=256)

    def __post_init__(self) -> None:
        validate(self)
        if self.crop_size % 16:
            raise ConfigError(f"crop_size is {self.crop_size}; allowed is a multiple of 16")


@dataclass(frozen=True, kw_only=True)
class PaperNetworkConfig:
    """Shape of `paper_network.PaperNetwork`."""

    KIND: ClassVar = "paper"

    backbone: str = setting("resnet50", "both backbones", choices=("resnet50",), formerly=("trunk",))
    layout: str = setting(
        "torchvision",
        "whose weights the backbones have; caffe: stride in the first 1x1",
        choices=("torchvision", "caffe"),
    )
    crop_size: int = setting(384, "side of the crop to segment in pixels, a multiple of 16", low=64, high=768)
    spatial_size: int = setting(256, "side of the filter's crop in pixels, a multiple of 16", low=64, high=512)
    width: int = setting(64, "channels of the backbones' first stage", low=4, high=64)
    key_channels: int = setting(128, "channels of the keys", low=8, high=256)
    value_channels: int = setting(512, "channels of the values", low=8, high=1024)
    decoder_channels: int = setting(256, "channels of the decoder", low=8, high=512)
    aggregates: bool = setting(True, "sharpen the mask by STM's soft aggregation")

    def __post_init__(self) -> None:
        validate(self)
        for name, size in (("crop_size", self.crop_size), ("spatial_size", self.spatial_size)):
            if size % 16:
                raise ConfigError(f"{name} is {size}; allowed is a multiple of 16")


@dataclass(frozen=True, kw_only=True)
class MemoryConfig:
    """The appearance memory: what is remembered and what of it is read."""

    policy: str = setting(
        "full",
        "what is read: the first frame, all that is kept and the previous one; or less",
        choices=("full", "first", "first_previous"),
    )
    interval: int = setting(5, "frames between those that are kept, at a nominal 30 Hz", low=1, high=100)
    history: int = setting(4, "frames kept at most; the grid gets coarser beyond", low=1, high=256)
    store_score: float = setting(0.5, "frames with a lower score are not remembered", low=0.0, high=1.0, live=True)
    previous_score: float = setting(
        0.0, "the previous frame is read while the score is above this", low=0.0, high=1.0, live=True
    )
    keeps_first: bool = setting(True, "the first frame stays for ever")
    first_weight: float = setting(1.0, "weight of the first frame in the read", low=0.01, high=1000.0, live=True)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class SpatialConfig:
    """The spatial memory: a projection and a filter that are learned online."""

    guide: str = setting(
        "response",
        "what enters the decoder: the filter's map, the distance to the crop's centre, or nothing",
        choices=("response", "distance", "flat"),
    )
    scale: float = setting(
        4.5,
        "side of the filter's own crop over the target's size",
        low=1.5,
        high=8.0,
        formerly=("spatial.area_factor",),
    )
    window: bool = setting(False, "the filter's map is lowered towards its borders (Hann)")
    channels: int = setting(24, "channels after the projection", low=1, high=256)
    kernel: int = setting(4, "side of the filter in cells", low=1, high=15)
    label_width: float = setting(0.25, "sigma of the label over the target's size", low=0.05, high=1.0)
    filter_decay: float = setting(0.1, "weight of the filter's squares", low=0.0, high=10.0)
    projection_decay: float = setting(1e-4, "weight of the projection's squares", low=0.0, high=10.0)
    first_steps: int = setting(4, "Gauss-Newton steps on the first frame", low=1, high=20)
    first_inner_steps: int = setting(8, "conjugate gradients in each of them", low=1, high=100)
    inner_steps: int = setting(5, "conjugate gradients in an update", low=1, high=100)
    interval: int = setting(10, "frames between updates, at a nominal 30 Hz", low=1, high=1000)
    samples: int = setting(40, "samples kept at most", low=12, high=1000)
    rate: float = setting(0.02, "weight of a new sample", low=0.0, high=1.0)
    hard_rate: float = setting(0.04, "weight of a new sample with a second peak", low=0.0, high=1.0)
    first_share: float = setting(0.25, "least weight of the first frame's samples together", low=0.0, high=1.0)
    second_peak: float = setting(0.4, "height of a second peak over the first that makes it one", low=0.0, high=1.0)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class UncertaintyConfig:
    """When the filter's peak is too low to learn from a frame."""

    rule: str = setting(
        "ratio",
        "mean of the last peaks over this one, as in the authors' code; or Eq. 9 to 11 of the paper; or none",
        choices=("ratio", "average", "none"),
    )
    queue: int = setting(25, "peaks that count", low=1, high=1000)
    patience: int = setting(5, "frames before the first judgement", low=0, high=1000)
    remember: float = setting(3.0, "no memory of frames less certain than this", low=0.0)
    doubtful: float = setting(1.4, "from here on the score falls with the certainty", low=1.0)
    learn: float = setting(3.0, "no sample for the filter of frames less certain than this", low=0.0)
    guess: float = setting(
        1.4,
        "where no mask is the target, the filter's peak is the next place if it is less uncertain than this",
        low=0.0,
        formerly=("search.guess_doubt",),
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class MaskConfig:
    """What of the network's answer is a mask."""

    threshold: float = setting(
        0.5,
        "probability from which a pixel is target",
        low=0.01,
        high=0.99,
        live=True,
        formerly=("motion.mask_threshold",),
    )
    smallest: float = setting(
        0.1,
        "a mask smaller than this share of the last one is none",
        low=0.0,
        high=1.0,
        formerly=("motion.smallest_mask",),
    )

    def __post_init__(self) -> None:
        validate(self)


PAPER_GUESS = 3.0  # of uncertainty.guess: up to here the filter's peak is the next place
SIGHT = SearchConfig(scale=3.2)
PRIOR, NO_PRIOR = PriorConfig(window=0.0), PriorConfig(window=0.0, penalty=0.0)
SIZE, FIXED = SizeConfig(rate=0.5), SizeConfig(rate=0.5, filtered=False)
PRESENCE = PresenceConfig(least_score=0.5, distractor_share=0.0)


@dataclass(frozen=True, kw_only=True)
class TrackConfig(FollowingConfig):
    """Everything of DMB that is set from outside; the defaults are those of `dmb_lite`."""

    WITHDRAWN: ClassVar = {
        "motion.largest_change": "what changes much is believed less, by prior.penalty",
        "motion.smallest_side": "no side gets smaller than 2 pixels",
    }

    search: SearchConfig = field(default=SIGHT)
    prior: PriorConfig = field(default=PRIOR)
    size: SizeConfig = field(default=SIZE)
    presence: PresenceConfig = field(default=PRESENCE)
    memory: MemoryConfig = section(MemoryConfig)
    spatial: SpatialConfig = section(SpatialConfig)
    uncertainty: UncertaintyConfig = section(UncertaintyConfig)
    mask: MaskConfig = section(MaskConfig)
    compat: str = setting(
        "none",
        "paper, official: the rules of the one or the other where they differ, whatever is set for them",
        choices=("none", "paper", "official"),
    )

    def __post_init__(self) -> None:
        validate(self)

    @property
    def rules(self) -> TrackConfig:
        """This configuration with the rules that `compat` asks for."""
        if self.compat == "none":
            return self
        paper = self.compat == "paper"
        return replace(
            self,
            compat="none",
            memory=replace(self.memory, keeps_first=paper, interval=5),
            spatial=replace(self.spatial, guide="response" if paper else "distance", window=not paper),
            uncertainty=replace(
                self.uncertainty, rule="average" if paper else "ratio", remember=10.0, learn=3.0, guess=PAPER_GUESS
            ),
            search=replace(STILL, scale=self.search.scale),
            prior=NO_PRIOR,
            size=FIXED,
            presence=replace(FOLLOW_BEST, least_score=self.presence.least_score),
        )


LITE = TrackConfig()
# the authors' settings, for which `dmb` has the network; what is read is bounded
PAPER = TrackConfig(
    memory=MemoryConfig(history=64),
    spatial=SpatialConfig(
        channels=64, samples=250, rate=0.0075, hard_rate=0.02, first_steps=6, first_inner_steps=10, second_peak=0.3
    ),
    uncertainty=UncertaintyConfig(guess=PAPER_GUESS),
    presence=replace(FOLLOW_BEST, least_score=0.3),
    prior=NO_PRIOR,
    size=FIXED,
    search=replace(STILL, scale=4.0),
)
