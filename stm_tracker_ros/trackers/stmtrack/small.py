"""STMTrack's networks at their smallest, with random weights: for tests of everything but how well they track."""

from __future__ import annotations

from torch import nn

from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig, PaperNetworkConfig
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork
from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork


def lite() -> LiteNetwork:
    """The lite network on crops of 128 px."""
    return LiteNetwork(LiteNetworkConfig(crop_size=128, width=32, key_channels=16, shared_blocks=1, tower_blocks=1))


def paper() -> PaperNetwork:
    """The paper's network on crops of 129 px; wide weights, or its untrained head would give every cell one answer."""
    network = PaperNetwork(PaperNetworkConfig(crop_size=129))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return network
