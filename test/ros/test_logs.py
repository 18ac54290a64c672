"""The library's records as the node's log."""

import logging

import pytest

from stm_tracker_ros.ros.logs import NodeLogHandler

pytestmark = pytest.mark.ros


class Log(list):
    error = warning = info = debug = list.append


def record(line, text):
    return logging.LogRecord("stm_tracker_ros", logging.WARNING, "worker.py", line, text, None, None)


def test_what_comes_with_every_image_fills_no_log():
    now_s, log = [100.0], Log()
    handler = NodeLogHandler(log, lambda: now_s[0])
    for number in range(300):
        now_s[0] += 1 / 30
        handler.handle(record(1, f"jump {number}"))
    assert log == [f"jump {number}" for number in range(5)]
    handler.handle(record(2, "something else"))
    now_s[0] += 1
    handler.handle(record(1, "jump 300"))
    handler.handle(record(1, "jump 301"))
    assert log[5:] == ["something else", "jump 300 (and 295 more like it before)", "jump 301"]
