"""Runs a node in a single-threaded executor and ends it in order: engine first, rclpy last.

The single-threaded executor costs least by far for images; the engine has its own thread anyway. Signals are ours,
not rclpy's: its handler would take the context away under the publishing engine.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.signals import SignalHandlerOptions

from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.ros import compat
from stm_tracker_ros.ros.guard import GuardedExecutor
from stm_tracker_ros.ros.tracker_node import TrackerNode

# Between errors of the executor itself: one that comes with every turn must not eat the core.
_BREATH_S = 0.01
# For what is in work when a signal comes; ros2 launch sends SIGTERM after 5 s.
_END_S = 4.0
EXIT_UNFINISHED = 3
"""Exit status where it was still at work after that time, and was cut off."""


def run(args: list[str] | None, make_node: Callable[[], TrackerNode] = TrackerNode) -> int:
    """Run until SIGINT or SIGTERM; the exit status. Parameters that are not allowed end it at once, with the text."""
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # rclpy's for arguments, and a file of parameters, that cannot be read
        print(f"tracker_node: {compat.refused_start(error)}", file=sys.stderr)
        return 2
    try:
        node = make_node()
    except (ConfigError, ParameterException) as error:  # the second is rclpy's, of its own: use_sim_time
        print(f"tracker_node: {error}", file=sys.stderr)
        rclpy.shutdown()
        return 2
    _spin(node)
    rclpy.try_shutdown()
    return 0


def _spin(node: TrackerNode) -> None:
    stop, ended = threading.Event(), threading.Event()
    threading.Thread(target=_cut_off, args=(stop, ended), name="end", daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    executor = GuardedExecutor(node.guard)
    executor.add_node(node)
    try:
        # A signal does not end the wait for work, but the node's own timer does, twice a second at least.
        while not stop.is_set() and rclpy.ok():
            _turn(node, executor, stop)
    except ExternalShutdownException:
        pass  # somebody else has ended rclpy in this process
    finally:
        node.close()
        executor.shutdown()
        node.destroy_node()
        ended.set()


def _cut_off(stop: threading.Event, ended: threading.Event) -> None:
    """A signal ends the process whatever hangs: the tracker, for which the engine waits, or a transition."""
    stop.wait()
    if not ended.wait(_END_S):
        print(f"tracker_node: work does not end within {_END_S:g} s; the process ends without it", file=sys.stderr)
        sys.stderr.flush()
        os._exit(EXIT_UNFINISHED)


def _turn(node: TrackerNode, executor: GuardedExecutor, stop: threading.Event) -> None:
    try:
        executor.spin_once()
    except ExternalShutdownException:
        raise
    except Exception as error:  # noqa: BLE001  a callback that fails is not a dead node
        node.guard.note("callback", error)
        stop.wait(_BREATH_S)
