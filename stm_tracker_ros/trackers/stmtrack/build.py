"""From a checkpoint to a tracker."""

from __future__ import annotations

from pathlib import Path

from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.parts.device import resolve
from stm_tracker_ros.trackers import checkpoint
from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig, TrackConfig
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork
from stm_tracker_ros.trackers.stmtrack.stepper import Stepper
from stm_tracker_ros.trackers.stmtrack.tracker import StmTracker


def from_checkpoint(name: str, weights: Path, device: str, config: TrackConfig) -> StmTracker:
    """Build `stmtrack_lite` or `stmtrack`. Raises CheckpointError, DeviceError."""
    where = resolve(device)
    stored = checkpoint.read(weights, name)
    network = LiteNetwork(LiteNetworkConfig(**stored.network))
    wrong = network.load_state_dict({k: v.float() for k, v in stored.tensors.items()}, strict=False)
    if wrong.missing_keys or wrong.unexpected_keys:
        first = (wrong.missing_keys + wrong.unexpected_keys)[0]
        raise CheckpointError(f"weights {weights} do not fit {name!r}: first at {first!r}")
    return StmTracker(Stepper(network, where), config)
