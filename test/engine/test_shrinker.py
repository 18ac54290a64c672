"""Older frames are made smaller beside everything else."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from engine_bench import GUARD_S, MS

from stm_tracker_ros.engine.config import HistoryConfig
from stm_tracker_ros.engine.history import Smaller
from stm_tracker_ros.engine.intake import Intake
from stm_tracker_ros.engine.shrinker import Shrinker

pytestmark = pytest.mark.pure

BYTES = 2**20


def intake(mebibytes: float = 4.0) -> Intake[str]:
    return Intake(HistoryConfig(mebibytes=mebibytes))


def offer(some: Intake[str], *numbers: int) -> None:
    for n in numbers:
        some.admit(f"image {n}", stamp_ns=n * MS, arrival_ns=n * MS, nbytes=BYTES, sequence=None)


def half(message: str) -> Smaller[str]:
    return Smaller(message=f"half of {message}", nbytes=BYTES // 8, size=(8, 6))


def messages(some: Intake[Any]) -> list[str]:
    return [frame.message for frame in some.after(0)]


def test_the_oldest_become_smaller_until_there_is_room():
    some = intake()
    offer(some, 1, 2, 3)
    Shrinker(some, half).work()
    assert messages(some) == ["half of image 1", "half of image 2", "image 3"]
    assert some.find(1 * MS, 0)[0].full_size == (8, 6)


def test_nothing_is_touched_while_there_is_room():
    some = intake(64)
    offer(some, 1, 2, 3)
    Shrinker(some, half).work()
    assert messages(some) == ["image 1", "image 2", "image 3"]


def test_an_image_that_cannot_be_read_is_kept_as_it_is_and_not_tried_again():
    some, tried = intake(), []

    def fail(message: str) -> Smaller[str]:
        tried.append(message)
        raise ValueError("an error that nobody foresaw")

    offer(some, 1, 2, 3)
    for _ in range(2):
        Shrinker(some, fail).work()
    assert tried == ["image 1", "image 2"]
    assert messages(some) == ["image 1", "image 2", "image 3"]


def test_it_works_in_its_own_thread_when_it_is_woken_and_ends_when_told():
    some, done, names = intake(), threading.Semaphore(0), set()

    def note(message: str) -> Smaller[str]:
        names.add(threading.current_thread().name)
        done.release()
        return half(message)

    shrinker = Shrinker(some, note)
    for first in (1, 11):
        shrinker.start()
        offer(some, first, first + 1, first + 2)
        shrinker.wake()
        assert done.acquire(timeout=GUARD_S)
        shrinker.stop()
        shrinker.stop()
        some.forget()
    assert names == {"history"}
    assert all(thread.name != "history" for thread in threading.enumerate())
