"""The bounded memory: exact while there is room, then a grid of times that gets coarser, the same size for ever."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch

from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.parts.bank import WHEN_FULL, MemoryBank
from stm_tracker_ros.trackers.stmtrack.selection import RULES

pytestmark = pytest.mark.torch

CAPACITY = 16


def filled(numbers: Iterable[int], capacity: int = CAPACITY, **options: Any) -> MemoryBank:
    """A bank whose tensors are the frame's number."""
    bank = MemoryBank(capacity, [(2, 3), (1,)], torch.device("cpu"), torch.float32, **options)
    for number in numbers:
        bank.add(number, [torch.full((2, 3), float(number)), torch.full((1,), -float(number))])
    return bank


def stored(bank: MemoryBank) -> list[int]:
    return sorted({int(number) for number in bank.numbers if number})


def contents_fit(bank: MemoryBank) -> bool:
    used = np.flatnonzero(bank.numbers)
    numbers = torch.from_numpy(bank.numbers[used]).float()
    return bool((bank.parts[0][used] == numbers[:, None, None]).all() and (bank.parts[1][used, 0] == -numbers).all())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("past", range(1, CAPACITY + 1))
def test_up_to_its_capacity_it_gives_the_rule_itself(rule: str, past: int) -> None:
    bank, wanted = filled(range(1, past + 1)), RULES[rule](past, 4)
    given = [int(bank.numbers[slot]) for slot in bank.nearest(wanted)]
    assert given == list(dict.fromkeys(wanted))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("capacity", [8, 64])
def test_beyond_it_is_off_by_half_a_spacing_at_most(rule: str, capacity: int) -> None:
    bank = filled([], capacity)
    for past in range(1, 1500):
        bank.add(past, [torch.zeros(2, 3), torch.zeros(1)])
        for wanted in RULES[rule](past, 4):
            (slot,) = bank.nearest([wanted])
            assert abs(int(bank.numbers[slot]) - wanted) <= bank.spacing / 2, (past, wanted)


def test_no_frame_is_further_than_half_a_spacing_from_a_stored_one() -> None:
    bank = filled(range(1, 1001))
    nearest = [int(bank.numbers[bank.nearest([number])[0]]) for number in range(1, 1001)]
    assert np.abs(np.array(nearest) - np.arange(1, 1001)).max() <= bank.spacing / 2
    assert bank.spacing == 64
    assert contents_fit(bank)


def test_first_frame_and_previous_frame_are_never_lost() -> None:
    bank = filled([])
    for number in range(1, 500):
        bank.add(number, [torch.full((2, 3), float(number)), torch.zeros(1)])
        assert bank.numbers[bank.first] == 1
        assert bank.parts[0][bank.first, 0, 0] == 1
        assert bank.numbers[bank.previous] == number
        assert bank.parts[0][bank.previous, 0, 0] == number


def test_irregular_stamps_keep_a_stored_frame_near_each_seen_one() -> None:
    rng = np.random.default_rng(3)
    numbers = np.cumsum(rng.choice([1, 1, 2, 3, 40], 700))
    numbers += 1 - numbers[0]
    bank = filled(int(number) for number in numbers)
    kept = np.array(stored(bank))
    assert kept[0] == 1
    assert np.abs(kept[:, None] - numbers).min(0).max() < bank.spacing
    assert contents_fit(bank)


def test_a_gap_wider_than_the_whole_past_costs_half_of_the_frames_at_most() -> None:
    bank = filled([*range(1, CAPACITY + 1), 1_000_000])
    assert stored(bank) == [*range(1, CAPACITY + 1, 2), 1_000_000]


@pytest.mark.parametrize("when_full", WHEN_FULL)
def test_it_has_the_same_size_after_twenty_thousand_frames(when_full: str) -> None:
    bank = filled(range(1, 3), when_full=when_full)
    size, places = bank.bytes, [part.data_ptr() for part in bank.parts]
    tensors = [torch.zeros(2, 3), torch.zeros(1)]
    for number in range(3, 20_001):
        bank.add(number, tensors)
    assert bank.bytes == size == (CAPACITY + 1) * (6 + 1) * 4
    assert [part.data_ptr() for part in bank.parts] == places
    assert CAPACITY / 2 < len(stored(bank)) <= CAPACITY + 1


def on_grid(bank: MemoryBank) -> list[int]:
    return sorted(int(bank.numbers[slot]) for slot in bank.kept)


def test_the_oldest_is_dropped_but_never_the_first() -> None:
    for count in range(1, 101):
        bank = filled(range(1, count + 1), 4, when_full="drop_oldest")
        latest = range(max(2, count - 2), count + 1)
        assert on_grid(bank) == [1, *latest]
        assert (bank.numbers[bank.first], bank.numbers[bank.previous], bank.spacing) == (1, count, 1)
        assert contents_fit(bank)


def test_dropping_keeps_the_grid_that_was_asked_for() -> None:
    bank = filled(range(1, 1000), 4, when_full="drop_oldest", spacing=30)
    assert on_grid(bank) == [1, 931, 961, 991]
    assert bank.numbers[bank.previous] == 999


def test_what_was_dropped_is_not_found_again() -> None:
    bank = filled(range(1, 101), 4, when_full="drop_oldest")
    slots = bank.nearest([1, 50, 60, 98, 100])
    assert [int(bank.numbers[slot]) for slot in slots] == [1, 98, 100]
    assert bank.distinct([*bank.kept, bank.previous]) == bank.kept


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ConfigError, match="when_full is 'newest'; allowed is one of thin, drop_oldest"):
        filled([], when_full="newest")


@pytest.mark.parametrize("when_full", WHEN_FULL)
def test_a_single_slot_keeps_the_first_frame(when_full: str) -> None:
    bank = filled(range(1, 101), 1, when_full=when_full)
    assert (bank.numbers[bank.first], bank.numbers[bank.previous], bank.kept) == (1, 100, [0])
    assert contents_fit(bank)


def test_a_slot_is_given_once() -> None:
    bank = filled([1, 100])
    assert len(bank.nearest([1, 2, 3, 99, 100])) == 2


def test_tensors_of_the_wrong_number_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        filled([]).add(1, [torch.zeros(2, 3)])
