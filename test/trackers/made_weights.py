"""Small checkpoints for every tracker: random weights by a seed, quick on any machine."""

from __future__ import annotations

from pathlib import Path

import torch
from reference_weights import fill
from torch import nn

from stm_tracker_ros.trackers import checkpoint
from stm_tracker_ros.trackers.dmb import config as dmb_config
from stm_tracker_ros.trackers.dmb import lite_network as dmb_lite_network
from stm_tracker_ros.trackers.dmb import paper_network as dmb_paper_network
from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig, PaperNetworkConfig
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork
from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork


def small_network(name: str) -> nn.Module:
    """The tracker's network at its smallest crop."""
    torch.manual_seed(5)
    if name == "stmtrack":
        return fill(PaperNetwork(PaperNetworkConfig(crop_size=129)))
    if name == "dmb":
        tiny = dmb_config.PaperNetworkConfig(
            crop_size=64, spatial_size=64, width=4, key_channels=8, value_channels=16, decoder_channels=8
        )
        return dmb_paper_network.PaperNetwork(tiny)
    if name == "dmb_lite":
        small = dmb_config.LiteNetworkConfig(
            crop_size=128, width=32, key_channels=16, blocks=1, middle_width=16, fine_width=16
        )
        return dmb_lite_network.LiteNetwork(small)
    return LiteNetwork(LiteNetworkConfig(crop_size=128, width=32, key_channels=16, shared_blocks=1, tower_blocks=1))


def save_small(name: str, path: Path) -> Path:
    """Write the small checkpoint of that tracker."""
    network = small_network(name)
    checkpoint.save(path, name, network.config, network.state_dict(), "made for a test, seed 5")
    return path
