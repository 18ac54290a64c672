"""The engine's work without its thread: frames are handed over one by one."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from engine_bench import BOX, MS, REQUEST, STEP_NS, Coded, FakeTracker, convert, offered

from stm_tracker_ros.core.errors import DeviceError, TargetError
from stm_tracker_ros.core.types import Box, Result, RotatedBox
from stm_tracker_ros.engine.config import EngineConfig, StateConfig
from stm_tracker_ros.engine.names import TargetNames
from stm_tracker_ros.engine.set_target import Code, TargetRequest
from stm_tracker_ros.engine.stats import Snapshot, Stats
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.engine.worker import Hooks, Worker

pytestmark = pytest.mark.pure

START_NS = 1000 * MS


class Shift:
    """A worker whose frames come by hand; named target on position 1 unless said otherwise."""

    def __init__(self, config: EngineConfig | None = None, *, named: bool = True, **hooks: Any) -> None:
        self.tracker, self.stats = FakeTracker(), Stats()
        self.answers: list[Any] = []
        self.faults: list[str] = []
        self.now_ns = START_NS
        given: dict[str, Any] = {
            "convert": convert,
            "publish": self.publish,
            "on_fault": self.faults.append,
            "clock_ns": lambda: self.now_ns,
            "steady_ns": lambda: self.now_ns,
            "is_device_error": lambda error: "CUDA" in str(error),
            "same_picture": lambda one, other: False,
            "names": TargetNames(),
        }
        self.worker: Worker[Any] = Worker(
            self.tracker, Hooks(**{**given, **hooks}), self.stats, config or EngineConfig()
        )
        self.worker.activate(True)
        if named:
            assert self.worker.begin(REQUEST, offered(START_NS, 1)).success
            self.tracker.calls.clear()

    def publish(self, answer: Any) -> None:
        self.tracker.calls.append(("publish", answer.stamp_ns))
        self.answers.append(answer)

    def frame(self, stamp_ns: int, position: int, *, late_ns: int = 0, **message: Any) -> None:
        self.stats.arrived(stamp_ns)
        self.now_ns = stamp_ns + late_ns
        self.worker.handle(offered(stamp_ns, position, late_ns=late_ns, **message))

    def frames(self, count: int, first: int = 2, **message: Any) -> None:
        for n in range(first, first + count):
            self.frame(START_NS + (n - 1) * STEP_NS, n, **message)

    def snapshot(self, later_ms: int = 0) -> Snapshot:
        now_ns = self.now_ns + later_ms * MS
        return self.stats.snapshot(
            self.worker.status,
            now_ns=now_ns,
            lost=(0, False),
            stamp_trouble="",
            image_size=self.worker.image_size,
            image_trouble=self.worker.image_trouble,
        )

    @property
    def counts(self) -> dict[str, int]:
        found = self.snapshot()
        assert found.waiting == 0
        return {"tracked": found.tracked} | {r.value: n for r, n in found.dropped.items() if n}


def raising(error: Exception) -> Any:
    def fail() -> None:
        raise error

    return fail


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


@pytest.mark.parametrize("name", ["track", "memorize"])
def test_a_tracker_that_raises_once_goes_on(name, caplog):
    shift = Shift()
    shift.tracker.before[name] = raising(ZeroDivisionError("by zero"))
    shift.frames(1)
    shift.tracker.before.clear()
    shift.frame(START_NS + 5 * STEP_NS, 6)
    assert len(shift.answers) == (1 if name == "track" else 2)
    assert shift.counts.get("tracker_error", 0) == (1 if name == "track" else 0)
    assert shift.faults == []
    assert "ZeroDivisionError: by zero" in caplog.text


def test_a_publisher_that_raises_leaves_the_frame_tracked_and_remembered():
    shift = Shift(EngineConfig(fault_after_ms=0), publish=lambda _: 1 / 0)
    shift.frames(3)
    assert (shift.counts, shift.faults) == ({"tracked": 3}, [])
    assert shift.tracker.calls[-1] == ("memorize", None)
    found = shift.snapshot()
    assert (found.errors, found.last_error) == (3, "after the answer: ZeroDivisionError: division by zero")


MASK = np.zeros((60, 80), np.uint8)


@pytest.mark.parametrize(
    "result",
    [
        Result(box=Box(0, 0, float("nan"), 1), score=0.5),
        Result(box=BOX, score=1.5),
        Result(box=BOX, score=0.5, mask=MASK.T),
        Result(box=BOX, score=0.5, mask=MASK > 0),
        Result(box=BOX, score=0.5, mask=MASK, rotated=RotatedBox(1, 2, 3, 4, float("nan"))),
    ],
)
def test_an_answer_that_is_none_is_an_error(result, monkeypatch):
    shift = Shift()
    monkeypatch.setattr(shift.tracker, "track", lambda frame: result)
    shift.frames(1)
    assert (shift.counts, shift.answers) == ({"tracked": 0, "tracker_error": 1}, [])


def test_an_empty_mask_is_an_answer(monkeypatch):
    shift = Shift()
    monkeypatch.setattr(shift.tracker, "track", lambda frame: Result(box=BOX, score=0.0, mask=MASK))
    shift.frames(1)
    assert shift.answers[0].result.mask is MASK


def test_errors_that_last_end_it_and_a_new_beginning_goes_on_with_the_target():
    shift = Shift(EngineConfig(fault_after_ms=60))
    shift.tracker.before["track"] = raising(ZeroDivisionError("by zero"))
    shift.frames(5)
    assert len(shift.faults) == 1
    assert "nothing but errors for 0.1 s, the last: tracker_error: ZeroDivisionError: by zero" in shift.faults[0]
    assert shift.counts == {"tracked": 0, "tracker_error": 3, "fault": 2}
    assert (shift.worker.status.state, shift.worker.status.message) == (State.FAULT, shift.faults[0])
    shift.worker.activate(False)
    assert shift.worker.status.message == shift.faults[0]
    shift.tracker.before.clear()
    shift.now_ns += 5000 * MS
    assert shift.worker.activate(True) is State.LOST, "nobody has looked at the target for five seconds"
    shift.frames(12, first=200)
    assert [answer.state.name[0] for answer in shift.answers] == list("LLLLLLLLTTTT")
    assert {answer.target_id for answer in shift.answers} == {"target-1"}
    assert shift.worker.status.message == ""


@pytest.mark.parametrize("between", ["bad images", "a pause", "a new target"])
def test_two_errors_long_apart_are_no_fault(between):
    shift = Shift(EngineConfig(fault_after_ms=0))
    shift.tracker.before["track"] = raising(ValueError("odd"))
    for n in range(4):
        shift.frames(2, first=10 * n + 2)
        if between == "bad images":
            shift.frames(1, first=10 * n + 4, broken=True)
        elif between == "a pause":
            shift.worker.pause(True)
            shift.worker.pause(False)
        else:
            assert shift.worker.begin(REQUEST, offered(START_NS + 10 * n * STEP_NS, 10 * n + 4)).success
    assert shift.faults == []


def test_after_a_pause_the_target_is_confirmed_not_lost():
    shift = Shift()
    shift.frames(10)
    shift.worker.pause(True)
    shift.now_ns += 5000 * MS
    assert shift.worker.pause(False) is State.UNCERTAIN
    assert shift.snapshot().message == ""
    shift.frames(12, first=170)
    assert [answer.state.name[0] for answer in shift.answers[10:]] == list("UUUUUUUUUUTT")


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


def test_errors_with_successes_between_them_end_nothing():
    shift = Shift(EngineConfig(fault_after_ms=0.001))
    for n in range(2, 20):
        shift.tracker.before = {"track": raising(ValueError("odd"))} if n % 2 else {}
        shift.frame(START_NS + n * STEP_NS, n)
    assert (shift.counts, shift.faults) == ({"tracked": 9, "tracker_error": 9}, [])


def test_bad_images_end_nothing_and_keep_the_target():
    shift = Shift(EngineConfig(fault_after_ms=0))
    shift.frames(60, broken=True)
    assert (shift.counts, shift.faults) == ({"tracked": 0, "bad_image": 60}, [])
    found = shift.snapshot()
    assert (found.state, found.errors, found.score) == (State.LOST, 60, 0.0)
    assert "all 60 images since then were dropped as bad_image: the last: bad_image: encoding 'odd'" in found.message
    shift.frames(10, first=62)
    assert [answer.state.name[0] for answer in shift.answers] == list("LLLLLLLLTT")
    assert shift.answers[0].target_id == "target-1"


@pytest.mark.parametrize("paused", [False, True])
def test_a_bad_image_is_told_without_a_target_and_while_paused_until_a_good_one_comes(paused):
    shift = Shift(named=False)
    shift.worker.pause(paused)
    shift.frame(START_NS, 1, broken=True)
    assert shift.snapshot().image_trouble == "encoding 'odd' is unknown"
    assert shift.counts == {"tracked": 0, "bad_image": 1}
    shift.frame(START_NS + STEP_NS, 2)
    assert shift.snapshot().image_trouble == ""
    assert shift.counts == {"tracked": 0, "bad_image": 1, "paused" if paused else "no_target": 1}


def test_what_cannot_be_decoded_is_the_cameras_error_and_not_the_trackers():
    shift = Shift(EngineConfig(fault_after_ms=0.001), convert=lambda message, _: Coded(message.broken))
    shift.frames(9, broken=True)
    assert (shift.counts, shift.faults) == ({"tracked": 0, "bad_image": 9}, [])
    refused = shift.worker.begin(REQUEST, offered(shift.now_ns, 20, broken=True))
    assert (refused.code, refused.message) == (Code.NO_IMAGE, "it cannot be decoded")


def test_half_a_second_of_bad_images_is_over_in_half_a_second():
    shift = Shift()
    shift.frames(15, broken=True)
    shift.frames(11, first=17)
    assert [answer.state.name[0] for answer in shift.answers] == list("UUUUUUUUUUT")


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


@pytest.mark.parametrize("error", [DeviceError("no memory left"), RuntimeError("CUDA error 2")])
def test_a_device_that_fails_ends_it_at_once(error):
    shift = Shift()
    shift.tracker.before["track"] = raising(error)
    shift.frames(1)
    assert shift.faults == [f"the device failed: {error}"]


def test_a_failing_on_fault_does_not_kill_the_thread(caplog):
    shift = Shift(EngineConfig(fault_after_ms=0), on_fault=lambda _: 1 / 0)
    shift.tracker.before["track"] = raising(ValueError("odd"))
    with caplog.at_level(logging.ERROR):
        shift.frames(4)
    assert shift.worker.status.state is State.FAULT
    assert "on_fault failed" in caplog.text


@pytest.mark.parametrize(
    ("error", "state"),
    [(TargetError("has no texture"), State.TRACKING), (ValueError("odd"), State.NO_TARGET)],
)
def test_an_init_that_fails_is_answered(error, state):
    """A tracker's own refusal leaves the old target; after any other error its state is unknown."""
    shift = Shift()
    shift.tracker.before["init"] = raising(error)
    answer = shift.worker.begin(REQUEST, offered(START_NS, 2))
    assert (answer.code, answer.message) == (Code.INTERNAL, str(error))
    assert shift.worker.status.state is state


def test_an_init_without_device_memory_is_a_fault():
    shift = Shift()
    shift.tracker.before["init"] = raising(RuntimeError("CUDA out of memory"))
    assert shift.worker.begin(REQUEST, offered(START_NS, 2)).code is Code.INTERNAL
    assert shift.worker.status.state is State.FAULT


def test_a_refusal_and_an_unusable_image_leave_the_old_target():
    shift = Shift()
    outside = TargetRequest(box=Box(500, 500, 9, 9))
    assert shift.worker.begin(outside, offered(START_NS, 2)).code is Code.OUTSIDE_IMAGE
    answer = shift.worker.begin(REQUEST, offered(START_NS, 2, broken=True))
    assert (answer.code, answer.message) == (Code.NO_IMAGE, "encoding 'odd' is unknown")
    assert shift.worker.status.target_id == "target-1"
    shift.frames(1)
    assert shift.counts == {"tracked": 1}


def test_an_answer_knows_its_age_and_for_how_long_the_target_was_not_seen() -> None:
    shift = Shift()
    shift.frames(5)
    shift.tracker.score = 0.1
    shift.frame(START_NS + 6 * STEP_NS, 7, late_ns=20 * MS)
    assert [answer.unseen_ns for answer in shift.answers] == [0] * 5 + [STEP_NS]
    assert shift.answers[-1].age_ns == shift.snapshot().answer_age_s * 1e9 == 20 * MS
