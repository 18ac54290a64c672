"""The log of a run as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

SMOOTHED_ROWS = 5


def draw(log: Path, picture: Path) -> None:
    """Draw the losses and the validation scores of `log.jsonl` over the steps into a PNG."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    losses, scores = [r for r in rows if "cls" in r], [r for r in rows if "validation_success_auc" in r]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in ("cls", "ctr", "box", "iou"):
        axes.plot(*_smooth(losses, name), label=name)
    axes.plot([r["step"] for r in scores], [r["validation_success_auc"] for r in scores], "ko-", label="validation AUC")
    axes.set(xlabel="optimiser step", ylim=(0, 1), title=log.parent.name)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture, dpi=110)


def _smooth(rows: list[Mapping[str, float]], name: str) -> tuple[list[float], list[float]]:
    """Steps and the running mean of one term."""
    values = [row[name] for row in rows]
    window = min(SMOOTHED_ROWS, max(len(values), 1))
    means = np.convolve(values, np.ones(window) / window, "valid").tolist() if values else []
    return [row["step"] for row in rows[window - 1 :]] if values else [], means
