from __future__ import annotations

import dataclasses

import pytest
from engine_bench import MS, offered

from stm_tracker_ros.engine.config import HistoryConfig
from stm_tracker_ros.engine.history import History

pytestmark = pytest.mark.pure


def filled(stamps_ms, *, nbytes=100, **config):
    history = History(HistoryConfig(**config))
    for position, stamp in enumerate(stamps_ms):
        history.add(dataclasses.replace(offered(stamp * MS, position), nbytes=nbytes))
    return history


def stamps(history, asked_ms, tolerance_ms=50):
    found = history.find(asked_ms * MS, tolerance_ms * MS)
    return None if found is None else found.stamp_ns // MS


def test_frames_older_than_the_span_are_forgotten():
    history = filled(range(100, 3100, 100), seconds=2.0)
    assert (len(history), stamps(history, 1000), stamps(history, 900)) == (21, 1000, None)


def test_the_oldest_go_when_the_bytes_are_too_many():
    history = filled([100, 200, 300, 400], nbytes=2**20, mebibytes=3.0)
    assert (len(history), history.nbytes) == (3, 3 * 2**20)
    assert stamps(history, 100) is None


def test_the_newest_is_kept_however_large():
    history = filled([100, 200], nbytes=2**30)
    assert (len(history), stamps(history, 0)) == (1, 200)


def test_stamp_0_is_the_newest_and_an_empty_history_has_none():
    assert stamps(filled([100, 200, 300]), 0) == 300
    assert filled([]).find(0, 0) is None
    assert filled([]).find(5, 10) is None


@pytest.mark.parametrize(("asked", "found"), [(200, 200), (214, 200), (251, 300), (350, 300), (351, None), (49, None)])
def test_the_nearest_within_the_tolerance_is_found(asked, found):
    assert stamps(filled([100, 200, 300]), asked) == found


def test_of_equal_stamps_the_last_received_is_found():
    """A bag that loops faster than the history forgets."""
    assert filled([100, 200, 100]).find(100 * MS, 0).position == 2
