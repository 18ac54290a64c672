"""The authors' checkpoint (`epoch-19.pkl`) -> ours; nothing from the file is executed."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.trackers import checkpoint
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
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist; give the authors' epoch-19.pkl") from None
    except (pickle.UnpicklingError, EOFError, OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path} {_reason(error)}; allowed is a whole file of tensors and plain values") from None
    state = content.get("model_state_dict") if isinstance(content, dict) else None
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{path} holds no 'model_state_dict'; allowed is a checkpoint of the authors' trainer")
    return state


def _reason(error: Exception) -> str:
    called = re.search(r"GLOBAL (\S+)", str(error))
    if called:
        return f"would call {called.group(1)}, which is not done"
    return f"cannot be read ({str(error).splitlines()[0] if str(error) else type(error).__name__})"


def from_official(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The authors' state dict -> ours: the same names without the unused ones. Raises CheckpointError with the first
    name that is missing, unknown or of another shape.
    """
    used = {name: value for name, value in state.items() if not name.startswith(UNUSED)}
    for name, value in used.items():
        if not isinstance(value, Tensor):
            raise CheckpointError(f"{name!r} is a {type(value).__name__}; allowed are tensors")
    with torch.device("meta"):  # shapes only
        expected = PaperNetwork(PaperNetworkConfig()).state_dict()
    if wrong := checkpoint.misfit(expected, used):
        raise CheckpointError(f"not the authors' STMTrack: {wrong}")
    return used
