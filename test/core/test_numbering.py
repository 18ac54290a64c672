"""Numbers of frames by their stamps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from stm_tracker_ros.core.numbering import Numbering

pytestmark = pytest.mark.pure

PERIOD_NS = 1e9 / 30


def numbers(stamps_ns: list[int]) -> list[float]:
    """Of the frames behind the first one, whose number is 1."""
    numbering = Numbering(stamps_ns[0])
    return [numbering.of(stamp_ns) for stamp_ns in stamps_ns[1:]]


def even(rate_hz: float, count: int = 200) -> list[int]:
    return [10**18 + round(index * 1e9 / rate_hz) for index in range(count)]


@pytest.mark.parametrize("rate_hz", [1, 10, 15, 30])
def test_up_to_30_hz_they_are_whole(rate_hz: int) -> None:
    assert numbers(even(rate_hz)) == [1 + 30 // rate_hz * index for index in range(1, 200)]


@pytest.mark.parametrize("rate_hz", [36, 40, 50, 60, 90, 120, 240])
def test_a_fast_camera_gives_parts_of_one_in_even_steps(rate_hz: int) -> None:
    steps = np.diff([1.0, *numbers(even(rate_hz))])
    assert steps == pytest.approx(np.full(199, 30 / rate_hz), abs=1e-5)


def test_jitter_of_a_millisecond_makes_no_parts() -> None:
    """29.97 Hz, as cameras of television give it."""
    jitter = np.random.default_rng(0).uniform(-1e6, 1e6, 3600).astype(int)
    found = numbers([stamp + int(noise) for stamp, noise in zip(even(29.97, 3600), jitter, strict=True)])
    steps = np.diff([1.0, *found])
    assert set(steps) <= {1.0, 2.0}
    assert np.count_nonzero(steps == 2.0) <= 4


def test_they_rise_whatever_the_stamps_do() -> None:
    stamps = np.random.default_rng(0).integers(-(10**9), 10**9, 2000).tolist()
    assert all(one < other for one, other in pairwise(numbers(stamps)))


def test_time_that_went_back_or_stands_still_goes_on_from_there() -> None:
    stamps = [round(frames * PERIOD_NS) for frames in (0, 4, 4, -100, -99, -90)]
    assert numbers(stamps) == [5, 6, 7, 8, 17]


@pytest.mark.parametrize("rate_hz", [30.3, 33.0])
def test_a_camera_of_a_little_more_than_30_hz_does_not_run_ahead(rate_hz: float) -> None:
    stamps = even(rate_hz, 6000)
    *_, before, after = numbers([*stamps, stamps[-1] + 3 * 10**9])
    assert after - before == pytest.approx(90, abs=1.5)
