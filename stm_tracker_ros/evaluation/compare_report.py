"""A comparison as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stm_tracker_ros.evaluation.compare import Comparison, Pairing, settings_beside

LARGEST = 10
SHOWN_LETTERS = 12
LEAST_RECORDINGS = 6
"""Of fewer, all may lie on one side by chance: of five they do so once in sixteen times."""


def text(pairing: Pairing, comparisons: Sequence[Comparison]) -> str:
    """Results with their means and intervals, all and by group, then the largest differences and what is left out."""
    parts = [_results(pairing), *(_figure(pairing, one) for one in comparisons)]
    parts += [_largest(one, index) for one in comparisons for index in range(1, len(one.labels))]
    parts += [_missing(one) for one in comparisons if one.missing]
    return "\n\n".join([*parts, *_left_out(pairing)])


def content(pairing: Pairing, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The same, ready for JSON, with the value of every case."""
    first = pairing.results[0]
    return {
        "kind": first.kind,
        "first": first.label,
        "results": [
            {"label": one.label, "path": str(one.path), "settings": dict(one.settings)} for one in pairing.results
        ],
        "left_out": {name: list(labels) for name, labels in pairing.left_out.items()},
        "figures": {one.figure: _figure_content(pairing, one) for one in comparisons},
    }


def _figure_content(pairing: Pairing, comparison: Comparison) -> dict[str, Any]:
    groups = _groups(pairing, comparison)
    cases = zip(comparison.names, comparison.recordings, comparison.values.T.tolist(), strict=True)
    return {
        "all": _rows_content(comparison),
        "groups": {name: _rows_content(one) for name, one in groups.items()},
        "missing": list(comparison.missing),
        "cases": [
            {"name": name, "recording": recording, **dict(zip(comparison.labels, values, strict=True))}
            for name, recording, values in cases
        ],
    }


def _rows_content(comparison: Comparison) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for index, label in enumerate(comparison.labels):
        row = {"label": label, "cases": len(comparison.names), "mean": float(comparison.means[index])}
        rows.append({**row, "minus_first": comparison.minus_first(index)._asdict()} if index else row)
    return rows


def _results(pairing: Pairing) -> str:
    first = pairing.results[0]
    rows = [("", "tracker", "settings that differ from the first")]
    for one in pairing.results:
        changed = ", ".join(f"{name}={_short(value)}" for name, value in settings_beside(first, one).items())
        rows.append((one.label, str(one.settings.get("tracker", "(not noted)")), changed))
    return _aligned(rows)


def _figure(pairing: Pairing, comparison: Comparison) -> str:
    count = f"{len(comparison.names)} {comparison.kind}, {len(set(comparison.recordings))} recordings"
    rows = [(comparison.figure, "", "mean", f"minus {comparison.labels[0]}", "95 % interval", "")]
    for name, one in {"all": comparison, **_groups(pairing, comparison)}.items():
        counted = f"{name} ({len(one.names)})"
        for index, label in enumerate(one.labels):
            rows.append((counted if index == 0 else "", label, f"{one.means[index]:.4f}", *_interval(one, index)))
    missing = "" if pairing.groups is not None else "\ngroups are noted by no result; evaluate again into its folder"
    return f"{count}, drawn by recording\n{_aligned(rows)}{missing}"


def _groups(pairing: Pairing, comparison: Comparison) -> dict[str, Comparison]:
    """Those with members, each a comparison of its own."""
    parts = {name: comparison.of(members) for name, members in (pairing.groups or {}).items()}
    return {name: part for name, part in parts.items() if part.names}


def _interval(comparison: Comparison, index: int) -> tuple[str, str, str]:
    if index == 0:
        return "", "", ""
    mean, low, high = comparison.minus_first(index)
    return f"{mean:+.4f}", f"[{low:+.4f}, {high:+.4f}]", _verdict(comparison, low, high)


def _verdict(comparison: Comparison, low: float, high: float) -> str:
    """On which side of zero the interval lies, if its recordings are enough to say so."""
    if not low > 0 and not high < 0:
        return ""
    side, count = "above zero" if low > 0 else "below zero", len(set(comparison.recordings))
    return side if count >= LEAST_RECORDINGS else f"({side}, of {count} only)"


def _largest(comparison: Comparison, index: int) -> str:
    found = comparison.largest(index, LARGEST)
    head = f"{comparison.figure}: largest differences, {comparison.labels[index]} minus {comparison.labels[0]}"
    if not found:
        return f"{head}: none at all"
    values = {name: comparison.values[:, comparison.names.index(name)] for name, _ in found}
    rows = [(f"{gap:+.4f}", name, f"{values[name][0]:.4f} -> {values[name][index]:.4f}") for name, gap in found]
    return f"{head}\n{_aligned(rows)}"


def _missing(comparison: Comparison) -> str:
    head = f"{comparison.figure}: left out, for not all results have it of them: {len(comparison.missing)}"
    return "\n".join([head, *(f"  {name}" for name in comparison.missing)])


def _left_out(pairing: Pairing) -> list[str]:
    if not pairing.left_out:
        return []
    lines = [f"  {name} (only in {', '.join(labels)})" for name, labels in pairing.left_out.items()]
    return ["\n".join([f"left out, for not all results have them: {len(lines)}", *lines])]


def _short(value: Any) -> str:
    """A value for a line; sums of weights are known by their beginning."""
    words = str(value)
    return words if len(words) < 4 * SHOWN_LETTERS else words[:SHOWN_LETTERS]


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns, those of numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(_cell(text, width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _cell(text: str, width: int) -> str:
    return text.rjust(width) if text[:1] in "+-." or text[:1].isdigit() else text.ljust(width)
