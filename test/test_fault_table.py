"""docs/FAULTS.md: every row names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "docs" / "FAULTS.md").read_text(encoding="utf-8")
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ") and not line.startswith(("| cause", "| **"))]
NAMED = re.compile(r"\| `(test/[\w/]+\.py)::(test_\w+)` \|$")


def test_there_are_many_rows_and_all_differ() -> None:
    assert len(ROWS) >= 25
    assert len(set(ROWS)) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_the_test_of_a_row_exists(row: str) -> None:
    found = NAMED.search(row)
    assert found, f"no test in {row}"
    tree = ast.parse((ROOT / found[1]).read_text(encoding="utf-8"))
    assert found[2] in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
