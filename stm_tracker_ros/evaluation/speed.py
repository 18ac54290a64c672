"""Times a frame: percentiles of one tracker, and the ratio of two that took turns."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Frame

PERCENTILES = (20, 50, 95, 99)


def percentiles(milliseconds: ArrayLike) -> dict[str, float]:
    """p20, p50, p95 and p99 of the times of single frames; NaN without frames."""
    values = np.asarray(milliseconds, np.float64)
    return {f"p{rank}": float(np.percentile(values, rank)) if values.size else float("nan") for rank in PERCENTILES}


def median_ratio(ours_ms: Mapping[str, ArrayLike], theirs_ms: Mapping[str, ArrayLike]) -> float:
    """How many times the time of theirs ours takes: per sequence the ratio of the 20th percentiles, then the median.

    The 20th percentile of trackers that took turns on a sequence says least about whatever else the machine did.
    """
    return float(np.median([ratio_of_p20(ours_ms[name], theirs_ms[name]) for name in ours_ms]))


def ratio_of_p20(ours_ms: ArrayLike, theirs_ms: ArrayLike) -> float:
    """Ratio of the 20th percentiles of two lists of times."""
    return percentiles(ours_ms)["p20"] / percentiles(theirs_ms)["p20"]


def time_together(first: Tracker, second: Tracker, stream: Iterable[Frame]) -> tuple[list[float], list[float]]:
    """Milliseconds a frame (track and memorize) of two started trackers, which take turns frame by frame.

    Which of them goes first changes with every frame, for the first one finds the image out of the caches.
    """
    times: tuple[list[float], list[float]] = ([], [])
    trackers = (first, second)
    for index, frame in enumerate(stream):
        for which in ((0, 1), (1, 0))[index % 2]:
            started_ns = time.perf_counter_ns()
            trackers[which].track(frame)
            trackers[which].memorize()
            times[which].append((time.perf_counter_ns() - started_ns) / 1e6)
    return times
