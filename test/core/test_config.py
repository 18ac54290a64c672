from __future__ import annotations

from dataclasses import dataclass

import pytest

from stm_tracker_ros.core.config import judge, section, setting, settings, with_changes
from stm_tracker_ros.core.errors import ConfigError

pytestmark = pytest.mark.pure


@dataclass(frozen=True, kw_only=True)
class Memory:
    history: int = setting(6, "frames read", low=1, high=20)
    policy: str = setting("full", "what is read", choices=("full", "first"))

    def __post_init__(self) -> None:
        judge(self)


@dataclass(frozen=True, kw_only=True)
class Config:
    scale: float = setting(4.0, "search region", low=1, live=True)
    flip: bool = setting(False, "mirror")
    memory: Memory = section(Memory)

    def __post_init__(self) -> None:
        judge(self)


def test_settings_are_flattened_with_dotted_names():
    found = {s.name: (s.kind, s.value, s.rule.live) for s in settings(Config(), "tracker.")}
    assert found == {
        "tracker.scale": (float, 4.0, True),
        "tracker.flip": (bool, False, False),
        "tracker.memory.history": (int, 6, False),
        "tracker.memory.policy": (str, "full", False),
    }


def test_changes_by_dotted_name_leave_the_original_alone():
    original = Config()
    changed = with_changes(original, {"memory.history": 3, "scale": 5})
    assert (changed.memory.history, changed.scale, changed.memory.policy) == (3, 5.0, "full")
    assert type(changed.scale) is float
    assert original == Config()


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [("7", "memory.history", 7), ("2.5", "scale", 2.5), ("3", "scale", 3.0), ("True", "flip", True)],
)
def test_text_is_read_as_the_type_of_the_setting(text, name, value):
    changed = {s.name: s.value for s in settings(with_changes(Config(), {name: text}))}
    assert changed[name] == value
    assert type(changed[name]) is type(value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"memory.histroy": 3}, "did you mean 'memory.history'"),
        ({"zzz": 3}, "known: scale, flip, memory.history, memory.policy"),
        ({"memory.history": 0}, "history is 0; allowed is at least 1 and at most 20"),
        ({"memory.history": 21}, "history is 21"),
        ({"memory.history": 2.0}, "has type float; allowed is int"),
        ({"memory.history": True}, "has type bool; allowed is int"),
        ({"memory.history": "many"}, "allowed is a whole number"),
        ({"flip": "maybe"}, "allowed is true or false"),
        ({"memory.policy": "last"}, "allowed is one of full, first"),
        ({"scale": float("nan")}, "scale is nan; allowed are finite numbers"),
        ({"scale": "inf"}, "scale is inf"),
        ({"scale": 0.5}, "allowed is at least 1"),
    ],
)
def test_what_is_not_allowed_is_refused_in_words(changes, said):
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        with_changes(Config(), changes)
