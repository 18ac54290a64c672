"""The authors' checkpoint (`epoch-19.pkl`) -> ours; nothing from the file is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.trackers import checkpoint, third_party
from stm_tracker_ros.trackers.stmtrack.config import PaperNetworkConfig
from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork

UNUSED = ("r_z_k.", "c_z_k.", "r_x.", "c_x.")  # convolutions that their code makes and never reads


def convert(source: Path, target: Path) -> None:
    """Write our checkpoint of `stmtrack` from the authors' pickle. Raises CheckpointError if it does not fit."""
    tensors = from_official(official_state(source))
    provenance = f"converted from {source.name}, sha256 {checkpoint.sha256(source)}"
    checkpoint.save(target, "stmtrack", PaperNetworkConfig(), tensors, provenance)


def official_state(path: Path) -> Mapping[str, Any]:
    """The state dict in the authors' file; plain tensors and containers only are read.

    Raises CheckpointError if the file is missing, damaged, would run code or holds no `model_state_dict`.
    """
    state = third_party.state_of(third_party.read_pickle(path), ("model_state_dict",))
    if state is None:
        raise CheckpointError(f"{path} holds no 'model_state_dict'; allowed is a checkpoint of the authors' trainer")
    return state


def from_official(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The authors' state dict -> ours: the same names without the unused ones, in float32.

    Raises CheckpointError with the first name that is missing, unknown, of another shape or no finite tensor.
    """
    used = {name: value for name, value in state.items() if not str(name).startswith(UNUSED)}
    tensors = {name: third_party.floats(name, value) for name, value in used.items()}
    with torch.device("meta"):  # shapes only
        expected = PaperNetwork(PaperNetworkConfig()).state_dict()
    if wrong := checkpoint.misfit(expected, tensors):
        raise CheckpointError(f"not the authors' STMTrack: {wrong}")
    return tensors
