"""Which time of an image counts: its stamp, or its arrival where the stamps are of no use."""

from __future__ import annotations

import logging
from collections import deque
from itertools import pairwise
from typing import Any

from stm_tracker_ros.engine.history import Offered

WINDOW = 5
NS_PER_S = 1_000_000_000
FASTER_THAN_SECONDS = 0.9  # of a second a frame: what is slower may be stamped by whole seconds
MISSING, STILL, WHOLE_SECONDS = "are 0", "stand still", "are whole seconds"
ADVICE = "their arrival stands for them; set header.stamp in the camera to the time of exposure"
logger = logging.getLogger(__name__)


class Stamps:
    """Checks the stamps of one stream by its last WINDOW images; says once what is wrong with them.

    A stamp of 0 counts as missing at once. Stamps are of use again when a whole window of them rises.
    """

    def __init__(self) -> None:
        self.trouble = ""
        """What is wrong with the stamps now, one of the words above; empty while they are used."""
        self._recent: deque[tuple[int, int]] = deque(maxlen=WINDOW)
        self._arrival_ns = self._time_ns = 0
        self._told: set[str] = set()

    def time_of(self, image: Offered[Any]) -> int:
        """The time that the next image of the stream counts for, nanoseconds."""
        self._recent.append((image.stamp_ns if image.has_stamp else 0, image.arrival_ns))
        found = self._found()
        self.trouble = found if found or self._useful() else self.trouble
        if self.trouble and self.trouble not in self._told:
            self._told.add(self.trouble)
            logger.warning("stamps of the images %s: %s", self.trouble, ADVICE)
        return self._arrived(image.arrival_ns) if self.trouble else image.stamp_ns

    def likely_time_of(self, image: Offered[Any]) -> int:
        """The same of an image out of its turn, which is checked by those before."""
        return image.arrival_ns if self.trouble else image.stamp_ns

    def _found(self) -> str:
        stamps = [stamp for stamp, _ in self._recent]
        span_ns = self._recent[-1][1] - self._recent[0][1]
        if stamps[-1] == 0:
            return MISSING
        if len(stamps) < WINDOW:
            return ""
        fast = span_ns < FASTER_THAN_SECONDS * NS_PER_S * (WINDOW - 1)
        if fast and not any(stamp % NS_PER_S for stamp in stamps):
            return WHOLE_SECONDS
        return STILL if len(set(stamps)) == 1 else ""

    def _useful(self) -> bool:
        stamps = [stamp for stamp, _ in self._recent]
        return len(stamps) == WINDOW and all(one < other for one, other in pairwise(stamps))

    def _arrived(self, arrival_ns: int) -> int:
        """The arrival; where a coarse clock gives the same one twice, a little later."""
        later = self._time_ns + 1 if arrival_ns == self._arrival_ns else arrival_ns
        self._arrival_ns, self._time_ns = arrival_ns, later
        return later
