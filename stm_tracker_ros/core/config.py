"""Configuration as frozen dataclasses: one definition serves node, command line, training and evaluation.

A configuration is a frozen dataclass whose fields are made by `setting` (a value with what it means and what it may
be) or are such dataclasses themselves. `settings` flattens it to dotted names, `with_changes` validates and applies
changes by dotted name; ROS parameters and `--set` go through these two.

A setting that was renamed says so (`setting(..., formerly=...)`); what took the place of one that is gone stands in the
configuration (`WITHDRAWN: ClassVar = {"name": "words"}`). Whoever gives the old name is told so.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np

from stm_tracker_ros.core.errors import ConfigError

Scalar = bool | int | float | str
OFF = "off"
ConfigT = TypeVar("ConfigT")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a setting means and what it may be: `low` and `high` are inclusive, `choices` are all that is allowed.

    formerly: names that it had, each from the root of the whole configuration or beside the setting. words: what is
    allowed where the configuration asks for more than that.
    """

    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False
    formerly: tuple[str, ...] = ()
    words: str = ""

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        if self.words:
            return self.words
        if self.choices:
            return "one of " + ", ".join(self.choices)
        low = "" if self.low is None else f"at least {self.low:g}"
        high = "" if self.high is None else f"at most {self.high:g}"
        return " and ".join(part for part in (low, high) if part) or "any value of its type"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One flattened setting: dotted name, type, present value and rule."""

    name: str
    kind: type
    value: Scalar
    rule: Rule


def setting(
    default: Scalar,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
    formerly: tuple[str, ...] = (),
    words: str = "",
) -> Any:
    """A dataclass field with its rule; `live` settings may change while the node is active."""
    rule = Rule(doc=doc, low=low, high=high, choices=choices, live=live, formerly=formerly, words=words)
    return dataclasses.field(default=default, metadata={"rule": rule})


def section(config_class: type) -> Any:
    """A dataclass field that holds another configuration."""
    return dataclasses.field(default_factory=config_class)


def validate(config: Any) -> None:
    """Raise ConfigError if a setting of `config` breaks its rule; call it in `__post_init__`."""
    for field in dataclasses.fields(config):
        rule = field.metadata.get("rule")
        if rule is not None:
            _validate_value(field.name, getattr(config, field.name), rule)


def settings(config: Any, prefix: str = "") -> Iterator[Setting]:
    """Every setting of `config`, depth first, with dotted names behind `prefix`."""
    for field in dataclasses.fields(config):
        value, rule = getattr(config, field.name), field.metadata.get("rule")
        if rule is not None:
            yield Setting(name=prefix + field.name, kind=type(field.default), value=value, rule=rule)
        elif dataclasses.is_dataclass(value):
            yield from settings(value, f"{prefix}{field.name}.")


def former_names(config: Any, prefix: str = "") -> dict[str, str]:
    """Dotted names behind `prefix` that are settings no more -> what became of them, in words."""
    return dict(_former_names(config, prefix, prefix))


def with_changes(config: ConfigT, changes: Mapping[str, Any]) -> ConfigT:
    """A copy of `config` with `changes` by dotted name, validated together: their order does not matter.

    Text is read as the setting's type, whole numbers serve as floats. Raises ConfigError for an unknown name (its
    successor or the nearest one is named), a wrong type, a value that is not allowed, or not together with the others.
    """
    known = {s.name: s for s in settings(config)}
    values: dict[str, Scalar] = {}
    for name, value in changes.items():
        if name not in known:
            raise ConfigError(unknown_name("setting", name, known, former_names(config)))
        values[name] = coerce(value, known[name])
    return cast(ConfigT, _replaced(config, values))


def with_live(config: ConfigT, wanted: ConfigT) -> ConfigT:
    """A copy of `config` with the live settings of `wanted`, validated; the others stay as they are.

    Raises ConfigError if the two are not of one class, or if the values are not allowed together.
    """
    if type(wanted) is not type(config):
        raise ConfigError(
            f"the configuration given is a {type(wanted).__qualname__}; allowed is a {type(config).__qualname__}"
        )
    return with_changes(config, {s.name: s.value for s in settings(wanted) if s.rule.live})


def rebuilt(config_class: type[ConfigT], fields: Mapping[str, Any]) -> ConfigT:
    """A configuration from its fields as `dataclasses.asdict` gives them: sections are mappings.

    Raises TypeError for a field that it does not have, ConfigError for a value that is not allowed.
    """
    factories = {f.name: f.default_factory for f in dataclasses.fields(cast(Any, config_class))}
    made = {name: factory() for name, factory in factories.items() if callable(factory)}
    parts = {
        name: rebuilt(type(made[name]), value) if name in made and isinstance(value, Mapping) else value
        for name, value in fields.items()
    }
    return config_class(**parts)


def unknown_name(
    what: str, name: Any, known: Mapping[str, Any] | tuple[str, ...], former: Mapping[str, str] | None = None
) -> str:
    """The text of the refusal of an unknown name; names what took its place (`former_names`), or the nearest one."""
    if former and name in former:
        return f"{what} {name!r} {former[name]}"
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f"unknown {what} {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}")


def coerce(value: Any, target: Setting) -> Scalar:
    """`value` as the setting's type; numbers may be NumPy's. Raises ConfigError if it is none."""
    kind = target.kind
    value = value.item() if isinstance(value, np.generic) else value
    if value is False and OFF in target.rule.choices:  # what YAML makes of the word
        value = OFF
    if isinstance(value, str) and kind is not str:
        value = _from_text(value, target)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise ConfigError(f"{target.name} = {value!r} has type {type(value).__name__}; allowed is {kind.__name__}")
    return cast(Scalar, value)


def _former_names(config: Any, root: str, prefix: str) -> Iterator[tuple[str, str]]:
    for old, words in getattr(config, "WITHDRAWN", {}).items():
        yield prefix + old, f"is gone: {words}"
    for field in dataclasses.fields(config):
        value, rule = getattr(config, field.name), field.metadata.get("rule")
        if rule is not None:
            name = prefix + field.name
            olds = (place + old for old in rule.formerly for place in dict.fromkeys((root, prefix)))
            # A setting that has moved into a section may have kept its name there.
            yield from ((old, f"is now called {name!r}") for old in olds if old != name)
        elif dataclasses.is_dataclass(value):
            yield from _former_names(value, root, f"{prefix}{field.name}.")


def _from_text(text: str, target: Setting) -> Scalar:
    words = {"true": True, "false": False}
    allowed = {bool: "true or false", int: "a whole number", float: "a number"}
    try:
        return words[text.lower()] if target.kind is bool else target.kind(text)
    except (KeyError, ValueError):
        raise ConfigError(f"{target.name} = {text!r}; allowed is {allowed[target.kind]}") from None


def _validate_value(name: str, value: Any, rule: Rule) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name} is {value}; allowed are finite numbers")
    below = rule.low is not None and value < rule.low
    above = rule.high is not None and value > rule.high
    if below or above or (rule.choices and value not in rule.choices):
        raise ConfigError(f"{name} is {value!r}; allowed is {rule.allowed}")


def _replaced(config: Any, values: Mapping[str, Scalar]) -> Any:
    """A copy with `values` by dotted name; each part that changes is made and validated once, the inner ones first."""
    if not values:
        return config
    own: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
    for part in dict.fromkeys(name.split(".")[0] for name in values if "." in name):
        inner = {name[len(part) + 1 :]: value for name, value in values.items() if name.startswith(part + ".")}
        try:
            own[part] = _replaced(getattr(config, part), inner)
        except ConfigError as error:  # which begins with the name of the setting
            raise ConfigError(f"{part}.{error}") from None
    return dataclasses.replace(config, **own)
