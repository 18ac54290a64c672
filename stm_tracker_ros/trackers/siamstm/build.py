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
from stm_tracker_ros.trackers.siamstm.config import LiteNetworkConfig, PaperNetworkConfig, TrackConfig
from stm_tracker_ros.trackers.siamstm.lite_network import LiteNetwork
from stm_tracker_ros.trackers.siamstm.paper_network import PaperNetwork
from stm_tracker_ros.trackers.siamstm.stepper import Stepper
from stm_tracker_ros.trackers.siamstm.tracker import SiamStmMatcher

NETWORKS: dict[str, tuple[type[Any], type[nn.Module]]] = {
    LiteNetworkConfig.KIND: (LiteNetworkConfig, LiteNetwork),
    PaperNetworkConfig.KIND: (PaperNetworkConfig, PaperNetwork),
}


def from_checkpoint(name: str, weights: Path, compute: Compute, config: TrackConfig) -> Tracker:
    """Build `siamstm_lite` or `siamstm`. Raises CheckpointError, ConfigError, DeviceError."""
    runtime = InferenceRuntime.resolved(compute)
    stored = checkpoint.read(weights, name)
    network = checkpoint.network_of(stored, weights, NETWORKS)
    return tracker(network, runtime, config, stored.calibration)


def tracker(
    network: LiteNetwork | PaperNetwork,
    runtime: InferenceRuntime,
    config: TrackConfig,
    calibration: Calibration | None = None,
) -> Tracker:
    """The tracker around a network; calibration: of its score, None while it has none."""
    return Follower(SiamStmMatcher(Stepper(network, runtime), config.rules), config, calibration)
