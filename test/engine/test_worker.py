"""The engine's work without its thread: frames are handed over one by one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from engine_bench import BOX, MS, REQUEST, STEP_NS, offered
from worker_shift import MASK, START_NS, Shift

from stm_tracker_ros.core.types import Box, Result, RotatedBox
from stm_tracker_ros.engine.config import EngineConfig, StateConfig
from stm_tracker_ros.engine.set_target import Code, TargetRequest
from stm_tracker_ros.engine.target_state import State

pytestmark = pytest.mark.pure


def test_a_frame_is_answered_then_memorized():
    shift = Shift()
    shift.frames(2)
    first, second = START_NS + STEP_NS, START_NS + 2 * STEP_NS
    assert shift.tracker.calls == [
        ("track", first),
        ("publish", first),
        ("memorize", None),
        ("track", second),
        ("publish", second),
        ("memorize", None),
    ]


def test_the_answer_says_what_is_known():
    shift = Shift(named=False)
    request = TargetRequest(box=BOX, id="boat", class_id="vessel")
    shift.worker.begin(request, offered(START_NS, 1))
    shift.frame(START_NS + STEP_NS, 4)
    (answer,) = shift.answers
    assert (answer.target_id, answer.class_id, answer.gap, answer.state) == ("boat", "vessel", 2, State.TRACKING)
    assert (answer.message.stamp_ns, answer.stamp_ns) == (START_NS + STEP_NS,) * 2
    assert answer.result == Result(box=BOX, score=0.9)


def test_gap_counts_what_was_lost_before_us_and_what_was_dropped():
    shift = Shift()
    shift.frame(START_NS + STEP_NS, 2)
    shift.frame(START_NS + 2 * STEP_NS, 3, broken=True)
    shift.frame(START_NS + 3 * STEP_NS, 4)
    shift.worker.pause(True)
    shift.frame(START_NS + 4 * STEP_NS, 5)
    shift.worker.pause(False)
    shift.frame(START_NS + 8 * STEP_NS, 9)
    assert [frame.gap for frame in shift.tracker.frames] == [0, 1, 4]
    assert shift.counts == {"tracked": 3, "bad_image": 1, "paused": 1}


def test_without_a_target_nothing_is_tracked():
    shift = Shift(named=False)
    shift.frames(2)
    assert (shift.counts, shift.tracker.calls, shift.answers) == ({"tracked": 0, "no_target": 2}, [], [])
    assert shift.worker.status.state is State.NO_TARGET


def test_clearing_ends_it():
    shift = Shift()
    shift.frames(1)
    assert shift.worker.status.target_id == "target-1"
    assert shift.worker.clear() is State.NO_TARGET
    shift.frame(START_NS + 5 * STEP_NS, 6)
    assert shift.counts == {"tracked": 1, "no_target": 1}
    assert shift.worker.status.target_id == ""


def test_pausing_keeps_the_target():
    shift = Shift()
    assert shift.worker.pause(True) is State.PAUSED
    shift.frames(2)
    assert shift.worker.status.target_id == "target-1"
    assert shift.worker.pause(False) is State.TRACKING
    shift.frame(START_NS + 5 * STEP_NS, 6)
    assert shift.counts == {"tracked": 1, "paused": 2}


def test_the_frame_of_set_target_is_not_tracked_again_nor_one_before_it():
    shift = Shift(named=False)
    shift.worker.begin(REQUEST, offered(START_NS, 5))
    shift.frame(START_NS - STEP_NS, 4)
    shift.frame(START_NS, 5)
    shift.frame(START_NS + STEP_NS, 6)
    assert shift.counts == {"tracked": 1, "duplicate": 2}
    assert shift.tracker.frames[0].gap == 0


def test_a_target_named_on_an_older_frame_knows_what_it_missed():
    shift = Shift(named=False)
    shift.frames(4)
    answer = shift.worker.begin(REQUEST, offered(START_NS + STEP_NS, 2))
    shift.frame(START_NS + 6 * STEP_NS, 7)
    assert (answer.stamp_used_ns, answer.frames_replayed) == (START_NS + STEP_NS, 0)
    assert shift.tracker.frames[0].gap == 4


def test_the_answer_to_the_operator():
    shift = Shift(named=False)
    shift.now_ns = START_NS + 250 * MS
    message = offered(START_NS, 1)
    answer = shift.worker.begin(REQUEST, message)
    assert (answer.code, answer.success, answer.id, answer.class_id) == (Code.OK, True, "target-1", "object")
    assert answer.age_s == pytest.approx(0.25)
    assert answer.image is message.message
    assert answer.result == Result(box=BOX, score=1.0)
    assert shift.worker.begin(REQUEST, offered(START_NS, 1)).id == "target-2"


def test_bad_stamps_are_dropped_by_reason():
    shift = Shift(EngineConfig(max_age_ms=100))
    shift.frame(START_NS + 10 * STEP_NS, 11)
    shift.frame(START_NS + 10 * STEP_NS, 12)
    shift.frame(START_NS + 9 * STEP_NS, 13)
    shift.frame(START_NS + 11 * STEP_NS, 14, late_ns=150 * MS)
    assert shift.counts == {"tracked": 1, "duplicate": 1, "out_of_order": 1, "too_old": 1}


def test_a_looping_bag_goes_on_with_rising_time():
    shift = Shift()
    shift.frame(START_NS + 5000 * MS, 2)
    shift.frame(START_NS + 5033 * MS, 3)
    shift.frame(START_NS + 10 * MS, 4)
    shift.frame(START_NS + 43 * MS, 5)
    stamps = [frame.stamp_ns - START_NS for frame in shift.tracker.frames]
    assert stamps == [5000 * MS, 5033 * MS, 5066 * MS, 5099 * MS]
    assert [answer.stamp_ns - START_NS for answer in shift.answers][2:] == [10 * MS, 43 * MS]
    assert shift.counts == {"tracked": 4}


def test_a_clock_that_was_set_forward_is_one_step_to_the_tracker():
    shift = Shift()
    shift.frames(2)
    hour_ns = 3_600_000 * MS
    shift.frame(START_NS + 3 * STEP_NS + hour_ns, 4, late_ns=-hour_ns)
    shift.frame(START_NS + 4 * STEP_NS + hour_ns, 5, late_ns=-hour_ns)
    assert [frame.stamp_ns - START_NS for frame in shift.tracker.frames] == [n * STEP_NS for n in (1, 2, 3, 4)]


def test_a_camera_that_was_silent_is_not_taken_for_a_jump():
    shift = Shift()
    shift.frames(2)
    shift.frame(START_NS + 3_600_000 * MS, 4)
    assert shift.tracker.frames[-1].stamp_ns == START_NS + 3_600_000 * MS


def test_the_state_follows_the_scores_in_time():
    shift = Shift(EngineConfig(state=StateConfig(lost_score=0.2, lost_after_ms=60)))
    shift.tracker.score = 0.1
    shift.frames(3)
    assert [answer.state for answer in shift.answers] == [State.UNCERTAIN, State.UNCERTAIN, State.LOST]
    found = shift.snapshot()
    assert (found.state, found.score, found.seen_s) == (State.LOST, 0.1, pytest.approx(3 * STEP_NS / 1e9))


def test_live_settings_reach_policy_and_state():
    shift = Shift()
    config = EngineConfig(max_age_ms=100, state=StateConfig(tracking_score=0.99, uncertain_score=0.95))
    shift.worker.reconfigure(config, "the tracker's")
    assert shift.tracker.calls == [("reconfigure", "the tracker's")]
    shift.frame(START_NS + STEP_NS, 2)
    shift.frame(START_NS + 2 * STEP_NS, 3, late_ns=150 * MS)
    assert [answer.state for answer in shift.answers] == [State.UNCERTAIN]
    assert shift.counts == {"tracked": 1, "too_old": 1}


def test_an_empty_mask_is_an_answer(monkeypatch):
    shift = Shift()
    monkeypatch.setattr(shift.tracker, "track", lambda frame: Result(box=BOX, score=0.0, mask=MASK))
    shift.frames(1)
    assert shift.answers[0].result.mask is MASK


def test_after_a_pause_the_target_is_confirmed_not_lost():
    shift = Shift()
    shift.frames(10)
    shift.worker.pause(True)
    shift.now_ns += 5000 * MS
    assert shift.worker.pause(False) is State.UNCERTAIN
    assert shift.snapshot().message == ""
    shift.frames(12, first=170)
    assert [answer.state.name[0] for answer in shift.answers[10:]] == list("UUUUUUUUUUTT")


def test_a_target_that_the_clock_has_lost_is_lost_after_a_pause_too():
    shift = Shift()
    shift.frames(20)
    shift.now_ns += 30_000 * MS
    shift.worker.pause(True)
    shift.now_ns += 1000 * MS
    assert shift.worker.pause(False) is State.LOST


def test_the_size_of_the_image_is_known_without_a_target():
    shift = Shift(named=False)
    shift.frames(1)
    assert shift.snapshot().image_size == (80, 60)
    shift.frames(1, first=3, broken=True, size=(1, 1))
    assert shift.snapshot().image_size == (80, 60)


def test_stamps_that_come_to_be_of_no_use_make_no_step_of_time():
    """A camera whose clock is five seconds behind, and stands still in flight."""
    shift = Shift()
    for n in range(2, 30):
        stamp_ns = START_NS + min(n, 12) * STEP_NS
        shift.stats.arrived(0)
        shift.now_ns = START_NS + n * STEP_NS + 5000 * MS
        shift.worker.handle(offered(stamp_ns, n, late_ns=shift.now_ns - stamp_ns))
    steps = [b.stamp_ns - a.stamp_ns for a, b in pairwise(shift.tracker.frames)]
    assert max(steps) <= 2 * STEP_NS
    assert len(shift.tracker.frames) >= 20


def test_the_age_of_the_image_that_a_target_was_named_on_does_without_the_difference_of_the_clocks():
    shift, camera_ns = Shift(named=False), 10**18
    for n in range(1, 5):
        shift.frame(START_NS + n * STEP_NS, n, late_ns=camera_ns)
    shift.now_ns += 500 * MS
    answer = shift.worker.begin(REQUEST, offered(START_NS + 4 * STEP_NS, 4, late_ns=camera_ns))
    assert answer.age_s == pytest.approx(0.5)


def test_after_a_new_beginning_stamps_that_were_of_no_use_are_judged_anew():
    shift = Shift()
    shift.stats.arrived(0)
    shift.worker.handle(offered(0, 2, late_ns=START_NS + STEP_NS))
    assert shift.worker.stamp_trouble == "are 0"
    shift.worker.activate(False)
    shift.worker.activate(True)
    assert shift.worker.stamp_trouble == ""


def test_what_nobody_answers_falls_by_the_clock():
    shift = Shift()
    shift.frames(3)
    assert [shift.snapshot(ms).state.name for ms in (0, 399, 400, 799, 800, 10**6)] == (
        ["TRACKING", "TRACKING", "UNCERTAIN", "UNCERTAIN", "LOST", "LOST"]
    )
    assert shift.snapshot(399).message == ""
    found = shift.snapshot(1000)
    assert (found.message, found.score, found.seen_s) == ("nothing answered for 1.0 s: no image has come", 0.0, 1.0)
    shift.worker.pause(True)
    assert shift.snapshot(1000).state is State.PAUSED


def test_dropping_everything_is_silence_and_says_which_reason():
    shift = Shift(EngineConfig(max_age_ms=50))
    shift.frames(2)
    shift.frames(30, first=4, late_ns=100 * MS)
    found = shift.snapshot()
    assert found.state is State.LOST
    assert "all 30 images since then were dropped as too_old" in found.message


def test_a_picture_that_stands_still_is_uncertain_until_it_moves():
    config = EngineConfig(state=StateConfig(frozen_after_ms=300))
    shift = Shift(config, same_picture=lambda one, other: one.size == other.size)
    shift.frames(90)
    assert [answer.state.name[0] for answer in shift.answers] == list("T" * 10 + "U" * 80)
    assert shift.snapshot().message == "the picture stands still, for 2.9 s"
    for n in range(100, 112):
        shift.frame(START_NS + n * STEP_NS, n, size=(80 + 80 * (n % 2), 60 + 60 * (n % 2)))
    assert [answer.state.name[0] for answer in shift.answers[90:]] == list("UUUUUUUUUUUT")
    assert shift.snapshot().message == ""


def test_an_uncertain_answer_says_why():
    shift = Shift()
    shift.tracker.more["doubt"] = "there were two"
    said = []
    for score, frames in ((0.9, 10), (0.6, 30), (0.9, 30)):
        shift.tracker.score = score
        shift.frames(frames, first=2 + len(shift.answers))
        said.append((shift.answers[-1].state.name, shift.snapshot().message))
    assert said == [("TRACKING", ""), ("UNCERTAIN", "there were two"), ("TRACKING", "")]


def test_what_is_wrong_with_the_picture_is_said_before_a_doubt():
    shift = Shift(EngineConfig(state=StateConfig(frozen_after_ms=300)), same_picture=lambda one, other: True)
    shift.tracker.more["doubt"] = "there were two"
    shift.frames(90)
    assert shift.snapshot().message == "the picture stands still, for 2.9 s"


def test_what_nobody_compared_did_not_stand_still():
    """The same bytes before a pause of ten seconds and after it."""
    shift = Shift(EngineConfig(state=StateConfig(frozen_after_ms=300)), same_picture=lambda one, other: True)
    shift.frames(3)
    shift.worker.pause(True)
    shift.frames(300, first=5)
    shift.worker.pause(False)
    shift.frames(3, first=305)
    assert "stands still" not in shift.snapshot().message


def test_the_tracker_has_one_clock_from_the_first_frame_on():
    """A camera whose stamps stand still: the time of arrival is what counts, for the named frame too."""
    shift = Shift(named=False)
    for n in range(2, 30):
        shift.stats.arrived(0)
        shift.worker.handle(offered(0, n, late_ns=START_NS + n * STEP_NS))
    assert shift.worker.begin(REQUEST, offered(0, 29, late_ns=START_NS + 29 * STEP_NS)).success
    shift.worker.handle(offered(0, 30, late_ns=START_NS + 30 * STEP_NS))
    assert shift.tracker.first is not None
    assert shift.tracker.frames[-1].stamp_ns - shift.tracker.first.stamp_ns == STEP_NS


def test_zero_lets_the_picture_stand_still():
    shift = Shift(EngineConfig(state=StateConfig(frozen_after_ms=0)), same_picture=lambda one, other: True)
    shift.frames(90)
    assert {answer.state for answer in shift.answers} == {State.TRACKING}


def test_another_size_of_the_same_aspect_scales_the_box():
    shift = Shift()
    shift.frames(2)
    shift.frames(2, first=4, size=(160, 120))
    assert [answer.place.box for answer in shift.answers] == [BOX] * 2 + [Box(*(2 * value for value in BOX))] * 2
    assert {answer.state for answer in shift.answers} == {State.TRACKING}
    assert shift.tracker.frames[-1].bgr().shape == (60, 80, 3)
    assert shift.snapshot().image_size == (160, 120)


def test_another_aspect_is_lost_at_once_and_comes_back_with_the_old_one():
    shift = Shift()
    shift.frames(2)
    shift.frames(1, first=4, size=(80, 80))
    assert (shift.answers[-1].state, shift.answers[-1].place) == (State.LOST, None)
    message = shift.snapshot().message
    assert "80 x 80 px" in message
    assert "80 x 60 px" in message
    shift.frames(12, first=5)
    assert [answer.state.name[0] for answer in shift.answers[3:]] == list("LLLLLLLLTTTT")


def test_boxes_are_cut_at_the_image_and_none_goes_out_beyond_it():
    shift = Shift()
    for n, box in enumerate([Box(-5, 10, 20, 16), Box(70, 50, 20, 20), Box(81, 10, 20, 16), Box(10, -16, 20, 16)]):
        shift.tracker.box = box
        shift.frames(1, first=2 + n)
    places = [None if answer.place is None else answer.place.box for answer in shift.answers]
    assert places == [Box(0, 10, 15, 16), Box(70, 50, 10, 10), None, None]
    assert [answer.state.name[0] for answer in shift.answers] == list("TTUU")
    assert shift.answers[2].result.box == Box(81, 10, 20, 16), "the raw box stays as it was"


def test_a_turned_box_beyond_the_image_becomes_the_upright_one(monkeypatch):
    shift = Shift()
    inside, beyond = RotatedBox(20, 20, 20, 16, 0.5), RotatedBox(5, 20, 20, 16, 0.5)
    for n, rotated in enumerate([inside, beyond]):
        result = Result(box=BOX, score=0.9, mask=MASK, rotated=rotated)
        monkeypatch.setattr(shift.tracker, "track", lambda frame, result=result: result)
        shift.frames(1, first=2 + n)
    assert [answer.place.rotated for answer in shift.answers] == [inside, None]


def test_an_answer_knows_its_age_and_for_how_long_the_target_was_not_seen() -> None:
    shift = Shift()
    shift.frames(5)
    shift.tracker.score = 0.1
    shift.frame(START_NS + 6 * STEP_NS, 7, late_ns=20 * MS)
    assert [answer.unseen_ns for answer in shift.answers] == [0] * 5 + [STEP_NS]
    assert shift.answers[-1].age_ns == shift.snapshot().answer_age_s * 1e9 == 20 * MS


def test_what_is_not_tracked_is_shown_with_the_state():
    shift = Shift(named=False)
    shift.frame(START_NS, 1)
    assert shift.worker.begin(REQUEST, offered(START_NS, 1)).success
    shift.frame(START_NS + STEP_NS, 2)
    shift.worker.pause(True)
    shift.frame(START_NS + 2 * STEP_NS, 3)
    shift.worker.pause(False)
    shift.worker.clear()
    shift.frame(START_NS + 3 * STEP_NS, 4)
    states = [(stamp_ns, state) for stamp_ns, _, state in shift.shown]
    no_target, paused = State.NO_TARGET, State.PAUSED
    assert states == [
        (START_NS, no_target),
        (START_NS + 2 * STEP_NS, paused),
        (START_NS + 3 * STEP_NS, no_target),
    ]
    assert len(shift.answers) == 1
