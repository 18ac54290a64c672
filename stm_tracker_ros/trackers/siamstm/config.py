"""What SiamSTM can be set to: the network (kept in the checkpoint) and the tracking around it (parameters)."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from stm_tracker_ros.parts.own_error import OwnErrorConfig

LITE_BACKBONES = ("mobilenet_v2", "resnet18")  # that see RGB by the mean and deviation of ImageNet
CORRELATION = "svc: the paper's; dw: depth-wise correlation alone; channel: attention that is the same everywhere"
HEAD = "center: the paper's; fcos: sides and centre-ness in every cell"


@dataclass(frozen=True, kw_only=True)
class LiteNetworkConfig:
    """Shape of `lite_network.LiteNetwork`."""

    KIND: ClassVar = "lite"

    backbone: str = setting("mobilenet_v2", "the one backbone", choices=LITE_BACKBONES)
    crop_size: int = setting(192, "side of the crop in pixels, a multiple of 32", low=64, high=512)
    width: int = setting(128, "channels of the features at stride 16", low=16, high=512)
    channels: int = setting(96, "channels of what is correlated, and of the head", low=16, high=256)
    kernel: int = setting(4, "side of the template's features in cells of 16 pixels, even", low=2, high=16)
    correlation: str = setting("svc", CORRELATION, choices=("svc", "dw", "channel"))
    head: str = setting("center", HEAD, choices=("center", "fcos"))
    labelled: bool = setting(True, "the template is weighted by its box, and its sides are told")
    shared_blocks: int = setting(0, "blocks before the head's branches", low=0, high=8)
    mask_width: int = setting(32, "channels of the mask branch", low=8, high=256)

    def __post_init__(self) -> None:
        validate(self)
        if self.crop_size % 32:
            raise ConfigError(f"crop_size is {self.crop_size}; allowed is a multiple of 32")
        if self.kernel % 2:
            raise ConfigError(f"kernel is {self.kernel}; allowed is an even number")


def crop_size_setting(words: str) -> int:
    """Of a crop that has the paper's template in its middle, see `check_crop_size`."""
    return setting(255, f"{words}: 127 and a multiple of 16", low=143, high=511)


def check_crop_size(crop_size: int) -> None:
    """Raises ConfigError for a crop whose cells do not lie about a template of 127 pixels as they do in the paper's."""
    if crop_size % 16 != 127 % 16:
        raise ConfigError(f"crop_size is {crop_size}; allowed is 127 and a multiple of 16")


@dataclass(frozen=True, kw_only=True)
class PaperNetworkConfig:
    """Shape of `paper_network.PaperNetwork`."""

    KIND: ClassVar = "paper"

    backbone: str = setting("resnet50_dilated", "the one backbone", choices=("resnet50_dilated",))
    crop_size: int = crop_size_setting("side of the searched crop in pixels; the tracker's search.scale goes with it")
    width: int = setting(64, "channels of the backbone's first stage", low=4, high=64)
    channels: int = setting(256, "channels of the adjusted features and of the head", low=16, high=512)
    correlation: str = setting("svc", CORRELATION, choices=("svc", "dw", "channel"))
    head: str = setting("center", HEAD, choices=("center", "fcos"))
    mask_width: int = setting(64, "channels of the mask branch", low=8, high=256)

    def __post_init__(self) -> None:
        validate(self)
        check_crop_size(self.crop_size)


@dataclass(frozen=True, kw_only=True)
class ArmConfig:
    """The aberrance repressed module at run time (Algorithm 1)."""

    peaks: int = setting(3, "responses that are compared with the last map; 1 = the highest is taken", low=1, high=20)
    candidates: str = setting("maxima", "what is a response: a local maximum, or any cell", choices=("maxima", "cells"))
    keeps: str = setting(
        "first",
        "what the next frame is compared with: the first frame's heatmap, moved along (as printed), or the last one's",
        choices=("first", "last"),
    )
    divergence: str = setting(
        "normalised", "KL of maps normalised to sum 1, or of maps as they are", choices=("normalised", "printed")
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class MaskConfig:
    """What of the network's answer is a mask."""

    threshold: float = setting(0.5, "probability from which a pixel is target", low=0.01, high=0.99, live=True)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class TrackConfig(FollowingConfig):
    """Everything of SiamSTM that is set from outside; `LITE` and `PAPER` are what the trackers begin with."""

    arm: ArmConfig = section(ArmConfig)
    mask: MaskConfig = section(MaskConfig)
    own_error: OwnErrorConfig = section(OwnErrorConfig)
    compat: str = setting(
        "none",
        "paper: SiamRPN++'s window, penalty and rate, for it has none, and the best candidate always, whatever is set",
        choices=("none", "paper"),
    )

    def __post_init__(self) -> None:
        validate(self)

    @property
    def rules(self) -> TrackConfig:
        """This configuration with the rules that `compat` asks for."""
        if self.compat == "none":
            return self
        return replace(
            self,
            compat="none",
            search=replace(STILL, scale=self.search.scale),
            prior=PriorConfig(window=0.42, penalty=0.05),
            size=SizeConfig(rate=0.38, filtered=False),
            presence=FOLLOW_BEST,
            own_error=OwnErrorConfig(),
        )


LITE = TrackConfig(presence=PresenceConfig(far_share=0.75))
PAPER = TrackConfig(
    search=SearchConfig(scale=2 * 255 / 127),  # a target has half the template's context
    own_error=OwnErrorConfig(sides=0.7, center=0.5),
)
