from __future__ import annotations

import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.mask_metrics import boundary_f, contour, dilated, jaccard, mask_scores
from stm_tracker_ros.core.masks import binary

pytestmark = pytest.mark.pure


def drawn(picture: str) -> np.ndarray:
    rows = picture.split()
    return np.array([[character == "#" for character in row] for row in rows])


def block(rows: slice, columns: slice, shape=(60, 80)) -> np.ndarray:
    """On 60 x 80 px, whose diagonal of 100 px makes the tolerance 0.8 px, rounded up to 1."""
    mask = np.zeros(shape, np.uint8)
    mask[rows, columns] = 255
    return mask


EMPTY = block(slice(0), slice(0))


def test_j_by_hand():
    first, second = block(slice(10, 20), slice(10, 20)), block(slice(10, 20), slice(15, 25))
    assert jaccard(first, first) == 1
    assert jaccard(first, second) == 50 / 150
    assert jaccard(first, block(slice(30, 40), slice(10, 20))) == 0
    assert jaccard(first > 0, second // 255) == 50 / 150


def test_both_empty_agree_and_one_empty_does_not():
    something = block(slice(10, 20), slice(10, 20))
    assert (jaccard(EMPTY, EMPTY), boundary_f(EMPTY, EMPTY)) == (1, 1)
    assert (jaccard(EMPTY, something), boundary_f(EMPTY, something)) == (0, 0)
    assert (jaccard(something, EMPTY), boundary_f(something, EMPTY)) == (0, 0)


def test_a_contour_lies_on_both_sides_of_upper_left_edges_as_the_benchmark_has_it():
    mask = drawn("""
        ......
        ......
        ..##..
        ..##..
        ......
    """)
    expected = drawn("""
        ......
        .###..
        .#.#..
        .###..
        ......
    """)
    assert (contour(mask) == expected).all()


def test_the_border_of_the_image_is_no_contour():
    assert not contour(np.ones((5, 7), bool)).any()
    mask = drawn("""
        ..##
        ..##
    """)
    assert (contour(mask) == drawn(".#.. .#..")).all()


def test_a_dilated_point_is_a_disk():
    point = np.zeros((9, 9), bool)
    point[4, 4] = True
    disk = drawn("""
        .........
        ....#....
        ..#####..
        ..#####..
        .#######.
        ..#####..
        ..#####..
        ....#....
        .........
    """)
    assert (dilated(point, 3) == disk).all()
    assert (dilated(point, 0) == point).all()


@pytest.mark.parametrize("radius", [1, 2, 5, 8])
def test_dilation_against_the_distance_to_every_set_pixel(radius):
    flags = np.random.default_rng(radius).random((37, 53)) > 0.98
    flags[0, 0] = flags[-1, -1] = True
    rows, columns = np.nonzero(flags)
    grid = np.mgrid[0:37, 0:53]
    squared = (grid[0][..., None] - rows) ** 2 + (grid[1][..., None] - columns) ** 2
    assert (dilated(flags, radius) == (squared.min(-1) <= radius**2)).all()


def test_f_allows_a_shift_within_the_tolerance_and_no_more():
    truth = block(slice(10, 30), slice(10, 30))
    assert boundary_f(block(slice(11, 31), slice(10, 30)), truth) == 1
    # Shifted by 2 the upper and lower edges miss, 20 pixels each but for their ends; the sides still lie on each other.
    assert 0.5 < boundary_f(block(slice(12, 32), slice(10, 30)), truth) < 0.7


def test_f_by_hand():
    """Truth: an edge down the image between columns 39 and 40. Answer: the same and another 20 columns on."""
    truth, answer = block(slice(None), slice(40, None)), block(slice(None), slice(40, 60))
    precision, recall = 60 / 120, 1.0
    assert boundary_f(answer, truth) == pytest.approx(2 * precision * recall / (precision + recall))
    assert boundary_f(truth, answer) == pytest.approx(boundary_f(answer, truth))


def test_f_of_contours_far_apart_is_0():
    assert boundary_f(block(slice(40, 50), slice(60, 70)), block(slice(5, 15), slice(5, 15))) == 0


def test_the_tolerance_follows_the_diagonal():
    """480 x 640: 0.008 * 800 = 6.4, so 7 px."""
    truth, shape = block(slice(None), slice(320, None), (480, 640)), (480, 640)
    assert boundary_f(block(slice(None), slice(327, None), shape), truth) == 1
    assert boundary_f(block(slice(None), slice(328, None), shape), truth) == 0


def test_f_against_dilation_by_opencv():
    rng = np.random.default_rng(0)
    first, second = (cv2.GaussianBlur(rng.random((120, 160)).astype(np.float32), (0, 0), 6) > 0.5 for _ in range(2))
    radius = 2  # 0.008 * 200 = 1.6
    disk = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    edges = [contour(mask) for mask in (first, second)]
    wide = [cv2.dilate(edge.astype(np.uint8), disk.astype(np.uint8)) > 0 for edge in edges]
    precision, recall = (edges[0] & wide[1]).sum() / edges[0].sum(), (edges[1] & wide[0]).sum() / edges[1].sum()
    assert boundary_f(first, second) == pytest.approx(2 * precision * recall / (precision + recall))


def test_means_over_frames():
    truth = block(slice(10, 20), slice(10, 20))
    assert mask_scores([(truth, truth), (EMPTY, truth)]) == {"j_mean": 0.5, "f_mean": 0.5}
    with pytest.raises(DataError, match="no frame"):
        mask_scores([])


def test_sizes_must_agree():
    with pytest.raises(DataError, match=r"\(60, 80\)"):
        jaccard(np.zeros((80, 60)), EMPTY)
    with pytest.raises(DataError, match=r"\(60, 80\)"):
        boundary_f(np.zeros((80, 60)), EMPTY)


def test_a_binary_mask_is_255_wherever_the_given_one_is_not_0():
    given = np.array([[0.0, 0.2, np.nan], [-1, 1, 300]])
    assert binary(given).tolist() == [[0, 255, 0], [255, 255, 255]]
    assert binary(given).dtype == np.uint8
    assert binary(np.array([[True, False]])).tolist() == [[255, 0]]
