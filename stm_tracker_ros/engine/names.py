"""Names of targets: given by the operator or made here, none made twice in this process."""

from __future__ import annotations

import re
import threading

MOST_BYTES = 256
_MADE = re.compile(r"target-([1-9][0-9]{0,8})")


class TargetNames:
    """Makes target-1, target-2, ...; leaves out what an operator has used. May be called from any thread."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def name(self, given: str) -> str:
        """The operator's name, or a new one where it is empty."""
        with self._lock:
            like_ours = _MADE.fullmatch(given)
            if like_ours is not None:
                self._last = max(self._last, int(like_ours[1]))
            if given:
                return given
            self._last += 1
            return f"target-{self._last}"


NAMES = TargetNames()
"""Those of this process: engines come and go, and a name stays that of one target."""
