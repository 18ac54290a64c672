from __future__ import annotations

import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.video_writer import LONGEST_SIDE, VideoWriter

pytestmark = pytest.mark.pure


def images(count, height=80, width=97):
    return [np.full((height, width, 3), 20 * number, np.uint8) for number in range(count)]


def test_a_video_holds_every_image_and_odd_sizes_are_cut_to_even_ones(tmp_path):
    pytest.importorskip("av")
    path = tmp_path / "video.mp4"
    with VideoWriter(path, fps=10) as writer:
        for image in images(5):
            writer.write(image)
    capture = cv2.VideoCapture(str(path))
    found = [capture.read() for _ in range(6)]
    assert [ok for ok, _ in found] == [True] * 5 + [False]
    assert found[0][1].shape == (80, 96, 3)
    assert np.allclose([image.mean() for _, image in found[:5]], [0, 20, 40, 60, 80], atol=4)
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10)


def test_images_of_another_size_are_fitted_into_the_first_one(tmp_path):
    pytest.importorskip("av")
    path = tmp_path / "video.mp4"
    white = [np.full((height, width, 3), 255, np.uint8) for height, width in ((80, 96), (160, 192), (40, 96), (90, 30))]
    with VideoWriter(path) as writer:
        for image in white:
            writer.write(image)
    capture = cv2.VideoCapture(str(path))
    found = [capture.read()[1] for _ in white]
    assert {image.shape for image in found} == {(80, 96, 3)}
    shares = [float((image[..., 0] > 128).mean()) for image in found]
    assert shares == pytest.approx([1, 1, 0.5, 27 / 96], abs=0.03)


def test_a_place_that_is_none_is_refused(tmp_path):
    pytest.importorskip("av")
    with pytest.raises(DataError, match="cannot be written"):
        VideoWriter(tmp_path / "nowhere" / "video.mp4")


def test_a_picture_that_no_player_shows_is_made_smaller(tmp_path):
    pytest.importorskip("av")
    path = tmp_path / "wide.mp4"
    with VideoWriter(path) as writer:
        for _ in range(2):
            writer.write(np.full((64, 20_000, 3), 90, np.uint8))
    capture = cv2.VideoCapture(str(path))
    assert [capture.read()[1].shape for _ in range(2)] == [(26, LONGEST_SIDE, 3)] * 2
