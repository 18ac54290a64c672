"""How far probabilities can be believed, as a picture: a reliability diagram."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stm_tracker_ros.evaluation.calibration import Frames, reliability

SIZE_IN, DOTS_PER_IN = (6.0, 6.6), 110
BARS = np.linspace(0, 1, 41)
# Of Okabe and Ito's palette, told apart by everybody.
SAID, RIGHT, WRONG = "#0072B2", "#009E73", "#D55E00"


def draw(name: str, frames: Frames, said: NDArray[np.float64], picture: BinaryIO) -> None:
    """Draw what was said of the frames of recordings that the fit has not seen against what was right, as a PNG.

    name: the tracker's; said: N probabilities.
    """
    found = reliability(said, frames.right, frames.weights)
    figure = Figure(figsize=SIZE_IN, layout="constrained")
    curve, counts = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (3, 1)})
    curve.plot((0, 1), (0, 1), color="grey", linestyle="--", linewidth=1, label="as it should be")
    curve.plot(found.said, found.right, color=SAID, marker="o", markersize=5, label="15 bins of equal weight")
    curve.set_ylabel("share of answers with IoU >= 0.5")
    curve.set_ylim(-0.02, 1.02)
    curve.grid(alpha=0.25)
    curve.legend(loc="upper left")
    for values, color, words in ((frames.right, RIGHT, "right"), (~frames.right, WRONG, "wrong")):
        weights = frames.weights[values] / frames.weights.sum()
        counts.hist(said[values], BARS, weights=weights, color=color, alpha=0.6, label=words)
    counts.set_yscale("log")
    counts.set_ylabel("share of frames")
    counts.set_xlabel("probability that is said")
    counts.legend(loc="upper center")
    recordings = len(np.unique(frames.recordings))
    title = f"{name}: expected calibration error {found.error:.3f}\n{len(said)} frames of {recordings} recordings,"
    figure.suptitle(f"{title} each by a fit on the others", fontsize=11)
    figure.savefig(picture, dpi=DOTS_PER_IN, format="png")
