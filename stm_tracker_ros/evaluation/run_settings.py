"""What a folder of results was made with, so that an interrupted evaluation goes on only with the same settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.output_folder import OutputFolder

SETTINGS_NAME = "settings.json"


def claim(folder: Path, settings: Mapping[str, Any]) -> None:
    """Note the settings in `folder`. Raises DataError if it holds results made with others."""
    before = _noted(folder)
    if before is None:
        OutputFolder(folder).write(SETTINGS_NAME, (json.dumps(dict(settings), indent=1) + "\n").encode("utf-8"))
    else:
        _refuse_others(folder, before, settings, {*before, *settings})


def refuse_others(folder: Path, settings: Mapping[str, Any]) -> None:
    """Raises DataError if `folder` holds results made with others than these settings, which need not be all."""
    before = _noted(folder)
    if before is not None:
        _refuse_others(folder, before, settings, settings)


def _noted(folder: Path) -> dict[str, Any] | None:
    """The settings of the results in `folder`; None where there are none."""
    path = folder / SETTINGS_NAME
    if not path.is_file():
        return None
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return settings


def _refuse_others(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any], names: Iterable[str]) -> None:
    odd = sorted(name for name in names if before.get(name) != now.get(name))
    if odd:
        changed = "; ".join(f"{name}: {before.get(name)!r} there, {now.get(name)!r} now" for name in odd)
        raise DataError(f"{folder} holds results of other settings ({changed}); give another folder, or empty it")
