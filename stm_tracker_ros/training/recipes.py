"""Recipes by name: what `stm_tracker train` runs. A run goes on where it was interrupted."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stm_tracker_ros.core.config import unknown_name, with_changes
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.parts.device import resolve
from stm_tracker_ros.trackers.registry import set_threads
from stm_tracker_ros.training import run_files

# name of the tracker -> module with DEFAULTS, its configuration, and train(data, out, device, config)
_RECIPES = {
    "dmb": "dmb.paper_recipe",
    "dmb_lite": "dmb.lite_recipe",
    "stmtrack": "stmtrack.paper_recipe",
    "stmtrack_lite": "stmtrack.lite_recipe",
}


def run(recipe: str, *, data: Path, out: Path, device: str, threads: int, changes: Mapping[str, str]) -> None:
    """Train `recipe` on `data` (the layout of `training/README.md`) in the folder `out`.

    changes: settings of the recipe by dotted name. Raises ConfigError, DataError, DeviceError, CheckpointError,
    TrainingError.
    """
    if recipe not in _RECIPES:
        raise ConfigError(unknown_name("recipe", recipe, _RECIPES))
    run_files.check(out, data, recipe, changes)
    module: Any = importlib.import_module(f"{__package__}.{_RECIPES[recipe]}")
    set_threads(threads)
    module.train(data, out, resolve(device), with_changes(module.DEFAULTS, changes))
