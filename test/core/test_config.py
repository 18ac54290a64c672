from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import permutations
from typing import ClassVar

import numpy as np
import pytest

from stm_tracker_ros.core.config import (
    former_names,
    rebuilt,
    section,
    setting,
    settings,
    validate,
    with_changes,
    with_live,
)
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.engine.config import StateConfig

pytestmark = pytest.mark.pure


@dataclass(frozen=True, kw_only=True)
class Memory:
    history: int = setting(6, "frames read", low=1, high=20)
    policy: str = setting("full", "what is read", choices=("full", "first"))

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class Config:
    scale: float = setting(4.0, "search region", low=1, live=True)
    flip: bool = setting(False, "mirror")
    memory: Memory = section(Memory)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class Span:
    low: float = setting(0.2, "at most middle", low=0, high=1, live=True)
    middle: float = setting(0.4, "at most high", low=0, high=1, live=True)
    high: float = setting(0.6, "top", low=0, high=1)

    def __post_init__(self) -> None:
        validate(self)
        if not self.low <= self.middle <= self.high:
            raise ConfigError(f"low {self.low:g}, middle {self.middle:g}, high {self.high:g}; allowed is this order")


@dataclass(frozen=True, kw_only=True)
class Nested:
    span: Span = section(Span)
    gain: float = setting(1.0, "of nothing", low=0, high=9, live=True)

    def __post_init__(self) -> None:
        validate(self)
        if self.gain < self.span.low:
            raise ConfigError(f"gain {self.gain:g}, span.low {self.span.low:g}; allowed is a gain of at least span.low")


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


@pytest.mark.parametrize("values", [(0.7, 0.8, 0.9), (0.01, 0.05, 0.1)])
@pytest.mark.parametrize("names", list(permutations(("span.low", "span.middle", "span.high"))))
def test_changes_of_one_call_are_judged_together(values, names):
    """One after another, raising all three or lowering all three would be refused halfway in some orders."""
    wanted = dict(zip(("span.low", "span.middle", "span.high"), values, strict=True))
    span = with_changes(Nested(), {name: wanted[name] for name in names}).span
    assert (span.low, span.middle, span.high) == values


@pytest.mark.parametrize("names", list(permutations(("lost_score", "uncertain_score", "tracking_score"))))
def test_the_thresholds_of_the_states_can_be_raised_and_lowered_together(names):
    for low in (0.01, 0.7):
        wanted = {"lost_score": low, "uncertain_score": low + 0.1, "tracking_score": low + 0.2}
        changed = with_changes(StateConfig(), {name: wanted[name] for name in names})
        assert changed == StateConfig(**wanted)


@pytest.mark.parametrize("names", list(permutations(("gain", "span.low"))))
def test_a_section_is_judged_with_what_holds_it(names):
    lowered = {"gain": 0.1, "span.low": 0.05}
    assert with_changes(Nested(), {name: lowered[name] for name in names}).gain == 0.1
    with pytest.raises(ConfigError, match=r"gain 0.1, span.low 0.2"):
        with_changes(Nested(), {"gain": 0.1})


@pytest.mark.parametrize("names", list(permutations(("span.low", "span.middle", "span.high"))))
def test_changes_that_are_not_allowed_together_are_refused(names):
    wanted = {"span.low": 0.8, "span.middle": 0.7, "span.high": 0.9}
    with pytest.raises(ConfigError, match=r"low 0.8, middle 0.7, high 0.9; allowed is this order"):
        with_changes(Nested(), {name: wanted[name] for name in names})


def test_among_many_changes_an_unknown_name_still_names_the_nearest_one():
    with pytest.raises(ConfigError, match=r"did you mean 'span.middle'"):
        with_changes(Nested(), {"span.low": 0.7, "span.midle": 0.8})


def test_what_is_not_allowed_is_named_with_its_section():
    with pytest.raises(ConfigError, match=r"^memory\.history is 21; allowed is at least 1 and at most 20$"):
        with_changes(Config(), {"memory.history": 21})
    with pytest.raises(ConfigError, match=r"^span\.low 0\.9, middle 0\.4"):
        with_changes(Nested(), {"span.low": 0.9})


def test_numbers_of_numpy_are_numbers():
    changed = with_changes(Config(), {"scale": np.float32(5.5), "memory.history": np.int64(3), "flip": np.True_})
    assert (changed.scale, changed.memory.history, changed.flip) == (5.5, 3, True)
    assert [type(value) for value in (changed.scale, changed.memory.history, changed.flip)] == [float, int, bool]


def test_no_changes_are_the_same_configuration():
    original = Nested()
    assert with_changes(original, {}) is original


def test_only_what_is_live_is_taken_over():
    mine = Config(scale=2.0, memory=Memory(history=3))
    assert with_live(mine, Config(scale=5.0, flip=True)) == Config(scale=5.0, memory=Memory(history=3))
    assert with_live(Memory(history=3), Memory()) == Memory(history=3)


def test_live_values_are_judged_with_those_that_stay():
    with pytest.raises(ConfigError, match=r"low 0.2, middle 0.8, high 0.6"):
        with_live(Nested(), Nested(span=Span(middle=0.8, high=0.9)))


def test_what_is_live_in_another_configuration_is_refused():
    with pytest.raises(ConfigError, match="is a Memory; allowed is a Config"):
        with_live(Config(), Memory())  # type: ignore[misc]


@dataclass(frozen=True, kw_only=True)
class Search:
    WITHDRAWN: ClassVar[Mapping[str, str]] = {"glance": "the whole image is looked at, see growth"}
    growth: float = setting(0.1, "a frame", formerly=("growing", "motion.pace"))


@dataclass(frozen=True, kw_only=True)
class Follow:
    search: Search = section(Search)
    size_rate: float = setting(0.5, "taken over", formerly=("motion.size_rate",))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("motion.size_rate", "setting 'motion.size_rate' is now called 'size_rate'"),
        ("motion.pace", "setting 'motion.pace' is now called 'search.growth'"),
        ("search.growing", "setting 'search.growing' is now called 'search.growth'"),
        ("search.glance", "setting 'search.glance' is gone: the whole image is looked at, see growth"),
        ("search.growt", "did you mean 'search.growth'"),
    ],
)
def test_an_old_name_is_refused_with_its_successor(name, said):
    with pytest.raises(ConfigError, match=said):
        with_changes(Follow(), {name: 0.2})


def test_old_names_stand_behind_the_prefix_as_the_new_ones_do():
    found = former_names(Follow(), "tracker.")
    assert found["tracker.motion.pace"] == "is now called 'tracker.search.growth'"
    assert all(name.startswith("tracker.") for name in found)
    assert "tracker.search.glance" in found


def test_a_configuration_with_sections_is_rebuilt_from_its_fields():
    wanted = with_changes(Follow(), {"search.growth": 0.4, "size_rate": 0.1})
    assert rebuilt(Follow, asdict(wanted)) == wanted
    with pytest.raises(TypeError, match="growing"):
        rebuilt(Follow, {"search": {"growing": 0.4}})
    with pytest.raises(ConfigError, match="middle 0.9"):
        rebuilt(Nested, {"span": {"middle": 0.9, "high": 0.1}})
