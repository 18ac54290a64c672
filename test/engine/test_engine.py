"""The engine with its thread: nothing here sleeps, waits end with an event or fail after a long time."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import numpy as np
import pytest
from engine_bench import BOX, GUARD_S, MS, REQUEST, STEP_NS, Bench, Gate, Message, wait_until

from stm_tracker_ros.core.types import Box
from stm_tracker_ros.engine.config import EngineConfig, HistoryConfig
from stm_tracker_ros.engine.drop_policy import DropReason
from stm_tracker_ros.engine.set_target import Code, TargetRequest
from stm_tracker_ros.engine.target_state import State

pytestmark = pytest.mark.pure


def dropped(bench: Bench) -> dict[str, int]:
    return {reason.value: count for reason, count in bench.engine.snapshot().dropped.items() if count}


def is_closed(bench: Bench) -> bool:
    bench.offer()
    return "inactive" in dropped(bench)


def test_frames_are_tracked_in_the_engine_thread_and_published_with_their_message():
    with Bench() as bench:
        threads: set[str] = set()
        bench.tracker.before["track"] = lambda: threads.add(threading.current_thread().name)
        bench.offer()
        assert bench.name_target().success
        stamps = []
        for _ in range(3):
            stamps.append(bench.offer())
            bench.wait_memorized()
    assert [answer.message.stamp_ns for answer in bench.answers] == stamps
    assert threads == {"engine"}


def test_a_target_can_be_named_with_no_camera_running():
    with Bench() as bench:
        stamp = bench.offer()
        bench.now_ns += 3600 * 1000 * MS
        answer = bench.name_target()
        assert (answer.success, answer.stamp_used_ns, answer.age_s) == (True, stamp, 3600)
        assert answer.result is not None
        assert answer.result.box == BOX
        found = bench.engine.snapshot()
        assert (found.state, found.target_id, found.image_stamp_ns) == (State.TRACKING, "target-1", stamp)


def test_a_target_is_named_on_the_image_that_the_operator_saw():
    config = EngineConfig(history=HistoryConfig(tolerance_ms=5))
    with Bench(config) as bench:
        stamps = [bench.offer() for _ in range(5)]
        assert bench.name_target(TargetRequest(box=BOX, stamp_ns=stamps[1])).stamp_used_ns == stamps[1]
        assert bench.name_target(TargetRequest(box=BOX, stamp_ns=stamps[2] + 4 * MS)).stamp_used_ns == stamps[2]
        refused = bench.name_target(TargetRequest(box=BOX, stamp_ns=stamps[0] - STEP_NS))
        assert (refused.code, "among the last 5" in refused.message) == (Code.STAMP_TOO_OLD, True)


def test_refusals_that_need_no_image_come_at_once():
    with Bench() as bench:
        for request, code in (
            (REQUEST, Code.NO_IMAGE),
            (TargetRequest(), Code.BOX_OR_MASK),
            (TargetRequest(box=Box(0, 0, float("nan"), 9)), Code.NOT_FINITE),
        ):
            future = bench.engine.set_target(request)
            assert future.done()
            assert future.result().code is code


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (TargetRequest(box=Box(80, 5, 9, 9)), Code.OUTSIDE_IMAGE),
        (TargetRequest(box=Box(5, 5, 9, 2)), Code.TOO_SMALL),
        (TargetRequest(mask=np.ones((3, 3), np.uint8)), Code.MASK_SIZE),
    ],
)
def test_refusals_that_need_the_image(target, code):
    with Bench() as bench:
        bench.offer()
        assert bench.name_target(target).code is code
        assert bench.tracker.calls == []


def test_a_mask_names_a_target():
    drawn = np.zeros((60, 80), np.uint8)
    drawn[10:20, 30:50] = 1
    with Bench() as bench:
        bench.offer()
        assert bench.name_target(TargetRequest(mask=drawn)).success
    (_, target), *_ = bench.tracker.calls
    assert target.mask is drawn


def test_inactive_before_start_and_after_stop():
    bench = Bench()
    bench.offer()
    assert bench.name_target().code is Code.INACTIVE
    with bench:
        assert bench.engine.snapshot().state is State.NO_TARGET
    assert bench.name_target().code is Code.INACTIVE
    bench.offer()
    assert (dropped(bench), bench.engine.snapshot().state) == ({"inactive": 1}, State.INACTIVE)


def test_images_are_received_while_a_slow_init_runs_and_commands_wait_their_turn():
    with Bench() as bench:
        gate = bench.tracker.before["init"] = Gate()
        bench.offer()
        bench.drain()
        future = bench.engine.set_target(REQUEST)
        gate.wait_reached()
        stamps = [bench.offer() for _ in range(5)]
        pausing = bench.engine.pause(True)
        found = bench.engine.snapshot()
        assert (found.received, found.waiting, found.dropped[DropReason.SUPERSEDED]) == (6, 1, 4)
        assert not future.done()
        gate.open()
        assert future.result(GUARD_S).success
        assert pausing.result(GUARD_S) is State.PAUSED
        assert bench.engine.pause(False).result(GUARD_S) is State.TRACKING
        newest = bench.offer()
        bench.wait_memorized()
    assert newest > stamps[-1]
    assert [answer.stamp_ns for answer in bench.answers] == [newest]


def test_a_waiting_command_comes_before_the_next_frame():
    with Bench() as bench:
        bench.offer()
        bench.name_target()
        gate = bench.tracker.before["track"] = Gate()
        bench.offer()
        gate.wait_reached()
        bench.offer()
        clearing = bench.engine.clear_target()
        gate.open()
        assert clearing.result(GUARD_S) is State.NO_TARGET
        bench.drain()
        assert bench.engine.snapshot().tracked == 0
    assert bench.answers == []


def test_an_init_that_takes_too_long_is_answered_in_time_and_undone():
    with Bench(EngineConfig(set_target_timeout_ms=20)) as bench:
        gate = bench.tracker.before["init"] = Gate()
        bench.offer()
        answer = bench.name_target()
        gate.open()
        assert (answer.code, "20 ms" in answer.message) == (Code.TIMEOUT, True)
        assert bench.engine.submit(lambda: None).result(GUARD_S) is None
        assert bench.engine.snapshot().state is State.NO_TARGET


def test_a_request_that_timed_out_while_waiting_is_not_begun():
    with Bench(EngineConfig(set_target_timeout_ms=20)) as bench:
        gate = Gate()
        bench.engine.submit(gate)
        gate.wait_reached()
        bench.offer()
        assert bench.name_target().code is Code.TIMEOUT
        gate.open()
        bench.engine.submit(lambda: None).result(GUARD_S)
        assert bench.tracker.calls == []


def test_a_cancelled_request_is_not_begun():
    with Bench() as bench:
        gate = Gate()
        bench.engine.submit(gate)
        bench.offer()
        assert bench.engine.set_target(REQUEST).cancel()
        gate.open()
        bench.engine.submit(lambda: None).result(GUARD_S)
        assert bench.tracker.calls == []


def test_the_done_callback_runs_when_the_answer_is_there():
    called = threading.Event()
    codes = []

    def wake(future: Future) -> None:
        codes.append(future.result().code)
        called.set()

    with Bench() as bench:
        bench.offer()
        bench.engine.set_target(REQUEST).add_done_callback(wake)
        assert called.wait(GUARD_S)
    assert codes == [Code.OK]


def test_stopping_refuses_waiting_requests_drops_waiting_frames_and_forgets():
    bench = Bench()
    bench.engine.start()
    gate = Gate()
    bench.engine.submit(gate)
    gate.wait_reached()
    bench.offer()
    future = bench.engine.set_target(REQUEST)
    clearing = bench.engine.clear_target()
    stopper = threading.Thread(target=bench.engine.stop)
    stopper.start()
    gate.open()
    stopper.join(GUARD_S)
    assert future.result(GUARD_S).code is Code.INACTIVE
    assert clearing.result(GUARD_S) is State.INACTIVE
    assert dropped(bench) == {"inactive": 1}
    bench.engine.start()
    assert bench.name_target().code is Code.NO_IMAGE
    bench.engine.stop()


def test_start_and_stop_twice_do_nothing_more():
    bench = Bench()
    for _ in range(2):
        bench.engine.start()
        bench.engine.start()
        bench.offer()
        assert bench.name_target().success
        bench.engine.stop()
        bench.engine.stop()
    assert all(thread.name != "engine" for thread in threading.enumerate())


def test_the_engine_thread_cannot_stop_itself():
    with Bench() as bench, pytest.raises(RuntimeError, match="in the engine thread"):
        bench.engine.submit(bench.engine.stop).result(GUARD_S)


def test_a_command_given_by_the_engine_thread_while_it_ends_does_not_block():
    """A publisher that clears the target while the node deactivates."""
    bench = Bench()
    bench.engine.start()
    gate = Gate()
    states = []

    def publish_late() -> None:
        gate()
        states.append(bench.engine.clear_target().result(GUARD_S))

    bench.engine.submit(publish_late)
    gate.wait_reached()
    stopper = threading.Thread(target=bench.engine.stop)
    stopper.start()
    wait_until(lambda: is_closed(bench))
    gate.open()
    stopper.join(GUARD_S)
    assert states == [State.NO_TARGET]


def test_submit_runs_between_frames_and_hands_errors_to_the_caller():
    with Bench() as bench:
        name = bench.engine.submit(lambda: threading.current_thread().name)
        assert name.result(GUARD_S) == "engine"
        with pytest.raises(ZeroDivisionError):
            bench.engine.submit(lambda: 1 / 0).result(GUARD_S)
        assert bench.engine.submit(lambda: 3).result(GUARD_S) == 3
    assert bench.engine.submit(lambda: threading.current_thread().name).result(0) == "MainThread"


def test_settings_change_before_the_next_frame():
    with Bench() as bench:
        bench.offer()
        bench.name_target()
        config = EngineConfig(set_target_timeout_ms=20)
        assert bench.engine.reconfigure(config).result(GUARD_S) is State.TRACKING
        gate = bench.tracker.before["init"] = Gate()
        assert bench.name_target().code is Code.TIMEOUT
        gate.open()


def test_every_frame_is_tracked_where_none_may_be_lost():
    with Bench(EngineConfig(policy="every_frame", queue_depth=50)) as bench:
        bench.offer()
        bench.name_target()
        gate = bench.tracker.before["track"] = Gate()
        stamps = [bench.offer() for _ in range(30)]
        gate.open()
        for _ in stamps:
            bench.wait_memorized()
    assert [answer.stamp_ns for answer in bench.answers] == stamps
    assert [frame.gap for frame in bench.tracker.frames] == [0] * 30


def test_a_full_queue_says_so():
    with Bench(EngineConfig(policy="every_frame", queue_depth=2)) as bench:
        gate = Gate()
        bench.engine.submit(gate)
        gate.wait_reached()
        for _ in range(5):
            bench.offer()
        assert dropped(bench) == {"queue_full": 3}
        gate.open()


def test_a_queue_full_of_bytes_says_so_and_every_frame_is_accounted_for():
    with Bench(EngineConfig(policy="every_frame", queue_depth=100, queue_mebibytes=1)) as bench:
        gate = Gate()
        bench.engine.submit(gate)
        gate.wait_reached()
        for number in range(5):
            bench.engine.offer(Message(), stamp_ns=number + 1, arrival_ns=bench.now_ns, nbytes=400_000, sequence=None)
        snapshot = bench.engine.snapshot()
        assert (dropped(bench), snapshot.waiting, snapshot.received) == ({"queue_full": 3}, 2, 5)
        gate.open()


def test_the_numbers_of_another_publisher_are_no_losses():
    with Bench() as bench:
        bench.offer(sequence=1)
        bench.stamp_ns += 9 * STEP_NS
        bench.engine.change_source()
        bench.offer(sequence=8)
        assert bench.engine.snapshot().lost == 0


def test_losses_before_us_stand_beside_the_sum():
    with Bench() as bench:
        bench.offer(sequence=1)
        bench.name_target()
        bench.stamp_ns += 3 * STEP_NS
        bench.offer(sequence=5)
        bench.wait_memorized()
    found = bench.engine.snapshot()
    assert (found.lost, found.lost_is_estimated, found.received) == (3, False, 2)
    assert bench.answers[0].gap == bench.tracker.frames[0].gap == 3


def test_a_fault_is_told_and_refuses_until_the_next_start():
    with Bench(EngineConfig(fault_after_ms=0)) as bench:
        bench.offer()
        bench.name_target()
        bench.tracker.before["track"] = lambda: 1 / 0
        for _ in range(3):
            bench.offer()
            bench.drain()
        assert "ZeroDivisionError" in bench.faulted.result(GUARD_S)
        refused = bench.name_target()
        assert (refused.code, "ZeroDivisionError" in refused.message) == (Code.INACTIVE, True)
        assert bench.engine.snapshot().state is State.FAULT
        bench.engine.stop()
        bench.tracker.before.clear()
        bench.engine.start()
        assert bench.engine.snapshot().target_id == "target-1", "the tracker still has it"
        bench.offer()
        assert bench.name_target().success


def test_a_snapshot_tells_latencies_and_clocks():
    with Bench() as bench:
        bench.offer()
        bench.name_target()
        for _ in range(3):
            bench.offer()
            bench.wait_memorized()
        bench.drain()
    found = bench.engine.snapshot()
    counts = [found.arrival_to_answer.count, found.stamp_to_answer.count, found.track.count, found.memorize.count]
    assert counts == [3, 3, 3, 3]
    assert found.arrival_to_answer.p50 >= found.track.p50 > 0
    assert (found.clock_offset_ms, found.stamp_trouble, found.tracked) == (0, "", 3)
