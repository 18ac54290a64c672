"""Stages are timed only while someone listens, and add up."""

from __future__ import annotations

import pytest

from stm_tracker_ros.parts import stages
from stm_tracker_ros.parts.stages import StageTimes, listening, stage

pytestmark = pytest.mark.pure


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a millisecond whenever it is read."""
    readings = iter(range(0, 1_000_000_000, 1_000_000))
    monkeypatch.setattr(stages.time, "perf_counter_ns", lambda: next(readings))


def test_times_of_a_stage_add_up_and_others_stand_beside_it(clock: None) -> None:
    waits: list[str] = []
    times = StageTimes(lambda: waits.append("device"))
    with listening(times):
        for name in ("crop", "read", "crop"):
            with stage(name):
                pass
    assert times.milliseconds == {"crop": 2.0, "read": 1.0}
    assert len(waits) == 3  # the device's work belongs to the stage that asked for it


def test_nothing_is_noted_where_nobody_listens(clock: None) -> None:
    times = StageTimes(lambda: None)
    with listening(times):
        pass
    with stage("crop"):
        pass
    assert not times.milliseconds


def test_an_error_ends_the_stage_and_goes_on(clock: None) -> None:
    times = StageTimes(lambda: None)
    with listening(times), pytest.raises(ValueError, match="inside"), stage("read"):
        raise ValueError("inside")
    assert times.milliseconds == {"read": 1.0}
