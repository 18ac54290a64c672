"""DMB's networks at their smallest, with random weights: for tests of everything but how well they track."""

from __future__ import annotations

from stm_tracker_ros.trackers.dmb.config import LiteNetworkConfig, PaperNetworkConfig
from stm_tracker_ros.trackers.dmb.lite_network import LiteNetwork
from stm_tracker_ros.trackers.dmb.paper_network import PaperNetwork


def lite() -> LiteNetwork:
    """The lite network on crops of 128 px."""
    return LiteNetwork(
        LiteNetworkConfig(crop_size=128, width=32, key_channels=16, blocks=1, middle_width=16, fine_width=16)
    )


def paper() -> PaperNetwork:
    """The paper's network on crops of 64 px."""
    return PaperNetwork(
        PaperNetworkConfig(
            crop_size=64, spatial_size=64, width=4, key_channels=8, value_channels=16, decoder_channels=8
        )
    )
