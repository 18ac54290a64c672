"""Two cameras on one topic: their images come mixed, and a target is followed in neither."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from stm_tracker_ros.ros.no_images import PublisherFound

# A camera that is started anew is another publisher once; images of two fall at every other one.
_FALLS, _WITHIN_S = 3, 5.0


class Mixture:
    """Watches the publishers' numbers of images: of one publisher they only rise."""

    def __init__(self) -> None:
        self._falls_s: deque[float] = deque(maxlen=_FALLS)
        self._last: int | None = None

    def add(self, sequence: int | None, now_s: float) -> None:
        """The number of the image that has come; None where the middleware has none."""
        if sequence is not None and self._last is not None and sequence <= self._last:
            self._falls_s.append(now_s)
        self._last = sequence

    def explain(self, topic: str, publishers: Sequence[PublisherFound], now_s: float) -> str:
        """The sentence for the operator; empty while the images are one camera's. publishers: of that topic."""
        is_mixed = len(self._falls_s) == _FALLS and now_s - self._falls_s[0] <= _WITHIN_S
        if not is_mixed or len(publishers) < 2:
            return ""
        nodes = ", ".join(sorted({one.node for one in publishers}))
        text = f"images of {len(publishers)} publishers come mixed on {topic}, from {nodes}"
        return f"{text}: the target is looked for in all of them; stop all but one, or give each a topic of its own"
