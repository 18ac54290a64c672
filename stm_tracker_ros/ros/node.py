"""The programs of ROS: each checks what it needs, then runs until it is told to stop."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from stm_tracker_ros import libraries
from stm_tracker_ros.core.errors import LibraryError
from stm_tracker_ros.core.surroundings import guarded
from stm_tracker_ros.ros import heap, log_folder, requirements


def main(args: list[str] | None = None) -> int:
    """`tracker_node`: run the node; the exit status, 2 where what it needs is missing, or refused by the system."""

    def started() -> int:
        from stm_tracker_ros.ros.runner import run

        log_folder.make_sure("tracker_node")
        return run(args)

    heap.keep_large_blocks()
    return guarded("tracker_node", lambda: _refused("tracker_node", "runner") or started())


def demo_camera() -> int:
    """`demo_camera`: see the module of that name; the exit status, 2 where something that it needs is missing."""
    return guarded("demo_camera", lambda: _refused("demo_camera", "demo_camera") or _module("demo_camera").main())


def demo_client() -> int:
    """`demo_client`: see the module of that name; the exit status, 2 where something that it needs is missing."""
    return guarded("demo_client", lambda: _refused("demo_client", "demo_client") or _module("demo_client").main())


def _refused(program: str, module: str) -> int:
    """0 if the module of this folder can be imported, else 2, and why not in one sentence on stderr.

    rclpy and the messages are looked for before any module that imports them.
    """
    text = requirements.missing_messages()
    if not text:
        try:
            libraries.check_opencv()
            _module(module)
        except LibraryError as error:
            text = str(error)
        except ImportError as error:
            text = requirements.unusable(error)
    if text:
        print(f"{program}: error: {text}", file=sys.stderr)
    return 2 if text else 0


def _module(name: str) -> Any:
    return importlib.import_module(f"stm_tracker_ros.ros.{name}")


if __name__ == "__main__":
    sys.exit(main())
