"""Small checkpoints for every tracker: random weights by a seed, quick on any machine."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from stm_tracker_ros.trackers import checkpoint, registry
from stm_tracker_ros.trackers.spec import imported

OF_OLD_RELEASES = ("stmtrack_lite", "stmtrack", "dmb_lite", "dmb")


def small_network(name: str) -> Any:
    """The small network of that tracker's row."""
    torch.manual_seed(5)
    return imported(registry.load(name).small_network)()


def save_small(name: str, path: Path) -> Path:
    """Write the small checkpoint of that tracker."""
    network = small_network(name)
    checkpoint.save(path, name, network.config, network.state_dict(), "made for a test, seed 5")
    return path


def save_old(name: str, path: Path, **fields: Any) -> Path:
    """The same as releases up to 0.2 wrote it, format version 1, with more fields of the network if given."""
    network = small_network(name)
    described = dataclasses.asdict(network.config) | fields
    described["trunk"] = described.pop("backbone")
    tensors = {re.sub(r"^(memory_|query_|)backbone\.", r"\1trunk.", n): t for n, t in network.state_dict().items()}
    metadata = {"format_version": "1", "tracker": name, "network": json.dumps(described), "provenance": "made old"}
    save_file(tensors, path, metadata)
    return path
