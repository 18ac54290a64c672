from __future__ import annotations

import threading

import pytest

from stm_tracker_ros.engine.mailbox import Mailbox

pytestmark = pytest.mark.pure


def test_the_newest_wins_and_the_replaced_one_comes_back():
    box: Mailbox[int, str] = Mailbox()
    assert [box.put(n) for n in (1, 2, 3)] == [[], [1], [2]]
    assert (box.waiting, box.take(), box.waiting) == (1, 3, 0)


def test_a_deeper_one_keeps_the_order_and_gives_up_the_oldest():
    box: Mailbox[int, str] = Mailbox(depth=3)
    assert [box.put(n) for n in range(5)] == [[], [], [], [0], [1]]
    assert [box.take() for _ in range(3)] == [2, 3, 4]


def test_the_oldest_go_until_those_that_wait_are_small_enough_together():
    box: Mailbox[str, str] = Mailbox(depth=9, most_bytes=10)
    assert [box.put(name, size) for name, size in [("a", 4), ("b", 4), ("c", 2)]] == [[], [], []]
    assert box.put("d", 7) == ["a", "b"]
    assert box.take() == "c"
    assert box.put("e", 3) == []
    assert [box.take(), box.take()] == ["d", "e"]


def test_the_newest_waits_however_large_it_is():
    box: Mailbox[str, str] = Mailbox(depth=9, most_bytes=10)
    box.put("small", 1)
    assert box.put("large", 1000) == ["small"]
    assert box.put("small again", 1) == ["large"]
    assert (box.waiting, box.take()) == (1, "small again")


def test_commands_go_first_in_their_order_and_are_never_replaced():
    box: Mailbox[int, str] = Mailbox()
    box.put(1)
    assert all(box.post(text) for text in ("a", "b", "c"))
    box.put(2)
    assert [box.take() for _ in range(4)] == ["a", "b", "c", 2]


def test_closing_gives_back_what_waits_and_takes_nothing_more():
    box: Mailbox[int, str] = Mailbox(depth=2)
    box.put(1)
    box.put(2)
    box.post("a")
    assert box.close() == ([1, 2], ["a"])
    assert (box.put(3), box.post("b"), box.take(), box.waiting) == ([3], False, None, 0)


@pytest.mark.parametrize(
    ("wake", "taken"), [(lambda b: b.put(7), 7), (lambda b: b.post("a"), "a"), (Mailbox.close, None)]
)
def test_whoever_takes_is_woken(wake, taken):
    box: Mailbox[int, str] = Mailbox()
    found: list[object] = []
    taker = threading.Thread(target=lambda: found.append(box.take()), daemon=True)
    taker.start()
    wake(box)
    taker.join(20)
    assert found == [taken]
