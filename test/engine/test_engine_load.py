"""Many threads at random: the sum always holds, nothing is lost without a reason, everybody is answered."""

from __future__ import annotations

import math
import random
import threading
from concurrent.futures import Future
from typing import Any

import pytest
from engine_bench import BOX, GUARD_S, REQUEST, STEP_NS, Bench

from stm_tracker_ros.core.types import Box
from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.engine.set_target import TargetAnswer, TargetRequest

pytestmark = pytest.mark.pure

FRAMES = 800


def unbalanced(bench: Bench) -> bool:
    found = bench.engine.snapshot()
    return found.received != found.tracked + sum(found.dropped.values()) + found.waiting or found.waiting < 0


def stream(bench: Bench, rng: random.Random) -> None:
    """Frames, some of them broken, late, double or from a bag that loops; sequence numbers with holes."""
    sequence = 0
    for _ in range(FRAMES):
        step = rng.choice((1, 1, 1, 1, 0, -1, 4, -400))
        sequence += rng.choice((1, 1, 1, 3))
        if rng.random() < 0.15:
            bench.drain()
        bench.offer(bench.stamp_ns + step * STEP_NS, broken=rng.random() < 0.05, sequence=sequence)


def command(bench: Bench, rng: random.Random, futures: list[Future[TargetAnswer]], ended: threading.Event) -> None:
    """Whatever an operator may do, in any order."""
    bad = TargetRequest(box=Box(0, 0, 1, 1))
    acts = (
        lambda: futures.append(bench.engine.set_target(REQUEST)),
        lambda: futures.append(bench.engine.set_target(bad)),
        lambda: futures.append(bench.engine.set_target(TargetRequest(box=BOX, stamp_ns=bench.stamp_ns))),
        lambda: bench.engine.pause(rng.random() < 0.3).result(GUARD_S),
        lambda: bench.engine.clear_target().result(GUARD_S) if rng.random() < 0.1 else None,
        lambda: bench.engine.reconfigure(EngineConfig(fault_after_ms=1e9)).result(GUARD_S),
    )
    while not ended.is_set():
        rng.choice(acts)()


def time_rises(calls: list[tuple[str, Any]]) -> bool:
    """Whether every tracked stamp lies behind the one before, from one init to the next."""
    last = -math.inf
    for name, value in calls:
        if name == "track" and value <= last:
            return False
        last = {"init": -math.inf, "track": value}.get(name, last)
    return True


@pytest.mark.parametrize("policy", ["newest", "every_frame"])
def test_received_is_tracked_and_dropped_and_waiting_under_load(policy):
    rng = random.Random(policy)
    futures: list[Future[TargetAnswer]] = []
    odd: list[bool] = []
    ended = threading.Event()

    def watch(bench: Bench) -> None:
        while not ended.is_set():
            odd.append(unbalanced(bench))

    with Bench(EngineConfig(policy=policy, queue_depth=5, fault_after_ms=1e9)) as bench:
        helpers = [
            threading.Thread(target=command, args=(bench, rng, futures, ended)),
            threading.Thread(target=watch, args=(bench,)),
        ]
        for helper in helpers:
            helper.start()
        stream(bench, random.Random(7))
        ended.set()
        for helper in helpers:
            helper.join(GUARD_S)
        bench.drain()
        assert not any(helper.is_alive() for helper in helpers)
    found = bench.engine.snapshot()
    assert len(odd) > 0
    assert not any(odd)
    assert (found.received, found.waiting) == (FRAMES, 0)
    assert found.tracked + sum(found.dropped.values()) == FRAMES
    assert found.tracked == len(bench.answers) > 0
    assert found.lost > 0
    assert {future.result(GUARD_S).code for future in futures} >= {0, 3}
    assert time_rises(bench.tracker.calls)
