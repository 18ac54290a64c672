"""Window and penalty: values worked out by hand, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.following.prior import hann_window, size_penalty

pytestmark = pytest.mark.pure


def test_the_window_is_one_in_the_middle_and_zero_at_the_border() -> None:
    window = hann_window(25, 25).reshape(25, 25)
    assert window[12, 12] == 1
    assert window[0].max() == window[:, -1].max() == 0
    assert window[12, 6] == pytest.approx(0.5)
    assert window[6, 6] == pytest.approx(0.25)
    np.testing.assert_allclose(window, window.T)


def test_no_change_costs_nothing() -> None:
    assert size_penalty(np.array([[40.0, 30.0]]), (40.0, 30.0), 0.5) == pytest.approx(1)


def test_double_size_and_half_size_cost_the_same() -> None:
    twice, half = size_penalty(np.array([[80.0, 60.0], [20.0, 15.0]]), (40.0, 30.0), 0.04)
    assert twice == pytest.approx(half) == pytest.approx(np.exp(-(2 - 1) * 0.04))


def test_a_change_of_aspect_costs_its_ratio() -> None:
    (penalty,) = size_penalty(np.array([[10.0, 40.0]]), (20.0, 20.0), 0.1)
    context = 25.0
    size = np.sqrt((10 + context) * (40 + context)) / 40
    assert penalty == pytest.approx(np.exp(-(size * 4 - 1) * 0.1))


def test_strength_zero_and_empty_sizes_give_finite_numbers() -> None:
    sizes = np.array([[0.0, 0.0], [5.0, 0.0], [7.0, 9.0]])
    np.testing.assert_array_equal(size_penalty(sizes, (4.0, 4.0), 0.0), 1)
    assert np.isfinite(size_penalty(sizes, (4.0, 4.0), 2.0)).all()


def test_the_window_of_an_oblong_grid_counts_every_anchor_of_a_cell_alike() -> None:
    window = hann_window(5, 9, 3).reshape(5, 9, 3)
    assert (window == window[..., :1]).all()
    np.testing.assert_allclose(window[..., 0], np.outer(np.hanning(5), np.hanning(9)))


def test_one_candidate_alone_is_in_the_middle() -> None:
    assert hann_window(1, 1).tolist() == [1.0]
