"""The loop around the executor: what a callback raises does not end it."""

import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from rclpy.executors import ExternalShutdownException

from stm_tracker_ros.ros import runner
from stm_tracker_ros.ros.guard import Guard
from stm_tracker_ros.ros.periodic import Periodic

pytestmark = pytest.mark.ros


class Log(list):
    error = warning = list.append


def turn(error):
    guard = Guard(Log())

    def spin_once():
        raise error

    runner._turn(SimpleNamespace(guard=guard), SimpleNamespace(spin_once=spin_once), threading.Event())
    return guard


def test_what_a_callback_raises_is_counted_and_the_loop_goes_on():
    guard = turn(ZeroDivisionError("by zero"))
    assert (guard.errors, guard.last_error) == (1, "callback: ZeroDivisionError: by zero")


def test_the_end_of_rclpy_ends_it():
    with pytest.raises(ExternalShutdownException):
        turn(ExternalShutdownException())


def test_a_flood_of_errors_fills_no_log():
    log = Log()
    guard = Guard(log)
    for number in range(1000):
        guard.note("callback", ValueError(str(number)))
    assert guard.errors == 1000
    assert 10 <= len(log) < 100


def test_a_beat_that_fails_is_not_the_last_one():
    guard, beats, enough = Guard(Log()), [], threading.Event()

    def beat():
        beats.append(1)
        if len(beats) == 3:
            enough.set()
        raise ValueError("odd")

    periodic = Periodic("heartbeat", 0.001, beat, guard.note)
    assert enough.wait(20)
    periodic.close()
    count = len(beats)
    assert guard.errors == count
    assert guard.last_error == "heartbeat: ValueError: odd"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--params-file", "/not/there.yaml"], "tracker_node: failed to initialize rcl: Couldn't parse params file"),
        (["--parameter"], "tracker_node: unknown ROS arguments ['--parameter']; allowed are"),
    ],
)
def test_arguments_that_cannot_be_read_end_it_with_the_reason(arguments, words):
    code = "import sys; from stm_tracker_ros.ros.node import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "--ros-args", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
