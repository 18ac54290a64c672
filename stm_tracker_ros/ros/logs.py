"""What the library logs with `logging` goes out as the node's log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

_LIBRARY = "stm_tracker_ros"
# What comes with every image must not fill the log: stamps of two cameras mixed, say, are a jump each.
_MOST_LINES, _WINDOW_S = 5, 10.0


class NodeLogHandler(logging.Handler):
    """Hands records to an rclpy logger; attached to the library's logger while the node lives.

    Of one line of the source, 5 go out in 10 s; the next one after that says how many were left out.
    """

    def __init__(self, ros_logger: Any, clock_s: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock_s = clock_s
        self._since_s: dict[tuple[str, int], float] = {}
        self._lines: dict[tuple[str, int], int] = {}
        # One call a level and line: rclpy refuses that the same line logs with changing severity.
        self._by_level = (
            (logging.ERROR, lambda text: ros_logger.error(text)),
            (logging.WARNING, lambda text: ros_logger.warning(text)),
            (logging.INFO, lambda text: ros_logger.info(text)),
            (logging.NOTSET, lambda text: ros_logger.debug(text)),
        )
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record with the nearest severity of ROS."""
        left_out = self._left_out(record)
        if left_out is None:
            return
        text = self.format(record) + (f" (and {left_out} more like it before)" if left_out else "")
        next(log for level, log in self._by_level if record.levelno >= level)(text)

    def _left_out(self, record: logging.LogRecord) -> int | None:
        """How many like it were left out before it; None if it is to be left out too."""
        line, now_s, left_out = (record.pathname, record.lineno), self._clock_s(), 0
        if now_s - self._since_s.get(line, -_WINDOW_S) >= _WINDOW_S:
            left_out = max(0, self._lines.get(line, 0) - _MOST_LINES)
            self._since_s[line], self._lines[line] = now_s, 0
        self._lines[line] += 1
        return left_out if self._lines[line] <= _MOST_LINES else None

    def attach(self) -> None:
        """Forward from now on; the library's records then go nowhere else."""
        library = logging.getLogger(_LIBRARY)
        library.addHandler(self)
        library.propagate = False
        library.setLevel(logging.INFO)

    def detach(self) -> None:
        """Forward no longer."""
        library = logging.getLogger(_LIBRARY)
        library.removeHandler(self)
        library.propagate = True
