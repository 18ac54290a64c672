"""Where ROS writes its log files: a folder that cannot be written must not keep a node from starting.

rclpy raises from its `init` where it cannot make that folder, which on a robot with a read-only home is every start.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from stm_tracker_ros.core.errors import OutputError
from stm_tracker_ros.core.system_errors import in_words


def make_sure(program: str) -> None:
    """Let ROS log into a temporary folder, and say so on stderr, where it cannot write its own.

    Call it before rclpy.init. Raises OutputError if there is no temporary folder either.
    """
    folder = _chosen()
    refusal = "neither ROS_LOG_DIR, ROS_HOME nor HOME names one" if folder is None else _refusal(folder)
    if not refusal:
        return
    try:
        instead = tempfile.mkdtemp(prefix=f"{program}_log_")
    except OSError as error:
        raise OutputError(
            f"the log folder of ROS, {folder}, cannot be used ({refusal}), nor is there a temporary one "
            f"({in_words(error)}); set ROS_LOG_DIR to a folder that can be written"
        ) from None
    os.environ["ROS_LOG_DIR"] = instead
    named = "ROS has no log folder" if folder is None else f"the log folder of ROS, {folder}, cannot be used"
    print(f"{program}: {named} ({refusal}); logs go to {instead}", file=sys.stderr, flush=True)


def _chosen() -> Path | None:
    """The folder that rcl_logging takes; None where nothing names one."""
    if folder := os.environ.get("ROS_LOG_DIR"):
        return _expanded(folder)
    if home := os.environ.get("ROS_HOME"):
        return _expanded(home) / "log"
    return Path(os.environ["HOME"], ".ros", "log") if os.environ.get("HOME") else None


def _expanded(folder: str) -> Path:
    """With a leading ~ replaced by HOME as rcl_logging does it, which knows no other users."""
    home = os.environ.get("HOME", "")
    return Path(home + folder[1:]) if folder[:2] in ("~", "~/") else Path(folder)


def _refusal(folder: Path) -> str:
    """Why nothing can be written there; empty if it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"a log")
            file.flush()
    except OSError as error:
        return in_words(error)
    return ""
