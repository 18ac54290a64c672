"""The tiers pure, torch, ros, gpu: a file names its own, and a tier that cannot run here says so loudly."""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

# Two torch threads on a busy two-core machine are ten times slower than one; torch reads this at its import.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Graphs of the tests meet neither the robots of this network nor a second run on this machine.
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))

NEEDS = {
    "pure": ("numpy",),
    "torch": ("torch",),
    "ros": ("rclpy", "stm_tracker_msgs", "vision_msgs"),
    "gpu": ("torch",),
}
tier_of_test: dict[str, str] = {}
not_run: Counter[str] = Counter()


def is_installed(name: str) -> bool:
    """Whether a package is there; a bare folder of that name (stm_tracker_msgs in the root of this clone) is none."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


@functools.cache
def what_lacks(tier: str) -> str:
    """Why `tier` cannot run here; empty if it can."""
    missing = [name for name in NEEDS[tier] if not is_installed(name)]
    if missing:
        return f"{sys.executable} has no {', '.join(missing)}; scripts/test brings all"
    if tier == "gpu":
        import torch

        return "" if torch.cuda.is_available() else "no CUDA device here"
    return ""


def tiers_of_file(tree: ast.Module) -> list[str]:
    """Tiers in the `pytestmark = ...` of a file that may not be importable here, the most demanding one last."""
    marks = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "pytestmark"]
    names = {node.attr for mark in marks for node in ast.walk(mark) if isinstance(node, ast.Attribute)}
    return [tier for tier in NEEDS if tier in names]


class SkippedFile(pytest.File):
    """A test file of a tier that cannot run here; it is not imported."""

    reason = ""

    def collect(self) -> list[pytest.Item]:
        pytest.skip(self.reason, allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.File | None:
    """Set aside a file whose tier cannot run here; refuse one without a tier."""
    tree = ast.parse(module_path.read_text())
    tiers = tiers_of_file(tree)
    if not tiers:
        raise pytest.UsageError(f"{module_path} has no tier: pytestmark = pytest.mark.{' | '.join(NEEDS)}")
    for tier in tiers:
        if reason := what_lacks(tier):
            tests = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
            not_run[f"{tiers[-1]}: {reason}"] += len(tests)
            skipped: SkippedFile = SkippedFile.from_parent(parent, path=module_path)
            skipped.reason = f"tier {tiers[-1]}: {reason}"
            return skipped
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note each test's tier; skip a single test whose own mark asks for more than there is here."""
    for item in items:
        tier = [name for name in NEEDS if item.get_closest_marker(name)][-1]
        tier_of_test[item.nodeid] = tier
        if reason := what_lacks(tier):
            not_run[f"{tier}: {reason}"] += 1
            item.add_marker(pytest.mark.skip(reason=f"tier {tier}: {reason}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a tier; a tier, or a part of one, that did not run stands out."""
    counts = {tier: Counter[str]() for tier in NEEDS}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            if report.nodeid in tier_of_test:
                counts[tier_of_test[report.nodeid]][outcome] += 1
    terminalreporter.section("tiers")
    for tier, count in counts.items():
        text = ", ".join(f"{number} {outcome}" for outcome, number in count.items()) or "none ran"
        terminalreporter.write_line(f"{tier:6s} {text}")
    for reason, number in not_run.items():
        terminalreporter.write_line(f"NOT RUN: {number} tests of tier {reason}", red=True, bold=True)
