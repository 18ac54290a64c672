"""Weights that a training starts from: those of an earlier phase."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.trackers import checkpoint


def load_start(network: nn.Module, path: Path, tracker: str) -> None:
    """Fill `network` from a checkpoint of `tracker` (.safetensors) or a run's `last.pt` (its average, if any).

    Raises CheckpointError for a file that is missing, damaged or does not fit.
    """
    weights = _of_run(path) if path.suffix == ".pt" else checkpoint.read(path, tracker).tensors
    if wrong := checkpoint.misfit(network.state_dict(), weights):
        raise CheckpointError(f"start_from {path} does not fit {tracker}: {wrong}")
    network.load_state_dict(weights)


def load_part(network: nn.Module, path: Path, trackers: Sequence[str], parts: tuple[str, ...]) -> None:
    """Fill the parameters whose names begin with `parts` from a checkpoint of one of the `trackers`.

    Raises CheckpointError for a file that is missing, damaged, of another tracker, or does not fit.
    """
    stored = checkpoint.read(path, *trackers).tensors
    given = {name: tensor for name, tensor in stored.items() if name.startswith(parts)}
    wanted = {name: t for name, t in network.state_dict().items() if name.startswith(parts)}
    if wrong := checkpoint.misfit(wanted, given):
        raise CheckpointError(f"{path} does not fit: {wrong}")
    network.load_state_dict(given, strict=False)


def _of_run(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise CheckpointError(f"start_from {path} does not exist; allowed is a .safetensors file or a run's last.pt")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        weights: dict[str, torch.Tensor] = state["average"] or state["network"]
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError) as error:
        raise CheckpointError(f"start_from {path} cannot be read as a run's last.pt: {error}") from None
    return checkpoint.present_names(weights)
