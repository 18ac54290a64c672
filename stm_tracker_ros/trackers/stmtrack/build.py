"""From a checkpoint to a tracker; which network it is stands in the checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from stm_tracker_ros.core.compute import Compute
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.following.follower import Follower
from stm_tracker_ros.parts.inference import Engine
from stm_tracker_ros.trackers import checkpoint
from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig, PaperNetworkConfig, TrackConfig
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork
from stm_tracker_ros.trackers.stmtrack.official import OfficialTracker
from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork
from stm_tracker_ros.trackers.stmtrack.paper_stepper import PaperStepper
from stm_tracker_ros.trackers.stmtrack.stepper import Stepper
from stm_tracker_ros.trackers.stmtrack.tracker import StmMatcher

NETWORKS: dict[str, tuple[type[Any], type[nn.Module]]] = {
    "mobilenet_v2": (LiteNetworkConfig, LiteNetwork),
    "inception_v3": (PaperNetworkConfig, PaperNetwork),
}


def from_checkpoint(name: str, weights: Path, compute: Compute, config: TrackConfig) -> Tracker:
    """Build `stmtrack_lite` or `stmtrack`. Raises CheckpointError, ConfigError, DeviceError."""
    engine = Engine.resolved(compute)
    stored = checkpoint.read(weights, name)
    stored.network.pop("first_weight", None)  # in old files; now a setting of the tracker, memory.first_weight
    network = checkpoint.network_of(stored, weights, NETWORKS)
    if isinstance(network, PaperNetwork):
        stepper = PaperStepper(network, engine)
        return (
            OfficialTracker(stepper, config)
            if config.compat == "official"
            else Follower(StmMatcher(stepper, config), config)
        )
    if config.compat == "official":
        raise ConfigError(f"compat is 'official'; allowed is none: the authors have no network like that of {weights}")
    return Follower(StmMatcher(Stepper(network, engine), config), config)
