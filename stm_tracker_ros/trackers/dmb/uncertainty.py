"""How certain is the filter? Its peak against those of the last frames (paper, section III-E)."""

from __future__ import annotations

from collections import deque

from stm_tracker_ros.trackers.dmb.config import UncertaintyConfig

LOWEST_PEAK = 1e-3
PAPER_LIMIT = 10.0
STEEPNESS = 6


class Uncertainty:
    """A queue of the last peaks of frames that were learned from.

    | rule | uncertainty | a frame is dropped above |
    |---|---|---|
    | `ratio` (the authors' code) | mean of the queue / peak, 0 in the first frames | the limits of the configuration |
    | `average` (Eq. 9 to 11) | infinite where 1 / peak exceeds the queue's mean of it, or 10 | any limit |
    | `none` | 0 | never |

    The authors' queue takes whatever lies under their limit of 3. Here doubtful frames do not lower the standard.
    """

    def __init__(self, config: UncertaintyConfig) -> None:
        self.config = config
        self.peaks: deque[float] = deque(maxlen=config.queue)
        self.seen = 0

    def of(self, peak: float) -> float:
        """The uncertainty of a frame whose response peaks at `peak`."""
        peak = max(peak, LOWEST_PEAK)
        if self.config.rule == "none" or not self.peaks or self.seen < self.config.patience:
            return 0.0
        if self.config.rule == "ratio":
            return sum(self.peaks) / len(self.peaks) / peak
        mean = sum(1 / p for p in self.peaks) / len(self.peaks)
        too_low = 1 / peak > PAPER_LIMIT or 1 / peak > mean
        return float("inf") if too_low else 0.0

    def add(self, peak: float) -> None:
        """A frame was learned from: its peak joins the queue."""
        self.peaks.append(max(peak, LOWEST_PEAK))

    def trust(self, uncertainty: float) -> float:
        """What a score is multiplied by: 1 up to `doubtful`, then falling fast."""
        limit = self.config.doubtful
        return 1.0 if uncertainty <= limit else (limit / uncertainty) ** STEEPNESS
