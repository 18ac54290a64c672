"""An operator who says stop is answered at once, however long the tracker takes for the image in work."""

from __future__ import annotations

import threading

import pytest
from engine_bench import GUARD_S, MS, REQUEST, Bench, Gate, wait_until

from stm_tracker_ros.engine.candidates import Confirmation
from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.engine.set_target import Code
from stm_tracker_ros.engine.target_state import State

pytestmark = pytest.mark.pure


def dropped(bench: Bench) -> dict[str, int]:
    return {reason.value: count for reason, count in bench.engine.snapshot().dropped.items() if count}


def at_work(bench: Bench, where: str = "track") -> Gate:
    """An engine with a target, whose tracker does not come back from its next image."""
    bench.offer()
    bench.drain()
    assert bench.name_target().success
    gate = bench.tracker.before[where] = Gate()
    bench.offer()
    gate.wait_reached()
    return gate


@pytest.mark.parametrize("where", ["track", "memorize"])
def test_an_operator_who_says_stop_is_answered_while_the_tracker_hangs(where):
    with Bench() as bench:
        gate = at_work(bench, where)
        published = len(bench.answers)
        assert bench.engine.clear_target().result(GUARD_S) is State.NO_TARGET
        found = bench.engine.snapshot()
        assert (found.state, found.target_id, found.waiting) == (State.NO_TARGET, "", 1)
        assert "still at work" in found.message
        gate.open()
        bench.drain()
        found = bench.engine.snapshot()
        assert (found.state, found.message, len(bench.answers)) == (State.NO_TARGET, "", published)
        assert bench.name_target().id == "target-2"


def test_a_pause_is_answered_while_the_tracker_hangs_and_keeps_the_target():
    with Bench() as bench:
        gate = at_work(bench)
        assert bench.engine.pause(True).result(GUARD_S) is State.PAUSED
        assert bench.engine.clear_target().result(GUARD_S) is State.PAUSED
        gate.open()
        bench.drain()
        assert (bench.engine.snapshot().state, dropped(bench)) == (State.PAUSED, {"no_target": 2})
        assert bench.engine.pause(False).result(GUARD_S) is State.NO_TARGET
    assert bench.answers == []


def test_what_was_asked_first_counts_after_a_pause_of_a_tracker_that_hangs():
    """The seconds for which it went on hanging are no silence of the camera's."""
    now = [0]
    with Bench(steady_ns=lambda: now[0]) as bench:
        gate = at_work(bench)
        assert bench.engine.pause(True).result(GUARD_S) is State.PAUSED
        assert bench.engine.snapshot().target_id == "target-1"
        now[0] = 10_000 * MS
        gate.open()
        bench.drain()
        assert bench.engine.pause(False).result(GUARD_S) is State.UNCERTAIN
        assert dropped(bench) == {"no_target": 1, "paused": 1}


def test_the_end_of_a_pause_is_given_up_while_the_tracker_hangs():
    with Bench(EngineConfig(set_target_timeout_ms=20)) as bench:
        gate = at_work(bench)
        bench.engine.pause(True).result(GUARD_S)
        assert bench.engine.pause(False).result(GUARD_S) is State.PAUSED
        gate.open()
        bench.drain()
        assert bench.engine.submit(lambda: None).result(GUARD_S) is None
        assert bench.engine.snapshot().state is State.PAUSED


def test_a_target_whose_start_hangs_is_not_there_after_a_clear():
    with Bench() as bench:
        bench.offer()
        bench.drain()
        gate = bench.tracker.before["init"] = Gate()
        naming = bench.engine.set_target(REQUEST)
        gate.wait_reached()
        assert bench.engine.clear_target().result(GUARD_S) is State.NO_TARGET
        gate.open()
        assert not naming.result(GUARD_S).success
        assert bench.engine.snapshot().state is State.NO_TARGET


@pytest.mark.parametrize("where", ["track", "memorize"])
def test_a_stop_does_not_wait_for_ever_and_holds(where):
    with Bench() as bench:
        gate = at_work(bench, where)
        published = len(bench.answers)
        assert not bench.engine.stop(0.01)
        found = bench.engine.snapshot()
        assert (found.state, found.target_id, found.waiting) == (State.INACTIVE, "", 1)
        assert ("still at work" in found.message, bench.engine.is_at_work) == (True, True)
        bench.offer()
        with pytest.raises(RuntimeError, match="still at work"):
            bench.engine.start()
        gate.open()
        assert bench.engine.stop(GUARD_S)
        found = bench.engine.snapshot()
        assert (found.state, found.message, found.waiting) == (State.INACTIVE, "", 0)
        assert (len(bench.answers), bench.engine.is_at_work) == (published, False)
        bench.engine.start()
        assert bench.engine.snapshot().state is State.NO_TARGET
        bench.offer()
        assert bench.name_target().id == "target-2"


def test_what_is_asked_of_a_stopped_engine_waits_for_the_tracker_and_keeps_nobody():
    with Bench() as bench:
        gate = at_work(bench)
        assert not bench.engine.stop(0.01)
        changed = bench.engine.reconfigure(EngineConfig(), "settings")
        assert bench.engine.clear_target().result(GUARD_S) is State.INACTIVE
        assert ("reconfigure", "settings") not in bench.tracker.calls
        gate.open()
        assert changed.result(GUARD_S) is State.INACTIVE
        assert bench.tracker.calls[-1] == ("reconfigure", "settings")


@pytest.mark.parametrize("where", ["track", "init"])
def test_who_waits_for_the_tracker_is_answered_by_a_stop(where):
    with Bench() as bench:
        if where == "track":
            gate = at_work(bench)
        else:
            bench.offer()
            bench.drain()
            gate = bench.tracker.before["init"] = Gate()
        naming = [bench.engine.set_target(REQUEST) for _ in range(2)]
        gate.wait_reached()
        confirming, going_on = bench.engine.confirm(), bench.engine.pause(False)
        assert not bench.engine.stop(0.01)
        assert [one.result(0).code for one in naming] == [Code.INACTIVE] * 2
        assert (confirming.result(0).code, going_on.result(0)) == (Confirmation.INACTIVE, State.INACTIVE)
        gate.open()
        assert bench.engine.stop(GUARD_S)
        bench.engine.start()
        assert bench.engine.snapshot().state is State.NO_TARGET


class Sending(Bench):
    """Its answers are held up on their way out."""

    def publish(self, answer):
        self.gate()
        super().publish(answer)


def test_a_stop_is_not_told_before_an_answer_on_its_way_is_out():
    with Sending() as bench:
        bench.gate = Gate()
        bench.offer()
        bench.drain()
        assert bench.name_target().success
        bench.offer()
        bench.gate.wait_reached()
        stopper = threading.Thread(target=bench.engine.stop, args=(0.01,))
        stopper.start()
        wait_until(lambda: bench.offer() > 0 and "inactive" in dropped(bench))
        stopper.join(0.1)
        assert stopper.is_alive()
        bench.gate.open()
        stopper.join(GUARD_S)
        assert len(bench.answers) == 1
