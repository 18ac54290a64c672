"""Names of targets: given by the operator or made here, none made twice in this process."""

from __future__ import annotations

import re
import threading
import unicodedata

MOST_BYTES = 256
UNCERTAIN_CLASS = "uncertain"
"""Of the second hypothesis of a detection, which tells of doubt: no operator's class."""
_MADE = re.compile(r"target-([1-9][0-9]{0,8})")


def unfit(what: str, name: str) -> str:
    """Why `name` cannot be a target's `what`, its id or class_id, and what is allowed; empty if it can."""
    length = len(name.encode(errors="replace"))
    if length > MOST_BYTES:
        return f"{what} has {length} bytes; allowed are at most {MOST_BYTES}"
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        return f"{what} is {name!r}; allowed is one line of text, without control characters"
    if what == "class_id" and name == UNCERTAIN_CLASS:
        return f"class_id is {name!r}, which in detections says that the state is UNCERTAIN; allowed is any other"
    return ""


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
