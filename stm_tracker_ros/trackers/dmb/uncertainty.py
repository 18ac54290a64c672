"""How certain is the filter? Its peak against those of the last frames (paper, section III-E)."""

from __future__ import annotations

from collections import deque

from stm_tracker_ros.trackers.dmb.config import UncertaintyConfig

LOWEST_PEAK = 1e-3
PAPER_LIMIT = 10.0


class Uncertainty:
    """A queue of the last peaks.

    | rule | uncertainty | a frame is dropped above |
    |---|---|---|
    | `ratio` (the authors' code) | mean of the queue / peak, 0 in the first frames | the limits of the configuration |
    | `average` (Eq. 9 to 11) | 1 / peak over the queue's mean of 1 / peak | 1, or where 1 / peak > 10 |
    | `none` | 0 | never |
    """

    def __init__(self, config: UncertaintyConfig) -> None:
        self.config = config
        self.peaks: deque[float] = deque(maxlen=config.queue)
        self.seen = 0

    def judge(self, peak: float) -> float:
        """The uncertainty of a frame whose response peaks at `peak`; a certain one joins the queue."""
        peak = max(peak, LOWEST_PEAK)
        uncertainty = self._of(peak)
        self.seen += 1
        if uncertainty < self.config.learn or not self.peaks:
            self.peaks.append(peak)
        return uncertainty

    def _of(self, peak: float) -> float:
        if self.config.rule == "none" or not self.peaks or self.seen < self.config.patience:
            return 0.0
        if self.config.rule == "ratio":
            return sum(self.peaks) / len(self.peaks) / peak
        mean = sum(1 / p for p in self.peaks) / len(self.peaks)
        too_low = 1 / peak > PAPER_LIMIT or 1 / peak > mean
        return float("inf") if too_low else 0.0
