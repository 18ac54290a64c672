from __future__ import annotations

import pytest

from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.engine.target_state import State, TargetState

pytestmark = pytest.mark.pure

MS = 1_000_000
CONFIG = StateConfig(
    tracking_score=0.6,
    uncertain_score=0.4,
    lost_score=0.2,
    lost_after_ms=100,
    unseen_after_ms=500,
    confirm_after_ms=0,
    found_after_ms=60,
)


def walk(scores, config=CONFIG, step_ms=30):
    """One letter a frame: T, U or L."""
    target = TargetState(config, 0)
    return "".join(target.update(score, (n + 1) * step_ms * MS).name[0] for n, score in enumerate(scores))


@pytest.mark.parametrize(
    ("scores", "states"),
    [
        pytest.param([0.9, 0.61, 0.41, 0.45], "TTTT", id="between the two scores TRACKING stays"),
        pytest.param([0.39, 0.45, 0.59, 0.6], "UUUT", id="and UNCERTAIN stays"),
        pytest.param([0.1, 0.1, 0.1, 0.1], "UUUU", id="bad, but for 90 ms only"),
        pytest.param([0.1] * 5, "UUUUL", id="bad for 120 ms"),
        pytest.param([0.1, 0.1, 0.1, 0.3, 0.1, 0.1, 0.1], "UUUUUUU", id="bad with a break"),
        pytest.param([0.1] * 5 + [0.9, 0.9, 0.9], "UUUULLLT", id="found again after 60 ms"),
        pytest.param([0.1] * 5 + [0.9, 0.9, 0.5, 0.9, 0.9], "UUUULLLLLL", id="evidence with a break"),
        pytest.param([float("nan")] * 5, "UUUUL", id="NaN is bad"),
    ],
)
def test_walks(scores, states):
    assert walk(scores) == states


def test_out_of_tracking_for_too_long_is_lost_however_good_the_scores():
    assert walk([0.5] * 30) == "T" * 30
    assert walk([0.39] + [0.5] * 20) == "U" * 16 + "L" * 5


def test_times_count_not_frames():
    assert walk([0.1] * 5, step_ms=100) == "ULLLL"
    assert walk([0.1] * 12, step_ms=10) == "U" * 10 + "LL"


def test_one_frame_is_never_enough_to_be_found():
    config = StateConfig(found_after_ms=0, lost_after_ms=0)
    assert walk([0.0, 0.9, 0.0, 0.9, 0.9], config, step_ms=1000) == "LLLLT"


def test_confirmation_delays_the_way_back_from_uncertain():
    config = StateConfig(confirm_after_ms=60, uncertain_score=0.4, tracking_score=0.6)
    assert walk([0.3, 0.9, 0.9, 0.9], config) == "UUUT"


def test_a_box_is_valid_in_tracking_and_uncertain_only():
    assert [state.name for state in State if state.has_valid_box] == ["TRACKING", "UNCERTAIN"]
    target = TargetState(CONFIG, 0)
    assert target.has_valid_box
    target.update(0.1, 30 * MS)
    assert target.has_valid_box
    target.update(0.1, 500 * MS)
    assert not target.has_valid_box


def test_seen_is_the_stamp_of_the_last_frame_in_tracking():
    target = TargetState(CONFIG, 5)
    assert target.seen_ns == 5
    for score, stamp in ((0.9, 10), (0.1, 20), (0.1, 30)):
        target.update(score, stamp)
    assert target.seen_ns == 10


def test_settings_may_change_while_running():
    target = TargetState(CONFIG, 0)
    target.config = StateConfig(tracking_score=0.95, uncertain_score=0.92)
    assert target.update(0.9, MS) is State.UNCERTAIN


def test_numbers_are_those_of_the_message():
    assert [state.value for state in State] == list(range(8))
    assert (State.NO_TARGET, State.TRACKING, State.LOST, State.FAULT) == (2, 3, 5, 7)


def test_scores_must_not_cross():
    with pytest.raises(ConfigError, match="uncertain_score 0.7, tracking_score 0.6"):
        StateConfig(tracking_score=0.6, uncertain_score=0.7)
