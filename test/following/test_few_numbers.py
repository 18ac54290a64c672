"""The following stage stays small: settings, constants and other numbers in its code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import stm_tracker_ros.following
from stm_tracker_ros.core.config import settings
from stm_tracker_ros.following.config import FollowingConfig

pytestmark = pytest.mark.pure

ROOM = Path(stm_tracker_ros.following.__file__).parent
MOST_NUMBERS, MOST_PARAMETERS = 31, 12
FREE = (0, 1, 2)


def is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool)


def is_setting(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setting"


def constants(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Names at the top of a module, each with the expression that it stands for."""
    for node in module.body:
        if isinstance(node, ast.Assign):
            (target,) = node.targets
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            yield from ((ast.unparse(name), value) for name, value in zip(names, values, strict=True))


def numbers(module: ast.Module) -> list[str]:
    """Constants that are numbers, or made of one, and literals other than 0, 1, 2 elsewhere; no settings.

    Configurations that stand at the top of a module are choices of settings, and are not counted again.
    """
    named = {
        name: value
        for name, value in constants(module)
        if any(map(is_number, ast.walk(value))) and not ast.unparse(value).split("(")[0].endswith("Config")
    }
    known = {id(part) for value in dict(constants(module)).values() for part in ast.walk(value)}
    known |= {id(part) for node in ast.walk(module) if is_setting(node) for part in ast.walk(node)}
    rest = [node for node in ast.walk(module) if is_number(node) and id(node) not in known]
    return [*named, *(ast.unparse(node) for node in rest if node.value not in FREE)]  # type: ignore[attr-defined]


def test_what_counts() -> None:
    module = ast.parse("A, B = 0.5, 3\nC = D(3)\nE = [x for x in y]\nF = GConfig(k=4)\nz: int = setting(5)\nq = 6 + 2")
    assert numbers(module) == ["A", "B", "C", "q"]
    assert numbers(ast.parse("def f(x):\n    return 2 * x + 7 if x else True")) == ["7"]


def test_there_are_few_numbers() -> None:
    parameters = [setting.name for setting in settings(FollowingConfig())]
    found = {path.stem: numbers(ast.parse(path.read_text())) for path in sorted(ROOM.glob("*.py"))}
    assert len(parameters) <= MOST_PARAMETERS, parameters
    assert len(parameters) + sum(map(len, found.values())) <= MOST_NUMBERS, (parameters, found)
