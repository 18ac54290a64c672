"""The tiers pure, torch, ros, gpu: a file names its own, and a tier that cannot run here says so loudly."""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

# Two torch threads on a busy two-core machine are ten times slower than one; torch reads this at its import.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Graphs of the tests meet neither the robots of this network nor a second run on this machine.
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
if "PYTEST_XDIST_WORKER" in os.environ:  # the others of this run have domains of their own
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))

NEEDS = {
    "pure": ("numpy",),
    "torch": ("torch",),
    "ros": ("rclpy", "stm_tracker_msgs", "vision_msgs"),
    "gpu": ("torch",),
}


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


class SkippedTest(pytest.Item):
    """A test of a file that is not imported."""

    def runtest(self) -> None:
        """Never called: it has a mark that skips it."""
        raise AssertionError(f"{self.name} cannot run here")

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands: in that file."""
        return self.path, 0, self.name


class SkippedFile(pytest.File):
    """A test file of a tier that cannot run here; it is not imported."""

    tier, reason = "", ""

    def collect(self) -> list[pytest.Item]:
        tree = ast.parse(self.path.read_text())
        names = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
        tests: list[pytest.Item] = [SkippedTest.from_parent(self, name=name) for name in dict.fromkeys(names)]
        for test in tests:
            test.add_marker(self.tier)
            test.add_marker(pytest.mark.skip(reason=f"tier {self.tier}: {self.reason}"))
        return tests


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.File | None:
    """Set aside a file whose tier cannot run here; refuse one without a tier."""
    tree = ast.parse(module_path.read_text())
    tiers = tiers_of_file(tree)
    if not tiers:
        raise pytest.UsageError(f"{module_path} has no tier: pytestmark = pytest.mark.{' | '.join(NEEDS)}")
    if reasons := [reason for tier in tiers if (reason := what_lacks(tier))]:
        skipped: SkippedFile = SkippedFile.from_parent(parent, path=module_path)
        skipped.tier, skipped.reason = tiers[-1], reasons[0]
        return skipped
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note each test's tier; skip a single test whose own mark asks for more than there is here."""
    for item in items:
        tier = [name for name in NEEDS if item.get_closest_marker(name)][-1]
        item.user_properties.append(("tier", tier))
        if reason := what_lacks(tier):
            item.add_marker(pytest.mark.skip(reason=f"tier {tier}: {reason}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a tier; a tier, or a part of one, that did not run stands out."""
    counts, not_run = {tier: Counter[str]() for tier in NEEDS}, Counter[str]()
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            if tier := dict(getattr(report, "user_properties", ())).get("tier"):
                counts[tier][outcome] += 1
                not_run.update(
                    re.findall(r"Skipped: tier (.*)", str(report.longrepr[2])) if outcome == "skipped" else ()
                )
    terminalreporter.section("tiers")
    for tier, count in counts.items():
        text = ", ".join(f"{number} {outcome}" for outcome, number in count.items()) or "none ran"
        terminalreporter.write_line(f"{tier:6s} {text}")
    for reason, number in not_run.items():
        terminalreporter.write_line(f"NOT RUN: {number} tests of tier {reason}", red=True, bold=True)
