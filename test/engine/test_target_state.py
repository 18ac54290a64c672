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
    doubtful_after_ms=500,
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
    config = StateConfig(confirm_after_ms=60, lost_score=0.2, uncertain_score=0.4, tracking_score=0.6)
    assert walk([0.3, 0.9, 0.9, 0.9], config) == "UUUT"


def test_the_defaults_are_for_probabilities():
    """What is more likely wrong than right is soon LOST; TRACKING is said again of what is right in 80 of 100."""
    config = StateConfig()
    frames = round(config.lost_after_ms / 30) + 1
    assert walk([0.49] * frames, config) == "U" * (frames - 1) + "L"
    assert walk([0.51] * frames, config) == "U" * frames
    frames = round(config.confirm_after_ms / 30)
    assert walk([0.69] + [0.81] * (frames + 1), config) == "U" * (frames + 1) + "T"
    assert walk([0.69] + [0.79] * (frames + 1), config) == "U" * (frames + 2)
    assert walk([0.71] * frames, config) == "T" * frames


def test_doubt_may_last_longer_than_silence():
    """As long as something that looks alike is remembered; of what nobody answers nothing is known so long."""
    config = StateConfig()
    short, long = (round(time / 30) for time in (config.unseen_after_ms, config.doubtful_after_ms))
    said = walk([0.6] * (long + 2), config)
    assert said[: short + 2] == "U" * (short + 2)
    assert said[-1] == "L"


def test_a_box_is_valid_in_tracking_and_uncertain_only():
    assert [state.name for state in State if state.has_valid_box] == ["TRACKING", "UNCERTAIN"]
    target = TargetState(CONFIG, 0)
    assert target.has_valid_box
    target.update(0.1, 30 * MS)
    assert target.has_valid_box
    target.update(0.1, 500 * MS)
    assert not target.has_valid_box


def test_unseen_is_the_time_since_the_last_frame_in_tracking():
    target = TargetState(CONFIG, 5)
    assert target.unseen_ns == 0
    for score, stamp in ((0.9, 10), (0.1, 20), (0.1, 30)):
        target.update(score, stamp)
    assert target.unseen_ns == 20


def test_settings_may_change_while_running():
    target = TargetState(CONFIG, 0)
    target.config = StateConfig(tracking_score=0.95, uncertain_score=0.92)
    assert target.update(0.9, MS) is State.UNCERTAIN


def test_numbers_are_those_of_the_message():
    assert [state.value for state in State] == list(range(9))
    assert (State.NO_TARGET, State.TRACKING, State.LOST, State.FAULT) == (2, 3, 5, 7)


def test_scores_must_not_cross():
    with pytest.raises(ConfigError, match="uncertain_score 0.7, tracking_score 0.6"):
        StateConfig(tracking_score=0.6, uncertain_score=0.7)


def clocked(period_ms=33, frames=10):
    """A target in TRACKING, answered every `period_ms`; and the time of the last answer."""
    target = TargetState(StateConfig(), 0, 0)
    for n in range(1, frames):
        target.update(0.9, n * period_ms * MS, n * period_ms * MS)
    return target, (frames - 1) * period_ms * MS


def test_without_answers_it_falls_by_the_clock():
    target, last = clocked()
    names = [target.standing.at(last + ms * MS).name for ms in (0, 399, 400, 799, 800, 10**7)]
    assert names == ["TRACKING", "TRACKING", "UNCERTAIN", "UNCERTAIN", "LOST", "LOST"]
    assert target.state is State.TRACKING, "looking at it changes nothing"


def test_a_stream_that_is_slow_by_itself_is_not_silent():
    target, last = clocked(period_ms=1000)
    assert target.state is State.TRACKING
    names = [target.standing.at(last + ms * MS).name for ms in (1500, 2000, 2999, 3000)]
    assert names == ["TRACKING", "UNCERTAIN", "UNCERTAIN", "LOST"]


@pytest.mark.parametrize("period_ms", [500, 1000])
def test_a_slow_stream_is_tracked_from_its_first_answer_on(period_ms):
    target = TargetState(StateConfig(), 0, 0, pace_ns=period_ms * MS)
    states = [target.standing.at((period_ms - 1) * MS)]
    for n in range(1, 5):
        states.append(target.update(0.9, n * period_ms * MS, n * period_ms * MS))
        states.append(target.standing.at((n + 1) * period_ms * MS - 1))
    assert set(states) == {State.TRACKING}


def test_a_stream_that_dies_slowly_is_not_taken_for_a_slow_one():
    target, last = clocked()
    for n in range(1, 10):
        now = last + n * 5000 * MS
        target.update(0.9, now, now)
        names = [target.standing.at(now + ms * MS).name for ms in (2000, 3000)]
        assert names[0] in ("UNCERTAIN", "LOST")
        assert names[1] == "LOST"


def test_stamps_that_jump_in_a_silence_take_no_time_away():
    target, last = clocked()
    assert target.standing.unseen_at(last + 10_000 * MS) == 10_000 * MS
    target.update(0.1, last + 33 * MS, last + 10_000 * MS)
    assert target.standing.unseen_at(last + 10_000 * MS) == 10_000 * MS


def test_after_a_silence_evidence_begins_anew():
    target, last = clocked()
    states = [target.update(0.9, last + ms * MS, last + ms * MS).name[0] for ms in range(5000, 5330, 33)]
    assert "".join(states) == "LLLLLLLLTT"
    target, last = clocked()
    states = [target.update(0.9, last + ms * MS, last + ms * MS).name[0] for ms in range(450, 800, 33)]
    assert "".join(states) == "UUUUUUUUUUT"


def test_uncertain_before_the_silence_counts():
    target, last = clocked()
    target.update(0.3, last + 33 * MS, last + 33 * MS)
    assert [target.standing.at(last + ms * MS).name for ms in (432, 799, 800)] == ["UNCERTAIN", "UNCERTAIN", "LOST"]


def test_time_unseen_is_by_stamps_while_they_flow():
    target = TargetState(StateConfig(), 0, 0)
    target.update(0.3, 100 * MS, 10 * MS)  # a bag that is played ten times as fast
    assert target.standing.unseen_at(300 * MS) == 100 * MS
    assert target.standing.unseen_at(1010 * MS) == 1100 * MS


def test_hopeless_is_lost_at_once():
    target, last = clocked()
    assert target.update(0.9, last + 33 * MS, last + 33 * MS, hopeless=True) is State.LOST


def test_standing_still_is_uncertain_and_no_longer_counts_as_unseen():
    target, last = clocked()
    states = [target.update(0.9, last + n * 33 * MS, last + n * 33 * MS, still=True) for n in range(1, 100)]
    assert set(states) == {State.UNCERTAIN}
    assert target.update(0.0, last + 100 * 33 * MS, still=True) is State.UNCERTAIN
    assert target.update(0.0, last + 110 * 33 * MS, still=True) is State.LOST


@pytest.mark.parametrize("rate_hz", [30, 5, 2, 1])
def test_one_doubtful_answer_loses_no_target_however_slow_the_stream_is(rate_hz):
    config = StateConfig()
    step_ns = 10**9 // rate_hz
    target = TargetState(config, 0, 0, step_ns)
    doubtful = (config.uncertain_score + config.lost_score) / 2
    states = [target.update(score, n * step_ns, n * step_ns) for n, score in enumerate([0.95, doubtful, 0.95, 0.95], 1)]
    assert State.LOST not in states
    assert states[1] is State.UNCERTAIN


def test_answers_that_are_caught_up_with_have_no_pace():
    step_ns = 1000 * MS
    target = TargetState(StateConfig(), 0, 0, step_ns)
    for n in range(1, 7):
        target.update(0.95, n * step_ns, n * 30 * MS, late=True)
    assert target.standing.pace_ns == step_ns
    target.update(0.95, 7 * step_ns, 1180 * MS)
    assert target.standing.pace_ns == step_ns


def test_what_the_clock_has_made_of_the_state_stays_over_a_pause():
    target = TargetState(StateConfig(), 0, 0, 30 * MS)
    target.update(0.95, 30 * MS, 30 * MS)
    target.pause(60 * MS)
    assert target.state is State.TRACKING
    target.pause(5000 * MS)
    target.resume(6000 * MS)
    assert target.state is State.LOST
