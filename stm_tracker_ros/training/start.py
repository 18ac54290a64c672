"""Weights that a training starts from: those of an earlier phase."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stm_tracker_ros.core.config import rebuilt, settings
from stm_tracker_ros.core.errors import CheckpointError, ConfigError
from stm_tracker_ros.trackers import checkpoint, third_party
from stm_tracker_ros.training.run_files import CONFIG

NETWORK = "network"  # the section of a recipe's configuration; a recipe whose network cannot be set has none


def with_its_network(config: Any, tracker: str, given: Container[str]) -> Any:
    """`config`, that of a recipe, with the network that the weights of its `start_from` are of.

    given: names of the settings that the user has given. Raises ConfigError where one of them is another than that of
    the weights, CheckpointError for a checkpoint that is missing, damaged or of another tracker.
    """
    network, path = getattr(config, NETWORK, None), Path(config.start_from)
    if network is None or not config.start_from:
        return config
    if path.suffix == ".pt":
        theirs = _network_of_run(path, network)
    else:
        theirs = checkpoint.network_config(path, tracker, type(network))
    values = {setting.name: setting.value for setting in settings(theirs, f"{NETWORK}.")}
    for setting in settings(network, f"{NETWORK}."):
        wanted = values[setting.name]
        if setting.name in given and setting.value != wanted:
            raise ConfigError(
                f"{setting.name} is {setting.value!r}, and {wanted!r} in the weights of start_from, {path}; allowed is "
                "theirs, which is also taken if none is given"
            )
    return replace(config, network=theirs)


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


def _network_of_run(path: Path, default: Any) -> Any:
    """What the run's configuration beside its `last.pt` says; the default where there is none that is understood."""
    try:
        content = json.loads(path.with_name(CONFIG).read_text(encoding="ascii"))
        return rebuilt(type(default), content[NETWORK])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return default  # as of an earlier release: whether the weights fit is seen when they are loaded


def _of_run(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise CheckpointError(f"start_from {path} does not exist; allowed is a .safetensors file or a run's last.pt")
    state = third_party.read_pickle(path)
    weights = third_party.state_of(state, ("average",)) or third_party.state_of(state, ("network",))
    if weights is None:
        raise CheckpointError(f"start_from {path} holds no weights of a run; allowed is its last.pt")
    return checkpoint.present_names(weights)
