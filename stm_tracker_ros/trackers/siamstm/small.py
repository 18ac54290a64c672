"""SiamSTM's networks at their smallest, with random weights: for tests of everything but how well they track."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from stm_tracker_ros.trackers.siamstm.config import LiteNetworkConfig, PaperNetworkConfig
from stm_tracker_ros.trackers.siamstm.lite_network import LiteNetwork
from stm_tracker_ros.trackers.siamstm.paper_network import PaperNetwork

Network = TypeVar("Network", LiteNetwork, PaperNetwork)


def lite() -> LiteNetwork:
    """The lite network on crops of 96 px."""
    return spread(LiteNetwork(LiteNetworkConfig(crop_size=96, width=32, channels=16, kernel=2, mask_width=8)))


def paper() -> PaperNetwork:
    """The paper's network with few channels; its crops have one size."""
    return spread(PaperNetwork(PaperNetworkConfig(width=4, channels=16, mask_width=8)))


def spread(network: Network) -> Network:
    """Wider last weights, or an untrained head would give every cell one answer."""
    for branch in (network.head.what, *network.head.where):
        last = branch[-1]  # type: ignore[index]
        assert isinstance(last, nn.Conv2d)
        with torch.no_grad():
            last.weight.mul_(5)
    return network
