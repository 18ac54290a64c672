"""What STMTrack can be set to: the network (kept in the checkpoint) and the tracking around it (parameters)."""

from __future__ import annotations

from dataclasses import dataclass

from stm_tracker_ros.core.config import judge, setting


@dataclass(frozen=True, kw_only=True)
class LiteNetworkConfig:
    """Shape of `lite_network.LiteNetwork`."""

    crop_size: int = setting(256, "side of the crop in pixels, a multiple of 16", low=128, high=512)
    width: int = setting(128, "channels of features and values", low=16, high=512)
    key_channels: int = setting(64, "channels of the keys", low=8, high=256)
    shared_blocks: int = setting(2, "blocks before the towers part", low=0, high=8)
    tower_blocks: int = setting(2, "blocks of each tower", low=0, high=8)

    def __post_init__(self) -> None:
        judge(self)
