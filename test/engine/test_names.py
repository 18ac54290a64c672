from __future__ import annotations

import pytest

from stm_tracker_ros.engine.names import NAMES, TargetNames

pytestmark = pytest.mark.pure


def test_names_are_made_once():
    names = TargetNames()
    assert [names.name("") for _ in range(3)] == ["target-1", "target-2", "target-3"]


def test_what_an_operator_used_is_never_made():
    names = TargetNames()
    assert names.name("target-2") == "target-2"
    assert [names.name(""), names.name("boat"), names.name("")] == ["target-3", "boat", "target-4"]


@pytest.mark.parametrize("given", ["target-", "target-0", "target-07", "target-x", "Target-9", "target-" + "9" * 100])
def test_what_only_looks_like_one_changes_nothing(given):
    names = TargetNames()
    assert names.name(given) == given
    assert names.name("") == "target-1"


def test_those_of_the_process_go_on():
    first = NAMES.name("")
    assert NAMES.name("") != first
