"""What DMV can be set to: the network (kept in the checkpoint) and the tracking around it (parameters)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from stm_tracker_ros.core.config import section, setting, validate
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.following.config import FOLLOW_BEST, STILL, FollowingConfig, PriorConfig, SearchConfig, SizeConfig
from stm_tracker_ros.parts.own_error import OwnErrorConfig

LITE_BACKBONES = ("mobilenet_v2", "resnet18")  # that see RGB by the mean and deviation of ImageNet
PAPER_BACKBONES = ("resnet18", "resnet50")
READS = ("vote", "mlp", "softmax")


@dataclass(frozen=True, kw_only=True)
class ReadConfig:
    """How the memory is read (section 3.2 of the paper); Table 1 compares the kinds, Table 4 the candidates."""

    kind: str = setting(
        "vote",
        "vote: the best matches compare themselves with each other; mlp: each is looked at alone; softmax: all of the "
        "memory is averaged, without candidates",
        choices=READS,
    )
    candidates: int = setting(4, "memory cells that each cell of the crop picks (K)", low=1, high=32)
    values: str = setting(
        "weighted",
        "printed: what is picked counts as it is, so that the similarity learns nothing; weighted: by its similarity",
        choices=("printed", "weighted"),
    )
    channels: int = setting(64, "channels within the vote; the paper has as many as features", low=8, high=512)
    heads: int = setting(8, "heads of the vote", low=1, high=16)

    def __post_init__(self) -> None:
        validate(self)
        if self.channels % 4:
            raise ConfigError(f"channels is {self.channels}; allowed is a multiple of 4")


@dataclass(frozen=True, kw_only=True)
class LiteNetworkConfig:
    """Shape of `lite_network.LiteNetwork`."""

    KIND: ClassVar = "lite"

    backbone: str = setting("mobilenet_v2", "the one backbone", choices=LITE_BACKBONES)
    crop_size: int = setting(192, "side of the crop in pixels, a multiple of 16", low=128, high=512)
    width: int = setting(128, "channels of features and values", low=16, high=512)
    key_channels: int = setting(64, "channels of the keys", low=8, high=256)
    shared_blocks: int = setting(2, "blocks before the towers part", low=0, high=8)
    tower_blocks: int = setting(1, "blocks of each tower", low=0, high=8)
    read: ReadConfig = section(ReadConfig)

    def __post_init__(self) -> None:
        validate(self)
        if self.crop_size % 16:
            raise ConfigError(f"crop_size is {self.crop_size}; allowed is a multiple of 16")


@dataclass(frozen=True, kw_only=True)
class PaperNetworkConfig:
    """Shape of `paper_network.PaperNetwork`."""

    KIND: ClassVar = "paper"

    backbone: str = setting("resnet18", "the one backbone", choices=PAPER_BACKBONES)
    crop_size: int = setting(256, "side of the crop in pixels, a multiple of 32", low=128, high=512)
    width: int = setting(256, "channels of features, keys and values, an even number", low=16, high=512)
    read: ReadConfig = field(default_factory=lambda: ReadConfig(channels=256))

    def __post_init__(self) -> None:
        validate(self)
        if self.crop_size % 32 or self.width % 2:
            raise ConfigError(
                f"crop_size is {self.crop_size}, width {self.width}; allowed are a multiple of 32, an even number"
            )


@dataclass(frozen=True, kw_only=True)
class MemoryConfig:
    """What is remembered and what of it is read."""

    policy: str = setting("full", "what is read: all slots, or the first frame's alone", choices=("full", "first"))
    slots: int = setting(32, "frames kept at most; the oldest but the first makes room", low=2, high=256)
    interval: int = setting(
        30, "nominal frames, 30 a second, from one that is remembered to the next", low=1, high=300, live=True
    )
    store_share: float = setting(
        0.7, "share of the usual score from which a frame is remembered", low=0.0, high=2.0, live=True
    )
    store_score: float = setting(
        0.0,
        "score from which a frame is remembered as well; the paper has .7 and no share",
        low=0.0,
        high=1.0,
        live=True,
    )
    label: str = setting(
        "followed",
        "which scores are remembered: printed: all from .5 on; followed: of those that overlap what is followed",
        choices=("printed", "followed"),
    )
    background: bool = setting(True, "cells beside the target are remembered too; false: they are zeros (Fig. 4)")

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class TrackConfig(FollowingConfig):
    """Everything of DMV that is set from outside; the defaults are those of `dmv_lite`."""

    memory: MemoryConfig = section(MemoryConfig)
    own_error: OwnErrorConfig = field(default_factory=lambda: OwnErrorConfig(sides=0.7, center=0.5))

    def __post_init__(self) -> None:
        validate(self)


LITE = TrackConfig(search=SearchConfig(scale=3.0))
# the paper says nothing of window, penalty and rate; these are its parents' (SiamRPN++, ResNet-50)
PAPER = TrackConfig(
    memory=MemoryConfig(store_share=0.0, store_score=0.7, label="printed"),
    search=replace(STILL, scale=4.03),
    prior=PriorConfig(window=0.42, penalty=0.05),
    size=SizeConfig(rate=0.38, filtered=False),
    presence=FOLLOW_BEST,
    own_error=OwnErrorConfig(),
)
