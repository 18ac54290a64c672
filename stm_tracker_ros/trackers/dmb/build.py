"""From a checkpoint to a tracker; which network it is stands in the checkpoint."""

from __future__ import annotations

from pathlib import Path

from stm_tracker_ros.core.errors import CheckpointError, ConfigError
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.parts.device import resolve
from stm_tracker_ros.trackers import checkpoint
from stm_tracker_ros.trackers.dmb.config import LiteNetworkConfig, TrackConfig
from stm_tracker_ros.trackers.dmb.lite_network import LiteNetwork
from stm_tracker_ros.trackers.dmb.stepper import Stepper
from stm_tracker_ros.trackers.dmb.tracker import DmbTracker


def from_checkpoint(name: str, weights: Path, device: str, config: TrackConfig) -> Tracker:
    """Build `dmb_lite` or `dmb`. Raises CheckpointError, ConfigError, DeviceError."""
    where = resolve(device)
    stored = checkpoint.read(weights, name)
    try:
        network = LiteNetwork(LiteNetworkConfig(**stored.network))
    except (TypeError, ConfigError) as error:
        raise CheckpointError(f"weights {weights} describe a network that is not known here: {error}") from None
    tensors = {key: tensor.float() for key, tensor in stored.tensors.items()}
    if wrong := checkpoint.misfit(network.state_dict(), tensors):
        raise CheckpointError(f"weights {weights} do not fit their network: {wrong}")
    network.load_state_dict(tensors)
    return DmbTracker(Stepper(network, where), config)
