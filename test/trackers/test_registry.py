"""The table of trackers: what a row names is there, and a tracker is nowhere but in its row and its folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import stm_tracker_ros
from stm_tracker_ros.core.config import former_names, settings
from stm_tracker_ros.trackers import registry
from stm_tracker_ros.trackers.spec import TrackerSpec, imported
from stm_tracker_ros.training import recipes

pytestmark = pytest.mark.torch

ROOT = Path(stm_tracker_ros.__file__).parent
ROWS = [registry.load(name) for name in registry.names()]


def configs(row: TrackerSpec) -> list[Any]:
    """All that can be set of a tracker from outside."""
    return [row.default_config, *([recipes.load(row.name).DEFAULTS] if row.recipe else [])]


def folders(place: Path) -> set[str]:
    return {folder.name for folder in place.iterdir() if (folder / "__init__.py").exists()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_a_row_names_is_there(row: TrackerSpec) -> None:
    assert all(callable(imported(place)) for place in (row.build, row.small_network, row.converter) if place)
    assert list(settings(row.default_config))
    if row.recipe:
        assert callable(recipes.load(row.name).train)


def test_every_folder_belongs_to_a_row() -> None:
    assert folders(ROOT / "trackers") == {row.build.split(".")[2] for row in ROWS}
    assert folders(ROOT / "training") == {row.recipe.split(".")[2] for row in ROWS if row.recipe}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_old_name_of_a_setting_is_a_present_one(row: TrackerSpec) -> None:
    for config in configs(row):
        assert not former_names(config).keys() & {setting.name for setting in settings(config)}
