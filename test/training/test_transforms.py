from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.training.transforms import (
    apply,
    colour,
    compose,
    crop_affine,
    feather,
    motion_affine,
    paste,
    warp,
)

pytestmark = pytest.mark.torch


def _drawn() -> np.ndarray:
    picture = np.zeros((80, 120, 3), np.uint8)
    picture[30:50, 40:70] = 255
    return picture


def _edges(crop: np.ndarray) -> np.ndarray:
    """Sub-pixel corners x0, y0, x1, y1 of the bright rectangle: its area is shared out over its edge pixels."""
    share = crop[..., 0].astype(float) / 255
    rows, columns = share.max(1), share.max(0)
    first_row, first_column = np.argmax(rows > 0), np.argmax(columns > 0)
    top, left = first_row + 1 - rows[first_row], first_column + 1 - columns[first_column]
    return np.array([left, top, left + columns.sum(), top + rows.sum()])


@pytest.mark.parametrize(("center", "side"), [((55.0, 40.0), 64.0), ((50.3, 37.6), 48.0), ((60.0, 45.0), 100.0)])
def test_a_drawn_square_lands_where_the_affine_says(center: tuple[float, float], side: float) -> None:
    affine = crop_affine(*center, side, 64)
    crop = warp(_drawn(), affine, 64, (0.0, 0.0, 0.0))
    told = apply(affine, np.array([[40, 30], [70, 50]], np.float32)).ravel()
    assert np.abs(_edges(crop) - told).max() < 0.6


def test_compose_applies_the_inner_one_first() -> None:
    inner, outer = motion_affine(10, 20, 2.0, 0.5, 0.3), crop_affine(30, 30, 40, 64)
    point = np.array([[12.0, 5.0]], np.float32)
    both = apply(compose(outer, inner), point)
    assert np.allclose(both, apply(outer, apply(inner, point).astype(np.float32)), atol=1e-4)


def test_motion_keeps_its_centre_and_turns_x_towards_y() -> None:
    affine = motion_affine(10, 20, 1.0, 1.0, np.pi / 2)
    moved = apply(affine, np.array([[10, 20], [11, 20]], np.float32))
    assert np.allclose(moved, [[10, 20], [10, 21]], atol=1e-6)


def test_feather_stays_inside_and_paste_follows_it() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 255
    soft = feather(mask)
    assert (soft[mask == 0] == 0).all()
    assert soft[10, 10] == 255
    laid = paste(np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 200, np.uint8), soft)
    assert laid[10, 10, 0] == 200
    assert laid[2, 2, 0] == 0


def test_colour_without_change_is_the_picture() -> None:
    picture = _drawn()
    assert (colour(picture, np.ones(3), 0.0, 1.0) == picture).all()
