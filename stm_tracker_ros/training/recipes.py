"""Recipes by name: what `stm_tracker train` runs. A run goes on where it was interrupted."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import torch

from stm_tracker_ros.core.config import unknown_name, with_changes
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.parts.device import resolve
from stm_tracker_ros.trackers import registry
from stm_tracker_ros.training import run_files, start


class Recipe(Protocol):
    """What the module of a recipe holds, `TrackerSpec.recipe`.

    DEFAULTS: its configuration, a `LoopConfig`; train: takes (data, folder of the run, device, configuration).
    """

    DEFAULTS: Any
    train: Callable[[Path, Path, torch.device, Any], None]


def names() -> tuple[str, ...]:
    """All trackers that can be trained."""
    return tuple(name for name in registry.names() if registry.load(name).recipe)


def load(name: str) -> Recipe:
    """The recipe of that tracker. Raises ConfigError, which names the nearest one."""
    if name not in names():
        raise ConfigError(unknown_name("recipe", name, names()))
    return cast(Recipe, importlib.import_module(registry.load(name).recipe))


def run(recipe: str, *, data: Path, out: Path, device: str, threads: int, changes: Mapping[str, str]) -> None:
    """Train `recipe` on `data` (the layout of `training/README.md`) in the folder `out`.

    changes: settings of the recipe by dotted name; a network starts from other weights as they are, see
    `start.with_its_network`. Raises ConfigError, DataError, DeviceError, CheckpointError, TrainingError.
    """
    loaded = load(recipe)
    config = with_changes(loaded.DEFAULTS, changes)
    run_files.check(out, data, recipe, changes)
    config = start.with_its_network(config, recipe, changes)
    registry.set_threads(threads)
    loaded.train(data, out, resolve(device), config)
