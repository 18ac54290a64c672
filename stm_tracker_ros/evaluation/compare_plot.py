"""A comparison as a picture: both values of every case, and what lies between them, in its order."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from stm_tracker_ros.core.metrics import Values
from stm_tracker_ros.evaluation.compare import Comparison

Indices = NDArray[np.intp]

WIDTH_IN, ROW_IN, FRAME_IN, LEAST_IN = 10.0, 0.17, 1.6, 3.5
LETTERS_PT, TITLE_PT = 7.5, 11
DOTS_PER_IN = 110
# Of Okabe and Ito's palette, told apart by everybody; grey is the first result.
UP, DOWN, FIRST = "#0072B2", "#D55E00", "#666666"


def draw(comparison: Comparison, index: int, picture: BinaryIO) -> None:
    """Draw the result of that index against the first as a PNG, a row a case, the largest gain on top."""
    order = np.argsort(comparison.differences[index], kind="stable")
    height = max(LEAST_IN, FRAME_IN + ROW_IN * len(order))
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    values, gaps = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": (3, 2)})
    _draw_values(values, comparison, index, order)
    _draw_gaps(gaps, comparison, index, order)
    # The least gains are the lowest rows: this corner is empty.
    gaps.legend(handles=_legend(comparison, index), loc="lower right", fontsize=LETTERS_PT)
    values.set_yticks(np.arange(len(order)))
    values.set_yticklabels([comparison.names[case] for case in order], fontsize=LETTERS_PT)
    values.set_ylim(-0.8, len(order) - 0.2)
    figure.suptitle(_title(comparison, index), fontsize=TITLE_PT)
    figure.savefig(picture, dpi=DOTS_PER_IN, format="png")


def _draw_values(axes: Axes, comparison: Comparison, index: int, order: Indices) -> None:
    before, after = comparison.values[0][order], comparison.values[index][order]
    rows, colors = np.arange(len(order)), _colors(after - before)
    axes.hlines(rows, before, after, colors=colors, linewidth=1.5)
    axes.scatter(before, rows, s=16, facecolors="white", edgecolors=FIRST, zorder=3)
    axes.scatter(after, rows, s=16, c=colors, zorder=4)
    axes.set_xlabel(comparison.figure)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)


def _draw_gaps(axes: Axes, comparison: Comparison, index: int, order: Indices) -> None:
    gaps = comparison.differences[index][order]
    mean, low, high = comparison.minus_first(index)
    axes.axvspan(low, high, color=FIRST, alpha=0.3, linewidth=0)
    axes.barh(np.arange(len(order)), gaps, height=0.7, color=_colors(gaps), zorder=2)
    axes.axvline(mean, color="black", linewidth=1, linestyle="--", zorder=3)
    axes.axvline(0, color="black", linewidth=0.8, zorder=3)
    axes.set_xlabel(f"{comparison.labels[index]} minus {comparison.labels[0]}")
    axes.tick_params(axis="y", length=0)
    axes.grid(alpha=0.25, axis="x")
    axes.set_axisbelow(True)


def _legend(comparison: Comparison, index: int) -> list[Artist]:
    first, other = comparison.labels[0], comparison.labels[index]
    return [
        _dot("white", FIRST, first),
        _dot(UP, UP, f"{other}, more than {first}"),
        _dot(DOWN, DOWN, f"{other}, less"),
        Line2D([], [], color="black", linewidth=1, linestyle="--", label="mean difference"),
        Patch(color=FIRST, alpha=0.3, linewidth=0, label="its 95 % interval"),
    ]


def _dot(color: str, edge: str, label: str) -> Artist:
    return Line2D([], [], linestyle="", marker="o", markersize=4.5, color=color, markeredgecolor=edge, label=label)


def _colors(gaps: Values) -> list[str]:
    return [UP if gap >= 0 else DOWN for gap in gaps]


def _title(comparison: Comparison, index: int) -> str:
    mean, low, high = comparison.minus_first(index)
    means = ", ".join(f"{comparison.labels[one]} {comparison.means[one]:.3f}" for one in (0, index))
    head = f"{comparison.figure} of {len(comparison.names)} {comparison.kind}: {means}"
    return f"{head}\nmean difference {mean:+.4f}, 95 % interval [{low:+.4f}, {high:+.4f}]"
