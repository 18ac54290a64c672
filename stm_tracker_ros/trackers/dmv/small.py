"""DMV's networks at their smallest, with random weights: for tests of everything but how well they track."""

from __future__ import annotations

from torch import nn

from stm_tracker_ros.trackers.dmv.config import LiteNetworkConfig, PaperNetworkConfig, ReadConfig
from stm_tracker_ros.trackers.dmv.lite_network import LiteNetwork
from stm_tracker_ros.trackers.dmv.paper_network import PaperNetwork


def lite() -> LiteNetwork:
    """The lite network on crops of 128 px; wide weights, or its untrained head would give every anchor one answer."""
    read = ReadConfig(channels=16, heads=2)
    config = LiteNetworkConfig(crop_size=128, width=32, key_channels=16, shared_blocks=1, tower_blocks=1, read=read)
    network = LiteNetwork(config)
    for layer in (network.score, network.box):
        nn.init.kaiming_normal_(layer.weight)
    return network


def paper() -> PaperNetwork:
    """The paper's network on crops of 128 px with ResNet-18."""
    return PaperNetwork(PaperNetworkConfig(crop_size=128, width=32, read=ReadConfig(channels=16, heads=2)))
