"""Style is part of the tests: ruff's two passes and mypy, with the settings of pyproject.toml."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[1]
# mypy without its cache: from a stale one it denies modules that were added since.
COMMANDS = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy", "--no-incremental"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_is_clean(command: tuple[str, ...]) -> None:
    if importlib.util.find_spec(command[0]) is None:
        pytest.skip(f"STYLE NOT CHECKED: {sys.executable} has no {command[0]}; scripts/test brings it")
    result = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
