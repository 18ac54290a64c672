"""Small checkpoints for every tracker: random weights by a seed, quick on any machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from stm_tracker_ros.trackers import checkpoint, registry
from stm_tracker_ros.trackers.spec import imported


def small_network(name: str) -> Any:
    """The small network of that tracker's row."""
    torch.manual_seed(5)
    return imported(registry.load(name).small_network)()


def save_small(name: str, path: Path) -> Path:
    """Write the small checkpoint of that tracker."""
    network = small_network(name)
    checkpoint.save(path, name, network.config, network.state_dict(), "made for a test, seed 5")
    return path
