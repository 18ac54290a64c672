"""From a checkpoint to a tracker; which network it is stands in the checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from stm_tracker_ros.core.compute import Compute
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.following.calibration import Calibration
from stm_tracker_ros.following.follower import Follower
from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.trackers import checkpoint
from stm_tracker_ros.trackers.dmv.config import LiteNetworkConfig, PaperNetworkConfig, TrackConfig
from stm_tracker_ros.trackers.dmv.lite_network import LiteNetwork
from stm_tracker_ros.trackers.dmv.network import Network
from stm_tracker_ros.trackers.dmv.paper_network import PaperNetwork
from stm_tracker_ros.trackers.dmv.stepper import Stepper
from stm_tracker_ros.trackers.dmv.tracker import DmvMatcher

NETWORKS: dict[str, tuple[type[Any], type[nn.Module]]] = {
    LiteNetworkConfig.KIND: (LiteNetworkConfig, LiteNetwork),
    PaperNetworkConfig.KIND: (PaperNetworkConfig, PaperNetwork),
}


def from_checkpoint(name: str, weights: Path, compute: Compute, config: TrackConfig) -> Tracker:
    """Build `dmv_lite` or `dmv`. Raises CheckpointError, ConfigError, DeviceError."""
    runtime = InferenceRuntime.resolved(compute)
    stored = checkpoint.read(weights, name)
    network = checkpoint.network_of(stored, weights, NETWORKS)
    return tracker(network, runtime, config, stored.calibration)


def tracker(
    network: Network, runtime: InferenceRuntime, config: TrackConfig, calibration: Calibration | None = None
) -> Tracker:
    """The tracker around a network; calibration: of its score, None while it has none."""
    return Follower(DmvMatcher(Stepper(network, runtime), config), config, calibration)
