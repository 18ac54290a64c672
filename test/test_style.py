"""Style is part of the tests: ruff's two passes and mypy, with the settings of pyproject.toml."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[1]
LINES_OF_A_TRACKER = 150  # `tracker.py` holds what its paper says; what all share stands in `following/`
TRACKERS = sorted(ROOT.glob("stm_tracker_ros/trackers/*/tracker.py"))
# mypy without its cache: from a stale one it denies modules that were added since.
COMMANDS = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy", "--no-incremental"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_is_clean(command: tuple[str, ...]) -> None:
    if importlib.util.find_spec(command[0]) is None:
        pytest.skip(f"STYLE NOT CHECKED: {sys.executable} has no {command[0]}; scripts/test brings it")
    result = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("file", TRACKERS, ids=lambda file: file.parent.name)
def test_what_a_paper_says_is_told_on_a_few_pages(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= LINES_OF_A_TRACKER


def test_there_are_papers_to_look_at() -> None:
    assert len(TRACKERS) >= 2
