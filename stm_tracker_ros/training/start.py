"""Weights that a training starts from: those of an earlier phase."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.parts.layers import Block
from stm_tracker_ros.trackers import checkpoint

logger = logging.getLogger(__name__)


def load_start(network: nn.Module, path: Path, tracker: str) -> None:
    """Fill `network` from a checkpoint of `tracker` (.safetensors) or a run's `last.pt` (its average, if any).

    Blocks at the end of a stack that is shorter in the file pass on what they get, until they have learned better.
    Raises CheckpointError for a file that is missing, damaged or does not fit otherwise.
    """
    weights = _of_run(path) if path.suffix == ".pt" else checkpoint.read(path, tracker).tensors
    weights = {**weights, **_silent_blocks(network, weights)}
    if wrong := checkpoint.misfit(network.state_dict(), weights):
        raise CheckpointError(f"start_from {path} does not fit {tracker}: {wrong}")
    network.load_state_dict(weights)


def _silent_blocks(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of the blocks that `network` has behind those of `weights`, with nothing to add to what they get."""
    found: dict[str, Tensor] = {}
    for stack, layers in network.named_modules():
        for number, block in enumerate(layers if isinstance(layers, nn.Sequential) else ()):
            name = f"{stack}.{number}"
            begun, known = (any(w.startswith(f"{start}.") for w in weights) for start in (f"{stack}.0", name))
            if isinstance(block, Block) and begun and not known:
                block.silence()
                found |= {f"{name}.{part}": tensor for part, tensor in block.state_dict().items()}
                logger.info("%s is not in the weights to start from: it begins as it is", name)
    return found


def _of_run(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise CheckpointError(f"start_from {path} does not exist; allowed is a .safetensors file or a run's last.pt")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        weights: dict[str, torch.Tensor] = state["average"] or state["network"]
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError) as error:
        raise CheckpointError(f"start_from {path} cannot be read as a run's last.pt: {error}") from None
    return weights
