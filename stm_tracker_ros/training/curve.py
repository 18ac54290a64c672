"""The log of a run as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from matplotlib.figure import Figure

SMOOTHED_ROWS = 5
NOT_DRAWN = ("step", "minutes", "rate")


def draw(log: Path, picture: BinaryIO) -> None:
    """Draw the losses and the validation scores of `log.jsonl` over the steps as a PNG."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    scores = [row for row in rows if "validation_success_auc" in row]
    losses = [row for row in rows if row not in scores]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in dict.fromkeys(name for row in losses for name in row if name not in NOT_DRAWN):
        axes.plot(*_smooth(losses, name), label=name)
    if scores:
        validated = [row["step"] for row in scores], [row["validation_success_auc"] for row in scores]
        axes.plot(*validated, "ko-", label="validation AUC")
    axes.set(xlabel="optimiser step", ylim=(0, _top(losses)), title=log.parent.name)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture, dpi=110, format="png")


def _top(rows: list[Mapping[str, float]]) -> float:
    """Upper end of the axis: 1, or what all but the first steps stay below."""
    values = [value for row in rows for name, value in row.items() if name not in NOT_DRAWN]
    return max(1.0, float(np.quantile(values, 0.97))) if values else 1.0


def _smooth(rows: list[Mapping[str, float]], name: str) -> tuple[list[float], list[float]]:
    """Steps and the running mean of one term, where there is one."""
    rows = [row for row in rows if name in row]
    values = [row[name] for row in rows]
    window = min(SMOOTHED_ROWS, max(len(values), 1))
    means = np.convolve(values, np.ones(window) / window, "valid").tolist() if values else []
    return [row["step"] for row in rows[window - 1 :]] if values else [], means
