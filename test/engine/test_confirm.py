"""What an operator is answered who confirms a candidate, and what becomes of the target."""

from __future__ import annotations

from typing import Any

import pytest
from engine_bench import BOX, GUARD_S, MS, STEP_NS, Bench, Gate, Message, convert, wait_until
from worker_shift import START_NS, Shift, raising

from stm_tracker_ros.core.errors import DeviceError
from stm_tracker_ros.core.types import Box, Candidate, Frame, Lead, Result
from stm_tracker_ros.engine.candidates import Candidates, Confirmation, NamedCandidate
from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.engine.target_state import State

pytestmark = pytest.mark.pure

THERE = Box(50, 30, 20, 16)
LONG, SHORT = 15, 14  # nominal frames: half a second, and a frame less


def lead(frames: int = LONG, box: Box = THERE, score: float = 0.75) -> Lead:
    return Lead(box, score, frames, 3)


def away(one: Lead | None, **more: Any) -> dict[str, Any]:
    return {"found": False, "lead": one, **more}


def lost(one: Lead | None = None, config: EngineConfig | None = None, **more: Any) -> Shift:
    """A shift whose target is LOST for long, and whose last answers have that lead."""
    shift = Shift(config)
    shift.tracker.score, shift.tracker.more = 0.0, away(one, **more)
    shift.frames(30)
    assert shift.answers[-1].state is State.LOST
    shift.tracker.calls.clear()
    return shift


def test_the_lead_is_taken_up_with_the_same_id_and_found_by_the_usual_rules() -> None:
    shift = lost(lead())
    answer = shift.worker.confirm()
    assert (answer.code, answer.success, answer.target_id) == (Confirmation.OK, True, "target-1")
    assert answer.candidate == NamedCandidate(THERE, 0.75, "candidate-1")
    assert answer.message == "candidate-1 at (50, 30, 20, 16) is target-1 from now on"
    assert shift.tracker.calls == [("confirm", THERE)]
    assert shift.worker.status.state is State.LOST
    shift.tracker.score, shift.tracker.more, shift.tracker.box = 0.9, {}, THERE
    shift.frames(12, first=32)
    assert [one.state.name[0] for one in shift.answers[30:]] == list("LLLLLLLLTTTT")
    assert {one.target_id for one in shift.answers} == {"target-1"}
    assert shift.tracker.calls.count(("memorize", None)) == 12


@pytest.mark.parametrize(
    ("one", "code", "said"),
    [
        (None, Confirmation.NOTHING_FOUND, "nothing found so far that may be target-1; set_target takes a box"),
        (lead(SHORT), Confirmation.TOO_NEW, "candidate-1 has been the same for 0.47 s; needed are 0.5 s"),
        (lead(0), Confirmation.TOO_NEW, "candidate-1 has been the same for 0.00 s"),
        (lead(box=Box(80, 30, 20, 16)), Confirmation.NOTHING_FOUND, "nothing found so far"),
    ],
)
def test_what_is_not_there_for_long_is_refused(one: Lead | None, code: Confirmation, said: str) -> None:
    shift = lost(one)
    answer = shift.worker.confirm()
    assert (answer.code, answer.success, answer.candidate) == (code, False, None)
    assert answer.message.startswith(said)
    assert shift.tracker.calls == []


def test_how_long_is_a_live_setting() -> None:
    shift = lost(lead(SHORT))
    shift.worker.reconfigure(EngineConfig(candidate_after_ms=SHORT * 1000 / 30), None)
    assert shift.worker.confirm().success


def test_an_image_that_cannot_show_the_target_is_named() -> None:
    shift = lost(None, trouble="the image is another one now")
    assert "the image is another one now" in shift.worker.confirm().message


def test_without_a_target_there_is_nothing_to_confirm() -> None:
    shift = Shift(named=False)
    answer = shift.worker.confirm()
    assert (answer.code, "set_target" in answer.message) == (Confirmation.NO_TARGET, True)
    shift = lost(lead())
    shift.worker.clear()
    assert shift.worker.confirm().code is Confirmation.NO_TARGET


def test_a_target_that_is_followed_is_not_confirmed() -> None:
    shift = Shift()
    shift.frames(2)
    answer = shift.worker.confirm()
    assert answer.code is Confirmation.FOLLOWED
    assert answer.message.startswith("target-1 is followed already, state TRACKING")


def test_a_pause_is_told_and_what_was_found_before_it_counts_no_more() -> None:
    shift = lost(lead())
    shift.worker.pause(True)
    assert shift.worker.confirm().code is Confirmation.PAUSED
    shift.worker.pause(False)
    assert shift.worker.confirm().code is Confirmation.NO_ANSWER
    shift.frames(1, first=32)
    assert shift.worker.confirm().success


def test_before_the_first_answer_and_right_after_a_confirm_the_next_image_is_waited_for() -> None:
    shift = Shift()
    assert shift.worker.confirm().code is Confirmation.NO_ANSWER
    shift = lost(lead())
    assert shift.worker.confirm().success
    answer = shift.worker.confirm()
    assert (answer.code, "wait for the next one" in answer.message) == (Confirmation.NO_ANSWER, True)


def test_after_a_silence_nobody_knows_where_the_candidate_is() -> None:
    shift = lost(lead())
    shift.now_ns += 399 * MS
    assert shift.worker.confirm().success
    shift = lost(lead())
    shift.now_ns += 1200 * MS
    answer = shift.worker.confirm()
    assert (answer.code, "nothing answered for 1.2 s" in answer.message) == (Confirmation.NO_ANSWER, True)
    assert shift.tracker.calls == []


def test_images_that_are_all_dropped_are_a_silence_too() -> None:
    shift = lost(lead())
    shift.frames(20, first=32, broken=True)
    assert shift.worker.confirm().code is Confirmation.NO_ANSWER


def test_a_stream_that_begins_again_is_confirmed_by_what_was_answered_since() -> None:
    shift = lost(lead())
    back_ns = 3_600_000 * MS
    shift.frame(START_NS + 31 * STEP_NS - back_ns, 32, late_ns=back_ns)
    shift.tracker.more = away(lead(SHORT))
    shift.frame(START_NS + 32 * STEP_NS - back_ns, 33, late_ns=back_ns)
    assert shift.worker.confirm().code is Confirmation.TOO_NEW
    shift.tracker.more = away(lead())
    shift.frame(START_NS + 33 * STEP_NS - back_ns, 34, late_ns=back_ns)
    assert shift.worker.confirm().success


def test_an_error_of_the_tracker_leaves_nothing_to_confirm() -> None:
    shift = lost(lead())
    shift.tracker.before["track"] = raising(ValueError("odd"))
    shift.frames(1, first=32)
    assert shift.worker.confirm().code is Confirmation.NO_ANSWER


def test_a_confirm_that_fails_is_told_counted_and_survived() -> None:
    shift = lost(lead())
    shift.tracker.before["confirm"] = raising(ValueError("odd"))
    answer = shift.worker.confirm()
    assert (answer.code, answer.message) == (Confirmation.INTERNAL, "ValueError: odd")
    assert shift.snapshot().errors == 1
    shift.frames(1, first=32)
    assert shift.answers[-1].target_id == "target-1"


def test_a_device_that_fails_in_it_ends_the_engine() -> None:
    shift = lost(lead())
    shift.tracker.before["confirm"] = raising(DeviceError("gone"))
    assert shift.worker.confirm().code is Confirmation.INTERNAL
    assert shift.worker.fault == "the device failed: gone"


def test_on_an_image_of_another_size_the_tracker_gets_its_own_pixels() -> None:
    shift = lost(lead())
    shift.frames(1, first=32, size=(160, 120))
    answer = shift.worker.confirm()
    assert answer.candidate is not None
    assert answer.candidate.box == Box(100, 60, 40, 32)
    assert shift.tracker.calls[-1] == ("confirm", THERE)


def test_candidates_are_the_lead_then_what_is_apart_of_it_inside_the_image() -> None:
    near, beside, beyond = Candidate(Box(52, 31, 20, 16), 0.5), Candidate(BOX, 0.25), Candidate(Box(-9, -9, 9, 9), 0.2)
    shift = lost(lead(box=Box(70, 30, 20, 16)), candidates=(Candidate(Box(71, 30, 20, 16), 0.6), near, beside, beyond))
    assert shift.answers[-1].candidates == (
        NamedCandidate(Box(70, 30, 10, 16), 0.75, "candidate-1"),
        NamedCandidate(near.box, 0.5, ""),
        NamedCandidate(BOX, 0.25, ""),
    )
    shift.tracker.more = {"candidates": (near,)}
    shift.frames(1, first=32)
    assert shift.answers[-1].candidates == ()


def test_a_lead_keeps_its_id_for_as_long_as_it_is_the_same() -> None:
    candidates, frame = Candidates(), Frame(image=convert(Message(), 0), stamp_ns=0)

    def ids(one: Lead | None) -> list[str]:
        return [shown.id for shown in candidates.of(Result(box=BOX, score=0.0, **away(one)), frame)]

    assert ids(lead(0)) == ["candidate-1"]
    assert ids(lead(0)) == ["candidate-1"], "it was not looked at in this frame"
    assert ids(lead(1, Box(10, 30, 20, 16))) == ["candidate-1"], "the camera moved"
    assert ids(lead(20)) == ids(lead(20)) == ["candidate-1"]
    assert ids(lead(0)) == ["candidate-2"], "its time begins anew"
    assert ids(lead(0, BOX)) == ["candidate-3"]
    assert ids(None) == []
    assert ids(lead(7)) == ["candidate-3"], "it was only out of sight"
    assert ids(lead(0, Box(2, 40, 20, 16))) == ["candidate-4"]


def test_the_engine_answers_from_its_own_thread() -> None:
    with Bench() as bench:
        bench.offer()
        assert bench.name_target().success
        bench.tracker.more, bench.tracker.score = away(lead()), 0.0
        bench.offer()
        bench.wait_memorized()
        bench.now_ns += STEP_NS
        assert bench.engine.confirm().result(GUARD_S).success
        assert bench.engine.confirm().result(GUARD_S).code is Confirmation.NO_ANSWER


def test_a_confirm_that_waits_too_long_is_given_up_and_does_nothing() -> None:
    with Bench(EngineConfig(set_target_timeout_ms=20)) as bench:
        bench.offer()
        wait_until(lambda: bench.name_target().success)  # this one may be late as well
        gate = bench.tracker.before["track"] = Gate()
        bench.tracker.more = away(lead())
        bench.offer()
        gate.wait_reached()
        answer = bench.engine.confirm().result(GUARD_S)
        assert (answer.code, "no answer within 20 ms" in answer.message) == (Confirmation.TIMEOUT, True)
        gate.open()
        bench.wait_memorized()
        bench.engine.submit(lambda: None).result(GUARD_S)
    assert "confirm" not in [name for name, _ in bench.tracker.calls]


def test_a_stopped_engine_says_so() -> None:
    bench = Bench()
    answer = bench.engine.confirm().result(GUARD_S)
    assert (answer.code, answer.message) == (Confirmation.INACTIVE, "the node is not active")
