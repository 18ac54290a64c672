from __future__ import annotations

import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.readers import frames, read_mask, stamp_of

pytestmark = pytest.mark.pure


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number:03d}.png"), np.full((6, 8, 3), number * 50, np.uint8))
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def test_a_folder_of_images_comes_in_order_of_names_with_stamps_of_the_rate(folder):
    stream = list(frames(folder, fps=10))
    assert [int(f.bgr()[0, 0, 0]) for f in stream] == [0, 50, 100]
    assert [f.stamp_ns for f in stream] == [0, 100_000_000, 200_000_000]


def test_a_video_gives_every_frame_and_its_container_rate_is_not_believed(tmp_path):
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (32, 24))
    for number in range(5):
        writer.write(np.full((24, 32, 3), number * 40, np.uint8))
    writer.release()
    stream = list(frames(path))
    assert [f.stamp_ns for f in stream] == [stamp_of(i, 30) for i in range(5)]
    assert np.allclose([f.bgr().mean() for f in stream], [0, 40, 80, 120, 160], atol=4)


def test_stamps_do_not_drift():
    assert stamp_of(30 * 3600 * 8, 30) == 3600 * 8 * 1_000_000_000


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p / "nothing.mp4", "does not exist"),
        (lambda p: p / "empty", "holds no images"),
        (lambda p: p / "broken.mp4", "cannot be opened|no image"),
    ],
)
def test_sources_without_images_are_refused(tmp_path, make, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.mp4").write_bytes(b"nonsense")
    with pytest.raises(DataError, match=words):
        list(frames(make(tmp_path)))


def test_a_rate_of_nothing_is_refused(folder):
    with pytest.raises(DataError, match="fps is 0"):
        frames(folder, fps=0)


def test_a_broken_image_in_a_folder_is_named(folder):
    (folder / "001.png").write_bytes(b"nonsense")
    with pytest.raises(DataError, match=r"001\.png"):
        list(frames(folder))


def test_masks_are_0_or_255(tmp_path):
    path = tmp_path / "mask.png"
    cv2.imwrite(str(path), np.array([[0, 1], [7, 255]], np.uint8))
    assert read_mask(path).tolist() == [[0, 255], [255, 255]]
    with pytest.raises(DataError, match="cannot be read as a mask"):
        read_mask(tmp_path / "none.png")
