"""What evaluations left behind, ours and other trackers', read for a comparison: one value a case and figure."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.sequence import recording_of
from stm_tracker_ros.evaluation.run_files import SUMMARY_NAME
from stm_tracker_ros.evaluation.run_settings import SETTINGS_NAME

NO_FIGURES = ("frames", "seed", "covered", "anchor", "ms_p20", "ms_p50")
"""Numbers of a case that say how it was run, or what it is, and not how well the tracker did."""
ALLOWED = (
    "allowed is what `stm_tracker evaluate` has written, or figures by sequence: "
    '{"source/sequence": {"success_auc": 0.61, "frames": 310}, ...}'
)
FOUND_WITHIN_FRAMES = 15
"""Of an occlusion's target, from the first frame in which it is no longer covered."""
FOUND_WITHIN_S = (0.5, 1.0, 2.0, 5.0)
"""Of an absence's target, from its return."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One sequence, or one made scene, and how a tracker did on it.

    recording: shared by the cases that are no independent evidence. frames: how many were run; None: not noted.
    groups: aerial, tiny, long, or the kind of a made scene; None where that was not noted.
    """

    recording: str
    frames: int | None = None
    groups: tuple[str, ...] | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The results of one evaluation.

    kind: "sequences", or what made scenes show: "occlusions", "absences". figures: those compared where none is named.
    settings: what it was run with; empty where that was not noted. cases: by their names.
    """

    label: str
    path: Path
    kind: str
    figures: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    cases: Mapping[str, Case] = field(default_factory=dict)


def read_evaluated(paths: Sequence[Path]) -> list[Evaluated]:
    """The results in these places, labelled by the names of the places, or by their paths where names come twice.

    A place is a folder of `stm_tracker evaluate`, or a JSON file of another tracker's figures by sequence:
    {"source/sequence": {"success_auc": ..., "frames": ...}}. Raises DataError where it is neither.
    """
    names = [path.stem if path.is_file() else path.resolve().name for path in paths]
    return [_read(path, name if names.count(name) == 1 else str(path)) for path, name in zip(paths, names, strict=True)]


def _read(path: Path, label: str) -> Evaluated:
    file = path if path.is_file() else path / SUMMARY_NAME
    if not file.is_file():
        raise DataError(
            f"{path} holds no {SUMMARY_NAME}; allowed is a folder that `stm_tracker evaluate` has written and finished"
        )
    content, settings_file = _object(file), file.with_name(SETTINGS_NAME)
    settings = _object(settings_file) if file.name == SUMMARY_NAME and settings_file.is_file() else {}
    kind, figures, read_cases = _form(content, settings)
    try:
        cases = read_cases(content)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file} cannot be read as results of an evaluation: {_in_words(error)}; {ALLOWED}") from None
    return Evaluated(label=label, path=path, kind=kind, figures=figures, settings=settings, cases=cases)


def _object(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise DataError(f"{file} holds no figures by name; allowed is an object of JSON")
    return content


def _in_words(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return "one of its values is of another kind" if isinstance(error, TypeError) else str(error)


def _row(name: str, row: Any) -> dict[str, Any]:
    """The values of that name. Raises ValueError, in words, for one value alone and whatever else has no names."""
    if not isinstance(row, dict):
        raise ValueError(f"{name!r} is {reprlib.repr(row)}, which holds no figures by name")
    return row


def _form(
    content: Mapping[str, Any], settings: Mapping[str, Any]
) -> tuple[str, tuple[str, ...], Callable[[Mapping[str, Any]], dict[str, Case]]]:
    if "kinds" in content:
        return "absences", ("found_within_5", "false_tracking_rate_after_grace", "other_object_rate"), _absences
    if "seeds" in content:
        return "occlusions", ("found", "false_tracking"), _occlusions
    return "sequences", ("success_auc",), _sequences


def _sequences(content: Mapping[str, Any]) -> dict[str, Case]:
    rows = _row("sequences", content.get("sequences", content))
    return {name: _sequence(name, _row(name, row)) for name, row in rows.items()}


def _sequence(name: str, row: Mapping[str, Any]) -> Case:
    groups = tuple(row["groups"]) if "groups" in row else None
    return Case(recording=recording_of(name), frames=row.get("frames"), groups=groups, figures=_numbers(row))


def _occlusions(content: Mapping[str, Any]) -> dict[str, Case]:
    return {f"seed {row['seed']}": _occlusion(row) for row in _seeds(content)}


def _seeds(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_row("seeds", row) for row in content["seeds"]]


def _occlusion(row: Mapping[str, Any]) -> Case:
    found = row["frames_to_find"] is not None and row["frames_to_find"] <= FOUND_WITHIN_FRAMES
    rates = {"found": float(found), "false_tracking": float(row["tracking_while_covered"] > 0)}
    return Case(recording=row["scene"], frames=row["covered"], groups=(), figures={**_numbers(row), **rates})


def _absences(content: Mapping[str, Any]) -> dict[str, Case]:
    return {f"{row['kind']} {row['seed']}": _absence(row) for row in _seeds(content)}


def _absence(row: Mapping[str, Any]) -> Case:
    """Its rates are shares of its own frames: the means of `compare` are over absences, whatever their lengths."""
    rates = {
        "false_tracking_rate": (row["tracking_absent"], row["absent"]),
        "false_tracking_rate_after_grace": (row["tracking_absent_after_grace"], row["absent_after_grace"]),
        "other_object_rate": (row["tracking_other"], row["seen"]),
    }
    figures = {name: part / whole for name, (part, whole) in rates.items() if whole}
    if row["returns"]:
        found_s = math.inf if row["found_s"] is None else row["found_s"]
        figures |= {f"found_within_{limit:g}": float(found_s <= limit) for limit in FOUND_WITHIN_S}
    frames = row["absent"] + row["seen"]
    return Case(recording=row["recording"], frames=frames, groups=(row["kind"],), figures=figures)


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a case: whatever of it is a finite number; not those that `NO_FIGURES` names."""
    values = {name: value for name, value in row.items() if name not in NO_FIGURES and not isinstance(value, bool)}
    numbers = {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
