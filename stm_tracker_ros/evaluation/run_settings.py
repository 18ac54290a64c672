"""What a folder of results was made with, so that an interrupted evaluation goes on only with the same settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.output_folder import OutputFolder

SETTINGS_NAME = "settings.json"


def claim(folder: Path, settings: Mapping[str, Any]) -> None:
    """Note the settings in `folder`. Raises DataError if it holds results made with others."""
    path = folder / SETTINGS_NAME
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        odd = sorted(k for k in {*before, *settings} if before.get(k) != settings.get(k))
        if odd:
            changed = "; ".join(f"{name}: {before.get(name)!r} there, {settings.get(name)!r} now" for name in odd)
            raise DataError(f"{folder} holds results of other settings ({changed}); give another folder, or empty it")
    else:
        OutputFolder(folder).write(SETTINGS_NAME, (json.dumps(dict(settings), indent=1) + "\n").encode("utf-8"))
