"""From the image that the operator saw to the present: what is gone through, answered, published, counted."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from itertools import pairwise
from typing import Any

import pytest
from engine_bench import BOX, GUARD_S, MS, STEP_NS, Bench, Gate, Message, wait_until

from stm_tracker_ros.core.types import Box, Lead, Result
from stm_tracker_ros.engine.candidates import Confirmation
from stm_tracker_ros.engine.config import EngineConfig, HistoryConfig
from stm_tracker_ros.engine.drop_policy import DropReason
from stm_tracker_ros.engine.history import Smaller
from stm_tracker_ros.engine.set_target import Code, TargetAnswer, TargetRequest
from stm_tracker_ros.engine.target_state import State

pytestmark = pytest.mark.pure

KEPT = 60


class Late(Bench):
    """A bench whose clock stands unless it is moved: tracking a frame takes `cost_ms`, in which the camera goes on."""

    def __init__(self, config: EngineConfig | None = None, *, cost_ms: int = 20, **hooks: Any) -> None:
        self.cost_ms, self.camera_runs = cost_ms, False
        super().__init__(config, steady_ns=lambda: self.now_ns, **hooks)
        self.start_ns = self.now_ns
        self.tracker.before["track"] = self.work
        self.tracker.before.pop("memorize")

    def work(self) -> None:
        """Time passes in the tracker, and images come in it."""
        end_ns = self.now_ns + self.cost_ms * MS
        while self.camera_runs and self.stamp_ns + STEP_NS <= end_ns:
            self.offer()
        self.now_ns = end_ns

    def fill(self, count: int = KEPT) -> list[int]:
        """Images without a target, each of which is dropped as such before the next one comes."""
        stamps = []
        for _ in range(count):
            stamps.append(self.offer())
            self.drain()
        return stamps

    def late(self, stamp_ns: int) -> Future[TargetAnswer]:
        """Name the target on the image of that stamp."""
        return self.engine.set_target(TargetRequest(box=BOX, stamp_ns=stamp_ns))

    def seen(self) -> list[int]:
        """Stamps of the frames that the tracker was given."""
        return [frame.stamp_ns for frame in self.tracker.frames]

    def dropped(self) -> dict[str, int]:
        """By reason."""
        return {reason.value: count for reason, count in self.engine.snapshot().dropped.items() if count}

    def stops(self, count: int = 1) -> Gate:
        """Stops the tracker in the frame of that number."""
        gate, left = Gate(), [count]

        def track() -> None:
            left[0] -= 1
            if left[0] == 0:
                gate()
            self.work()

        self.tracker.before["track"] = track
        return gate


def settle(bench: Late) -> None:
    """Wait until the engine has nothing to do."""
    bench.drain()
    bench.engine.submit(lambda: None).result(GUARD_S)


def test_it_starts_on_the_image_that_was_seen_and_ends_on_the_newest():
    with Late() as bench:
        stamps = bench.fill()
        answer = bench.late(stamps[5]).result(GUARD_S)
        settle(bench)
        names = [name for name, _ in bench.tracker.calls]
        assert (answer.code, answer.stamp_used_ns) == (Code.OK, stamps[5])
        assert names[0] == "init"
        assert names[1:] == ["track", "memorize"] * answer.frames_replayed, "nothing is published, all is learned"
        assert bench.seen()[-1] == stamps[-1]
        assert bench.seen() == sorted(set(bench.seen()))
        assert set(bench.seen()) <= set(stamps[6:]), "under their own stamps"
        assert [frame.gap for frame in bench.tracker.frames][0] == stamps.index(bench.seen()[0]) - 6


def test_the_answer_is_true_when_it_is_given():
    with Late() as bench:
        stamps = bench.fill()
        bench.tracker.box = now = Box(30, 20, 20, 16)
        answer = bench.late(stamps[-31]).result(GUARD_S)
        assert answer.result == Result(box=now, score=0.9)
        assert answer.place is not None
        assert answer.place.box == now
        assert answer.image.stamp_ns == bench.seen()[-1] == stamps[-1], "its box is that of the newest image"
        assert answer.frames_replayed == len(bench.seen()) > 5
        assert answer.age_s == pytest.approx((bench.now_ns - stamps[-31]) / 1e9)
        assert answer.age_s >= 30 * STEP_NS / 1e9 + answer.frames_replayed * 0.02
        assert answer.message == "following target-1"


@pytest.mark.parametrize("cost_ms", [5, 20, 60, 200])
def test_while_the_camera_goes_on_it_comes_up_with_it_in_time(cost_ms):
    with Late(cost_ms=cost_ms) as bench:
        stamps = bench.fill()
        bench.camera_runs, begun_ns = True, bench.now_ns
        answer = bench.late(stamps[5]).result(GUARD_S)
        took_ms = answer.age_s * 1e3 - (begun_ns - stamps[5]) / MS
        bench.camera_runs = False
        settle(bench)
        assert took_ms <= 1000 + 2 * cost_ms
        first = bench.answers[0]
        assert first.stamp_ns >= begun_ns + (took_ms - cost_ms) * MS - STEP_NS, "published is a current image"
        assert first.stamp_ns > answer.image.stamp_ns
        snapshot = bench.engine.snapshot()
        assert snapshot.received == snapshot.tracked + sum(snapshot.dropped.values()) + snapshot.waiting
        assert snapshot.tracked == len(bench.answers), "what was gone through is not counted again"
        assert answer.frames_replayed == len(bench.seen()) - len(bench.answers)


def test_a_frame_that_was_gone_through_stays_what_it_was_counted_as():
    with Late() as bench:
        stamps = bench.fill()
        answer = bench.late(stamps[10]).result(GUARD_S)
        assert answer.frames_replayed
        assert bench.dropped() == {"no_target": KEPT}
        assert bench.engine.snapshot().tracked == 0


def test_the_newest_image_needs_no_way():
    with Late() as bench:
        stamps = bench.fill(5)
        assert bench.late(0).result(GUARD_S).frames_replayed == 0
        assert bench.late(stamps[-1]).result(GUARD_S).image.stamp_ns == stamps[-1]
        assert bench.seen() == []


def test_without_a_budget_it_goes_on_with_the_next_image():
    with Late(EngineConfig(history=HistoryConfig(budget_ms=0))) as bench:
        stamps = bench.fill()
        answer = bench.late(stamps[10]).result(GUARD_S)
        assert (answer.frames_replayed, answer.image.stamp_ns) == (0, stamps[10])
        live = bench.offer()
        settle(bench)
        assert bench.seen() == [live]
        assert bench.tracker.frames[0].gap == KEPT - 11


def test_it_takes_no_more_than_half_the_time_limit():
    config = EngineConfig(set_target_timeout_ms=60_000, history=HistoryConfig(budget_ms=10_000))
    with Late(config, cost_ms=6000) as bench:
        stamps = bench.fill()
        bench.camera_runs, begun_ns = True, bench.now_ns
        answer = bench.late(stamps[10]).result(GUARD_S)
        bench.camera_runs = False
        assert answer.age_s - (begun_ns - stamps[10]) / 1e9 <= 30 + 6


def test_commands_go_between_its_frames_and_change_nothing():
    with Late() as bench:
        stamps = bench.fill()
        gate = bench.stops()
        naming = bench.late(stamps[10])
        gate.wait_reached()
        calls = bench.engine.submit(lambda: len(bench.tracker.frames))
        refused = bench.engine.set_target(TargetRequest(box=Box(500, 500, 9, 9)))
        gate.open()
        assert calls.result(GUARD_S) == 1
        assert refused.result(GUARD_S).code is Code.OUTSIDE_IMAGE
        answer = naming.result(GUARD_S)
        assert (answer.success, answer.image.stamp_ns) == (True, stamps[-1])


def test_another_target_ends_it():
    with Late() as bench:
        stamps = bench.fill()
        gate = bench.stops()
        first = bench.late(stamps[10])
        gate.wait_reached()
        second = bench.late(stamps[40])
        gate.open()
        assert (first.result(GUARD_S).code, "another" in first.result().message) == (Code.INTERNAL, True)
        answer = second.result(GUARD_S)
        assert (answer.success, answer.id, answer.stamp_used_ns) == (True, "target-2", stamps[40])
        assert bench.seen()[1] > stamps[40]
        assert answer.frames_replayed == len(bench.seen()) - 1


def test_clearing_ends_it():
    with Late() as bench:
        stamps = bench.fill()
        gate = bench.stops(2)
        naming = bench.late(stamps[10])
        gate.wait_reached()
        clearing = bench.engine.clear_target()
        gate.open()
        assert clearing.result(GUARD_S) is State.NO_TARGET
        assert (naming.result(GUARD_S).code, "cleared" in naming.result().message) == (Code.INTERNAL, True)
        assert len(bench.seen()) == 2


def test_pausing_ends_it_and_keeps_the_target_where_it_is():
    with Late() as bench:
        stamps = bench.fill()
        gate = bench.stops(2)
        naming = bench.late(stamps[10])
        gate.wait_reached()
        pausing = bench.engine.pause(True)
        gate.open()
        assert pausing.result(GUARD_S) is State.PAUSED
        answer = naming.result(GUARD_S)
        assert (answer.success, answer.frames_replayed, len(bench.seen())) == (True, 2, 2)
        assert answer.image.stamp_ns == bench.seen()[-1]


def test_stopping_ends_it():
    bench = Late()
    bench.engine.start()
    stamps = bench.fill()
    gate = bench.stops()
    naming = bench.late(stamps[10])
    gate.wait_reached()
    stopper = threading.Thread(target=bench.engine.stop)
    stopper.start()
    wait_until(lambda: bench.offer() > 0 and "inactive" in bench.dropped())
    gate.open()
    stopper.join(GUARD_S)
    assert naming.result(GUARD_S).code is Code.INACTIVE
    assert len(bench.seen()) == 1


def test_a_request_that_is_given_up_ends_it_and_the_target():
    with Late() as bench:
        stamps = bench.fill()
        gate = bench.stops()
        naming = bench.late(stamps[10])
        gate.wait_reached()
        assert naming.cancel()
        gate.open()
        settle(bench)
        assert bench.engine.snapshot().state is State.NO_TARGET
        assert len(bench.seen()) == 1


def test_bad_images_and_those_out_of_order_are_left_out():
    with Late() as bench:
        stamps = bench.fill(10)
        bench.offer(broken=True)
        bench.drain()
        bench.offer(stamps[3] + MS)
        bench.drain()
        last = bench.offer(stamps[-1] + 3 * STEP_NS)
        bench.drain()
        answer = bench.late(stamps[5]).result(GUARD_S)
        assert answer.success
        assert bench.seen() == sorted(bench.seen())
        assert bench.seen()[-1] == last
        assert not {stamps[-1] + STEP_NS, stamps[3] + MS} & set(bench.seen())
        assert answer.frames_replayed == len(bench.seen())
        assert bench.engine.snapshot().errors == 1, "the bad image is told once, when it comes"


def test_an_error_of_the_tracker_on_the_way_is_counted_and_it_goes_on():
    with Late() as bench:
        stamps = bench.fill()
        left = [1]

        def fail_once() -> None:
            bench.work()
            if left and left.pop():
                raise ValueError("an error that nobody foresaw")

        bench.tracker.before["track"] = fail_once
        answer = bench.late(stamps[10]).result(GUARD_S)
        snapshot = bench.engine.snapshot()
        assert (answer.success, answer.frames_replayed) == (True, len(bench.seen()) - 1)
        assert (snapshot.errors, snapshot.dropped[DropReason.TRACKER_ERROR]) == (1, 0)
        assert snapshot.state is State.TRACKING


def test_a_device_that_fails_on_the_way_is_a_fault():
    with Late(is_device_error=lambda error: "CUDA" in str(error)) as bench:
        stamps = bench.fill()

        def fail() -> None:
            raise RuntimeError("CUDA out of memory")

        bench.tracker.before["track"] = fail
        answer = bench.late(stamps[10]).result(GUARD_S)
        assert (answer.code, "CUDA" in answer.message) == (Code.INACTIVE, True)
        assert bench.engine.snapshot().state is State.FAULT


def test_after_nothing_but_errors_on_the_way_the_refused_target_is_gone():
    with Late(EngineConfig(fault_after_ms=100)) as bench:
        stamps = bench.fill()

        def fail() -> None:
            bench.work()
            raise ValueError("an error that nobody foresaw")

        bench.tracker.before["track"] = fail
        assert bench.late(stamps[10]).result(GUARD_S).code is Code.INACTIVE
        bench.engine.submit(lambda: None).result(GUARD_S)
        assert bench.engine.snapshot().state is State.FAULT
        assert bench.engine.snapshot().target_id == ""


def test_what_was_found_on_the_way_cannot_be_confirmed():
    """Nobody has seen it: neither between two of its frames nor before the first answer that is published."""
    with Late() as bench:
        stamps = bench.fill()
        bench.tracker.more = {"found": False, "lead": Lead(BOX, 0.8, 30, 30)}
        gate = bench.stops(3)
        answer = bench.late(stamps[10])
        gate.wait_reached()
        between = bench.engine.confirm()
        gate.open()
        assert between.result(GUARD_S).code is Confirmation.NO_ANSWER
        assert answer.result(GUARD_S).success
        assert bench.engine.confirm().result(GUARD_S).code is Confirmation.NO_ANSWER
        bench.offer()
        settle(bench)
        assert bench.engine.confirm().result(GUARD_S).code is Confirmation.OK


def test_stamps_that_jump_on_the_way_are_no_time_to_the_tracker():
    with Late() as bench:
        stamps = bench.fill(30)
        for _ in range(20):  # the camera's clock was set, an hour forward
            bench.now_ns += STEP_NS
            stamps.append(bench.now_ns + 3600 * 1000 * MS)
            bench.engine.offer(Message(stamps[-1]), stamp_ns=stamps[-1], arrival_ns=bench.now_ns, nbytes=100)
            bench.drain()
        assert bench.late(stamps[10]).result(GUARD_S).success
        steps = [later - earlier for earlier, later in pairwise(bench.seen())]
        assert 0 < max(steps) < 1000 * MS
        assert bench.seen()[-1] < stamps[-1]
        assert len(bench.seen()) > 10


def test_a_frame_that_comes_while_the_way_is_chosen_is_a_live_one():
    with Late() as bench:
        stamps = bench.fill()
        after, offered = bench.engine._intake.after, []

        def offer_meanwhile(position: int) -> Any:
            kept = after(position)
            if len(offered) < 3:
                offered.append(bench.offer())
            return kept

        bench.engine._intake.after = offer_meanwhile
        assert bench.late(stamps[10]).result(GUARD_S).success
        settle(bench)
        assert bench.answers[-1].stamp_ns == offered[-1]
        assert not bench.dropped().get("duplicate")


@pytest.mark.parametrize(("score", "first", "state"), [(0.1, 10, "LOST"), (0.6, -3, "UNCERTAIN"), (0.9, -3, "")])
def test_what_became_of_the_target_on_the_way_is_said(score, first, state):
    """Where it is UNCERTAIN the place may only be expected: as in what is published, that is told."""
    with Late() as bench:
        stamps, bench.tracker.score = bench.fill(), score
        answer = bench.late(stamps[first]).result(GUARD_S)
        assert (answer.success, answer.frames_replayed > 0) == (True, True)
        assert (answer.place is None, answer.uncertain) == (state == "LOST", state == "UNCERTAIN")
        assert answer.message == "following target-1" + f"; {state} after {answer.frames_replayed} images" * bool(state)


def test_images_that_are_kept_smaller_are_seen_in_their_own_size():
    """Whether named on or gone through: the tracker sees no other size than the camera's."""
    config = EngineConfig(history=HistoryConfig(mebibytes=2000 / 2**20))
    made = threading.Semaphore(0)

    def half(message: Message) -> Smaller[Message]:
        made.release()
        return Smaller(message=Message(message.stamp_ns, size=(40, 30)), nbytes=25, size=(80, 60))

    with Late(config, shrink=half) as bench:
        stamps = bench.fill(18)
        for _ in range(10):
            stamps.append(bench.offer())
            bench.drain()
            assert made.acquire(timeout=GUARD_S), "nothing was made smaller"
        answer = bench.late(stamps[1]).result(GUARD_S)
        assert (answer.success, answer.image.stamp_ns) == (True, stamps[-1])
        assert {frame.bgr().shape for frame in bench.tracker.frames} == {(60, 80, 3)}
        assert {type(frame.image).__name__ for frame in bench.tracker.frames} >= {"EnlargedView"}
