from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.stretch import Stretch, spread

pytestmark = pytest.mark.pure

SECOND_NS = 1_000_000_000


def scene(low=7000, high=7600):
    return np.random.default_rng(0).integers(low, high, (240, 320)).astype(np.uint16)


def with_warm_object(level=9000):
    picture = scene()
    picture[:60, :60] = level
    return picture


def test_the_limits_are_the_first_and_the_last_percent():
    assert Stretch().limits(scene(), 0) == pytest.approx((7006, 7594), abs=3)


def test_a_warm_object_moves_them_slowly():
    stretch = Stretch()
    before = stretch.limits(scene(), 0)
    after = stretch.limits(with_warm_object(), SECOND_NS // 30)
    assert 0 < after[1] - before[1] < 0.05 * (9000 - before[1])
    assert stretch.limits(with_warm_object(), 20 * SECOND_NS)[1] == pytest.approx(9000, abs=1)


@pytest.mark.parametrize(("low", "high"), [(20000, 20600), (7200, 7220)], ids=["elsewhere", "flat"])
def test_another_scene_takes_them_at_once(low, high):
    stretch = Stretch()
    stretch.limits(scene(0, 30000) if high == 7220 else scene(), 0)
    assert stretch.limits(scene(low, high), 1) == Stretch().limits(scene(low, high), 1)


def test_an_older_image_moves_nothing():
    stretch = Stretch()
    limits = stretch.limits(scene(), SECOND_NS)
    assert stretch.limits(scene(20000, 30000), SECOND_NS) == limits


@pytest.mark.parametrize("kind", [">u2", "<u2", np.float32, np.float64])
def test_low_becomes_black_and_high_white(kind):
    assert spread(np.array([[90, 100, 150, 200, 300]]).astype(kind), (100, 200)).tolist() == [[0, 0, 128, 255, 255]]


def test_what_is_no_number_is_black():
    raw = np.array([[np.nan, np.inf, -np.inf, 2]], np.float32)
    assert spread(raw, (1, 2)).tolist() == [[0, 0, 0, 255]]
    assert spread(raw, Stretch().limits(raw, 0)).max() == 0


@pytest.mark.parametrize("value", [0, 1e38, -3e38, np.nan])
def test_a_picture_of_one_value_is_black(value):
    raw = np.full((8, 8), value, np.float32)
    assert not spread(raw, Stretch().limits(raw, 0)).any()


def test_the_widest_floats_have_a_middle():
    raw = np.array([[-3e38, 0, 3e38]], np.float32)
    assert spread(raw, (-3e38, 3e38)).tolist() == [[0, 128, 255]]


def test_large_whole_numbers_keep_their_differences():
    raw = (2_000_000_000 + np.arange(201)).reshape(1, -1).astype(np.int32)
    assert len(np.unique(spread(raw, (2e9, 2e9 + 200)))) == 201
