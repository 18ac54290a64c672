from __future__ import annotations

import pytest

from stm_tracker_ros.engine.timeline import NOMINAL_STEP_NS, Timeline

pytestmark = pytest.mark.pure


def test_without_jumps_stamps_are_untouched():
    line = Timeline(100)
    assert [line.advance(stamp) for stamp in (130, 160, 1000)] == [130, 160, 1000]


def test_a_loop_is_one_long_stream():
    line = Timeline(100)
    first = [line.advance(stamp) for stamp in (110, 120)]
    line.jump()
    assert first + [line.advance(stamp) for stamp in (100, 110, 130)] == [110, 120, 130, 140, 160]


def test_a_jump_forward_is_one_step():
    line = Timeline(100)
    line.advance(110)
    line.jump()
    assert [line.advance(stamp) for stamp in (5000, 5010)] == [120, 130]


def test_the_first_step_is_the_nominal_one():
    line = Timeline(10**12)
    line.jump()
    assert line.advance(5) == 10**12 + NOMINAL_STEP_NS


def test_time_rises_even_if_nobody_said_that_it_jumped():
    """A target named on the last image before a loop."""
    line = Timeline(10**12)
    stamps = [line.advance(stamp) for stamp in (5, 6, 6, 2)]
    assert stamps == sorted(set(stamps))
    assert stamps[0] > 10**12


def test_a_silence_is_no_ordinary_step():
    line = Timeline(0)
    line.advance(60 * 10**9)
    line.jump()
    assert line.advance(5) == 61 * 10**9
