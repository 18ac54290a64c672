"""Runs a node in a single-threaded executor and ends it in order: engine first, rclpy last.

The single-threaded executor costs least by far for images; the engine has its own thread anyway. Signals are ours,
not rclpy's: its handler would take the context away under the publishing engine.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.ros.tracker_node import TrackerNode


def run(args: list[str] | None, make_node: Callable[[], TrackerNode] = TrackerNode) -> int:
    """Run until SIGINT or SIGTERM; the exit status. Parameters that are not allowed end it at once, with the text."""
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = make_node()
    except ConfigError as error:
        print(f"tracker_node: {error}", file=sys.stderr)
        rclpy.shutdown()
        return 2
    _spin(node)
    rclpy.try_shutdown()
    return 0


def _spin(node: TrackerNode) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        # A signal does not end the wait for work, but the node's own timers do, twice a second at least.
        while not stop.is_set():
            executor.spin_once()
    except ExternalShutdownException:
        pass  # somebody else has ended rclpy in this process
    finally:
        node.close()
        executor.shutdown()
        node.destroy_node()
