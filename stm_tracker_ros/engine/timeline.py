"""Time as the tracker sees it: always rising, whatever the stamps of the stream do."""

from __future__ import annotations

NOMINAL_STEP_NS = 33_333_333
LONGEST_STEP_NS = 1_000_000_000  # a longer one is a silence, and no ordinary step


class Timeline:
    """Stamps of the stream, shifted where they jump, so that a looping bag is one long stream to the tracker.

    A jump counts as one ordinary step (the last one seen, at first 1/30 s). Without jumps nothing is changed.
    """

    def __init__(self, stamp_ns: int) -> None:
        """Begins with the frame of the stream that has this stamp."""
        self.now_ns = stamp_ns
        self._shift_ns = 0
        self._step_ns = NOMINAL_STEP_NS
        self._jumped = False

    def jump(self) -> None:
        """The stamps jumped before the next frame."""
        self._jumped = True

    def advance(self, stamp_ns: int) -> int:
        """Stamp for the tracker of the next frame, later than all before."""
        step = stamp_ns + self._shift_ns - self.now_ns
        if self._jumped or step <= 0:
            self._shift_ns += self._step_ns - step
        else:
            self._step_ns = min(step, LONGEST_STEP_NS)
        self._jumped = False
        self.now_ns = stamp_ns + self._shift_ns
        return self.now_ns
