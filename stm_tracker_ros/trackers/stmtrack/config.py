"""What STMTrack can be set to: the network (kept in the checkpoint) and the tracking around it (parameters)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from stm_tracker_ros.core.config import section, setting, validate
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.following.config import FOLLOW_BEST, STILL, FollowingConfig, PriorConfig, SizeConfig

LITE_BACKBONES = ("mobilenet_v2", "resnet18")  # that see RGB by the mean and deviation of ImageNet


@dataclass(frozen=True, kw_only=True)
class LiteNetworkConfig:
    """Shape of `lite_network.LiteNetwork`."""

    KIND: ClassVar = "lite"

    backbone: str = setting("mobilenet_v2", "the one backbone", choices=LITE_BACKBONES, formerly=("trunk",))
    crop_size: int = setting(224, "side of the crop in pixels, a multiple of 16", low=128, high=512)
    width: int = setting(128, "channels of features and values", low=16, high=512)
    key_channels: int = setting(64, "channels of the keys", low=8, high=256)
    shared_blocks: int = setting(2, "blocks before the towers part", low=0, high=8)
    tower_blocks: int = setting(1, "blocks of each tower", low=0, high=8)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class PaperNetworkConfig:
    """Shape of `paper_network.PaperNetwork`."""

    KIND: ClassVar = "paper"

    backbone: str = setting("inception_v3", "both backbones", choices=("inception_v3",), formerly=("trunk",))
    crop_size: int = setting(289, "side of the crop in pixels, 1 more than a multiple of 8", low=129, high=577)
    channels: int = setting(512, "channels of a memory feature", low=16, high=1024)

    def __post_init__(self) -> None:
        validate(self)
        if self.crop_size % 8 != 1:
            raise ConfigError(f"crop_size is {self.crop_size}; allowed is 1 more than a multiple of 8")


@dataclass(frozen=True, kw_only=True)
class MemoryConfig:
    """What is remembered and what of it is read."""

    rule: str = setting(
        "code",
        "which frame stands for a segment: as in the authors' code, or Eq. 5 of the paper",
        choices=("code", "equation_5"),
    )
    policy: str = setting(
        "full",
        "what is read: first frame, previous frame and one a segment; or less",
        choices=("full", "first", "first_previous"),
    )
    segments: int = setting(4, "segments of the past, one frame of each is read", low=1, high=16)
    history: int = setting(64, "frames kept at most; the grid gets coarser beyond", low=8, high=1000)
    store_score: float = setting(0.5, "frames with a lower score are not remembered", low=0.0, high=1.0, live=True)
    interval: int = setting(5, "nominal frames from one that is remembered, or refused, to the next", low=1, high=300)
    agreement_score: float = setting(
        0.55,
        "a frame is remembered if the first frame alone gives the place at least this score; 0 = it is not asked",
        low=0.0,
        high=1.0,
        live=True,
    )
    first_weight: float = setting(
        0.15,
        "weight of the first frame where it is read with others, times the learned one",
        low=0.01,
        high=1000.0,
        live=True,
    )
    previous_score: float = setting(
        0.0, "the previous frame is read above this score, window and penalty included", low=-1.0, high=1.0, live=True
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class TrackConfig(FollowingConfig):
    """Everything of STMTrack that is set from outside; the defaults are those of `stmtrack_lite`."""

    memory: MemoryConfig = section(MemoryConfig)
    compat: str = setting(
        "none", "official: the authors' conventions with all their quirks", choices=("none", "official")
    )

    def __post_init__(self) -> None:
        validate(self)


LITE = TrackConfig()
# the authors' settings for GOT-10k; they remember every frame, and follow the best candidate whatever it scores
PAPER = TrackConfig(
    memory=MemoryConfig(store_score=0.0, interval=1, agreement_score=0.0, first_weight=1.0, previous_score=0.6),
    search=replace(STILL, scale=4.0),
    prior=PriorConfig(window=0.21, penalty=0.04),
    size=SizeConfig(rate=0.95, filtered=False),
    presence=FOLLOW_BEST,
)
