"""A tier that cannot run is not imported, and the summary says so; a file without a tier is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

# The conftest under test, with a module in the tier ros that no machine has.
CONFTEST = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("tiers", {str(Path(__file__).with_name("conftest.py"))!r})
tiers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tiers)
tiers.NEEDS["ros"] = ("no_such_module",)
globals().update({{name: value for name, value in vars(tiers).items() if name.startswith("pytest_")}})
"""
MARKS = "[pytest]\nmarkers =\n  pure:\n  torch:\n  ros:\n  gpu:\n"
PURE = "import pytest\npytestmark = pytest.mark.pure\ndef test_runs(): pass\n"
ROS = "import pytest, no_such_module\npytestmark = [pytest.mark.pure, pytest.mark.ros]\n"
ROS += "def test_one(): pass\ndef test_two(): pass\n"
PART = "import pytest\npytestmark = pytest.mark.pure\n@pytest.mark.ros\ndef test_on_the_wire(): pass\n"


def run_tests(folder: Path, *options: str, **sources: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text(MARKS)
    for name, source in sources.items():
        (folder / f"test_{name}.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_missing_tier_is_loud_and_not_an_error(tmp_path: Path) -> None:
    result = run_tests(tmp_path, pure=PURE, ros=ROS)
    assert result.returncode == 0, result.stdout
    assert "pure   1 passed" in result.stdout
    assert "NOT RUN: 2 tests of tier ros" in result.stdout
    assert "has no no_such_module; scripts/test brings all" in result.stdout


def test_a_single_test_may_ask_for_more_than_its_file(tmp_path: Path) -> None:
    result = run_tests(tmp_path, part=PART)
    assert result.returncode == 0, result.stdout
    assert "NOT RUN: 1 tests of tier ros" in result.stdout


def test_a_file_without_a_tier_is_refused(tmp_path: Path) -> None:
    result = run_tests(tmp_path, stray="def test_stray(): pass\n")
    assert result.returncode != 0
    assert "test_stray.py has no tier" in result.stdout + result.stderr


def test_a_failure_is_counted_in_its_tier(tmp_path: Path) -> None:
    result = run_tests(tmp_path, bad=PURE + "def test_fails(): assert False\n")
    assert result.returncode == 1
    assert "pure   1 passed, 1 failed" in result.stdout


def test_several_processes_count_as_one(tmp_path: Path) -> None:
    """As scripts/test runs them: each process sets files aside, and the summary says so once."""
    pytest.importorskip("xdist")
    result = run_tests(tmp_path, "-n", "2", "--dist", "loadfile", pure=PURE, more=PURE, ros=ROS, bad=PART)
    assert result.returncode == 0, result.stdout
    assert "pure   2 passed" in result.stdout
    assert "NOT RUN: 3 tests of tier ros" in result.stdout
