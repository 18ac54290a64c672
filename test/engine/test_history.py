from __future__ import annotations

import dataclasses

import pytest
from engine_bench import MS, offered

from stm_tracker_ros.engine.config import HistoryConfig
from stm_tracker_ros.engine.history import History, Smaller

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


def halve(frame, size=(8, 6)):
    """A quarter of the bytes, as half the size has."""
    return frame.smaller(Smaller(message=frame.message, nbytes=frame.nbytes // 4, size=size))


def shrunk(history, change=halve):
    """Everything that can be made smaller is."""
    changed = []
    while (frame := history.too_large()) is not None:
        history.exchange(change(frame))
        changed.append(frame.position)
    return changed


def test_older_frames_become_smaller_before_any_is_forgotten():
    history = History(HistoryConfig(seconds=2, mebibytes=10))
    for position in range(60):
        history.add(dataclasses.replace(offered(position * 33 * MS, position), nbytes=2**19))
        shrunk(history)
        assert history.nbytes <= 10 * 2**20
    kept = history.after(-1)
    assert len(kept) == 60
    assert [frame.times_shrunk for frame in kept] == sorted((frame.times_shrunk for frame in kept), reverse=True)
    assert kept[-1].full_size is None, "the newest stays as it came"
    assert {frame.full_size for frame in kept if frame.times_shrunk} == {(8, 6)}
    assert history.nbytes == sum(frame.nbytes for frame in kept)


def test_all_are_made_smaller_once_before_one_is_twice():
    history = filled(range(100, 500, 100), nbytes=2**20, mebibytes=6.0, seconds=9)
    assert shrunk(history) == []
    for stamp in (500, 600, 700, 800):
        history.add(dataclasses.replace(offered(stamp * MS, stamp), nbytes=2**20))
        assert shrunk(history)
    assert {frame.times_shrunk for frame in history.after(-1)} == {0, 1}


def test_room_is_made_for_what_comes_next():
    history = filled(range(100, 600, 100), nbytes=2**20, mebibytes=6.0)
    assert shrunk(history)
    assert history.nbytes <= 4 * 2**20


def test_what_cannot_become_smaller_is_asked_once_and_goes_at_last():
    history = filled(range(100, 700, 100), nbytes=2**20, mebibytes=6.0)
    assert shrunk(history, lambda frame: frame.smaller(None)) == [0, 1, 2, 3, 4]
    assert shrunk(history) == []
    history.add(dataclasses.replace(offered(800 * MS, 9), nbytes=2**20))
    assert (len(history), history.nbytes) == (6, 6 * 2**20)
    no_smaller = history.find(0, 0).smaller(Smaller(message="larger", nbytes=2**21, size=(8, 6)))
    assert (no_smaller.full_size, no_smaller.nbytes) == (None, 2**20)


def test_the_size_that_it_had_is_that_of_the_image_that_came():
    frame = halve(halve(dataclasses.replace(offered(0, 1), nbytes=1600)), size=(4, 3))
    assert halve(halve(dataclasses.replace(offered(0, 1), nbytes=1600)), size=(4, 3)).full_size == (8, 6)
    assert (frame.nbytes, frame.times_shrunk) == (100, 2)


def test_a_frame_that_was_forgotten_meanwhile_stays_so():
    history = filled([100, 200], nbytes=2**20, mebibytes=1.0)
    history.exchange(dataclasses.replace(offered(100 * MS, 0), nbytes=5))
    assert (len(history), history.nbytes) == (1, 2**20)


def test_the_frames_behind_a_place():
    history = filled([100, 200, 300])
    assert [frame.position for frame in history.after(0)] == [1, 2]
    assert history.after(2) == []
