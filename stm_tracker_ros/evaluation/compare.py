"""Results against each other, case by case: means, and paired intervals of what lies between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.metrics import Interval, Values, paired_bootstrap
from stm_tracker_ros.evaluation.results import Case, Evaluated

SAME_SETTINGS = ("starts", "fps", "init", "max_frames")
"""What has to be the same in all results: other frames, or another task, are no pair."""
NAMED_CASES = 8


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One figure of two or more results over the same cases.

    kind: what the cases are, for people: sequences, occlusions, absences.
    values: results x cases, in the order of labels and names. recordings: of every case, drawn together.
    missing: cases in which some results have the figure, and some have not.
    """

    figure: str
    kind: str
    labels: tuple[str, ...]
    names: tuple[str, ...]
    recordings: tuple[str, ...]
    values: Values
    missing: tuple[str, ...] = ()

    @property
    def means(self) -> Values:
        """Of every result."""
        return self.values.mean(1)

    @property
    def differences(self) -> Values:
        """Every result minus the first, results x cases."""
        return self.values - self.values[0]

    def minus_first(self, index: int) -> Interval:
        """Mean of a result minus the first, with its 95 % interval by recording."""
        return paired_bootstrap(self.values[index], self.values[0], self.recordings)

    def largest(self, index: int, count: int) -> list[tuple[str, float]]:
        """The cases with the largest differences of a result to the first, largest first; none without any."""
        found = self.differences[index]
        order = np.argsort(-np.abs(found), kind="stable")[:count]
        return [(self.names[case], float(found[case])) for case in order if found[case]]

    def of(self, members: Iterable[str]) -> Comparison:
        """Over these cases only."""
        kept = [index for index, name in enumerate(self.names) if name in set(members)]
        names, recordings = (tuple(one[index] for index in kept) for one in (self.names, self.recordings))
        return replace(self, names=names, recordings=recordings, values=self.values[:, kept])


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """Results that can be compared.

    names: the cases that all of them have, sorted. left_out: of the others, the labels of those that have them.
    groups: name -> members among `names`; None where no result notes them.
    """

    results: tuple[Evaluated, ...]
    names: tuple[str, ...]
    left_out: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, tuple[str, ...]] | None

    @property
    def figures(self) -> tuple[str, ...]:
        """Those that all results have of the same case, of one at least, in the order of the first one."""
        cases = [[one.cases[name] for one in self.results] for name in self.names]
        common = {figure for case in cases for figure in set.intersection(*(set(one.figures) for one in case))}
        return tuple(figure for figure in self._figures_of(self.results[0]) if figure in common)

    def compare(self, figure: str) -> Comparison:
        """That figure over the cases of which all have it. Raises DataError if there is no such case."""
        having = {name: [figure in one.cases[name].figures for one in self.results] for name in self.names}
        names = [name for name in self.names if all(having[name])]
        if not names:
            raise DataError(self._refusal(figure))
        return Comparison(
            figure=figure,
            kind=self.results[0].kind,
            labels=tuple(one.label for one in self.results),
            names=tuple(names),
            recordings=tuple(self.results[0].cases[name].recording for name in names),
            values=np.array([[one.cases[name].figures[figure] for name in names] for one in self.results]),
            missing=tuple(name for name in self.names if any(having[name]) and not all(having[name])),
        )

    def _refusal(self, figure: str) -> str:
        if self.figures:
            return f"figure {figure!r} is not in all results; allowed is one of {', '.join(self.figures)}"
        held = [
            f"{one.label}: {_some(self._figures_of(one)) or 'none that is a finite number'}" for one in self.results
        ]
        kind = self.results[0].kind
        return f"the results have no figure in common ({'; '.join(held)}); needed is one in all, of the same {kind}"

    def _figures_of(self, one: Evaluated) -> tuple[str, ...]:
        """Those of a result, in its order."""
        return tuple(dict.fromkeys(figure for name in self.names for figure in one.cases[name].figures))


def pair(results: Sequence[Evaluated]) -> Pairing:
    """The results side by side. Raises DataError where a comparison case by case would mean nothing."""
    _refuse_too_few(results)
    _refuse_other_settings(results)
    every = {name for one in results for name in one.cases}
    names = sorted(set.intersection(*(set(one.cases) for one in results)))
    if not names:
        held = "; ".join(f"{one.label}: {_some(sorted(one.cases)) or 'none'}" for one in results)
        raise DataError(f"the results have none of their {results[0].kind} in common ({held}); needed is one in all")
    _refuse_other_frames(results, names)
    left_out = {n: tuple(one.label for one in results if n in one.cases) for n in sorted(every - set(names))}
    return Pairing(results=tuple(results), names=tuple(names), left_out=left_out, groups=_groups(results, names))


def settings_beside(first: Evaluated, other: Evaluated) -> dict[str, Any]:
    """What the other was run with, where it is not what the first was run with; its tracker is not among it."""
    before, now = _flat(first.settings), _flat(other.settings)
    if not before or not now:
        return {}
    names = [name for name in (*now, *before) if before.get(name) != now.get(name) and name != "tracker"]
    return {name: now.get(name) for name in dict.fromkeys(names) if name != "data"}


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `--set` beside the others, by their names."""
    changes = settings.get("settings") or {}
    return {**{name: value for name, value in settings.items() if name != "settings"}, **changes}


def _refuse_too_few(results: Sequence[Evaluated]) -> None:
    if len({one.path.resolve() for one in results}) < max(2, len(results)):
        given = ", ".join(str(one.path) for one in results)
        raise DataError(f"given is {given}; needed are two different results or more, the first is the one compared to")
    kinds = {one.kind for one in results}
    if len(kinds) > 1:
        raise DataError(f"results of {' and of '.join(sorted(kinds))} have nothing to compare; allowed is one kind")


def _refuse_other_settings(results: Sequence[Evaluated]) -> None:
    known = [one for one in results if one.settings]
    for one in known[1:]:
        first = known[0]
        odd = [name for name in SAME_SETTINGS if first.settings.get(name) != one.settings.get(name)]
        values = [f"{name} {first.settings.get(name)!r} and {one.settings.get(name)!r}" for name in odd]
        data = [Path(str(side.settings.get("data"))).resolve().name for side in (first, one)]
        values += [f"data {data[0]!r} and {data[1]!r}"] if data[0] != data[1] else []
        if values:
            raise DataError(
                f"{first.label} and {one.label} were run with other {'; other '.join(values)}; a comparison case by "
                "case needs the same"
            )


def _refuse_other_frames(results: Sequence[Evaluated], names: Iterable[str]) -> None:
    for name in names:
        frames = {one.label: one.cases[name].frames for one in results if one.cases[name].frames is not None}
        if len(set(frames.values())) > 1:
            counts = ", ".join(f"{count} in {label}" for label, count in frames.items())
            raise DataError(f"{name} was run over other frames ({counts}); a comparison needs the same")


def _groups(results: Sequence[Evaluated], names: Sequence[str]) -> dict[str, tuple[str, ...]] | None:
    """By whichever result notes them: they follow from the true boxes, which are the same."""
    noted: dict[str, Case] = next(
        ({name: one.cases[name] for name in names} for one in results if _notes_groups(one, names)), {}
    )
    if not noted:
        return None
    known = sorted({group for case in noted.values() for group in case.groups or ()})
    return {group: tuple(name for name in names if group in (noted[name].groups or ())) for group in known}


def _notes_groups(one: Evaluated, names: Iterable[str]) -> bool:
    return all(one.cases[name].groups is not None for name in names)


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED_CASES
    return ", ".join(names[:NAMED_CASES]) + (f" and {more} more" if more > 0 else "")
