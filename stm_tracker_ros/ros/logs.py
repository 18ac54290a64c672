"""What the library logs with `logging` goes out as the node's log."""

from __future__ import annotations

import logging
from typing import Any

_LIBRARY = "stm_tracker_ros"


class NodeLogHandler(logging.Handler):
    """Hands records to an rclpy logger; attached to the library's logger while the node lives."""

    def __init__(self, ros_logger: Any) -> None:
        super().__init__()
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
        text = self.format(record)
        next(log for level, log in self._by_level if record.levelno >= level)(text)

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
