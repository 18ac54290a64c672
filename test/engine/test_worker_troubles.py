"""Trackers, images, publishers and devices that fail, and what the engine's work makes of it."""

from __future__ import annotations

import logging

import pytest
from engine_bench import BOX, MS, REQUEST, STEP_NS, Coded, offered
from worker_shift import MASK, START_NS, Shift, raising

from stm_tracker_ros.core.errors import DeviceError, TargetError
from stm_tracker_ros.core.types import Box, Lead, Result, RotatedBox
from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.engine.set_target import Code, TargetRequest
from stm_tracker_ros.engine.target_state import State

pytestmark = pytest.mark.pure


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


def test_a_picture_that_cannot_be_shown_is_an_error_and_no_fault():
    shift = Shift(EngineConfig(fault_after_ms=0), named=False, show=lambda *_: 1 / 0)
    shift.frames(3)
    assert (shift.counts, shift.faults) == ({"tracked": 0, "no_target": 3}, [])
    found = shift.snapshot()
    assert (found.errors, found.last_error) == (3, "no_target: ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    "result",
    [
        Result(box=Box(0, 0, float("nan"), 1), score=0.5),
        Result(box=BOX, score=1.5),
        Result(box=BOX, score=0.5, lead=Lead(Box(0, 0, float("inf"), 1), 0.5, 1, 1)),
        Result(box=BOX, score=0.5, lead=Lead(BOX, 1.5, 1, 1)),
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
