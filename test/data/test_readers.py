from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.readers import frames, open_source, stamp_of

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


@pytest.mark.parametrize("fps", [0, 1e308, float("inf"), float("nan")])
def test_a_rate_whose_stamps_mean_nothing_is_refused(folder, fps):
    with pytest.raises(DataError, match=r"fps is .*; allowed are 0\.001 to 100000 frames"):
        frames(folder, fps=fps)


def test_an_unreadable_image_is_a_gap_that_keeps_the_numbers_of_the_others(folder, caplog):
    (folder / "001.png").write_bytes(b"")
    source = open_source(folder, fps=10)
    stream = list(source)
    assert [(f.stamp_ns, f.gap) for f in stream] == [(0, 0), (200_000_000, 1)]
    assert source.troubles[0].startswith("1 image is a gap in ")
    assert "001.png" in source.troubles[0]
    assert "001.png" in caplog.text


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_the_image_that_the_target_is_given_on_has_to_be_readable(folder, content):
    (folder / "001.png").write_bytes(content)
    with pytest.raises(DataError, match=r"001\.png.*frame 1"):
        list(open_source(folder, start=1))
    assert len(list(open_source(folder, start=2))) == 1


def test_a_link_to_nothing_and_a_cut_jpeg_are_gaps(folder, caplog):
    (folder / "003.png").symlink_to("nowhere.png")
    jpeg = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8))[1].tobytes()
    (folder / "004.jpg").write_bytes(jpeg)
    (folder / "005.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    source = open_source(folder)
    assert len(list(source)) == 4
    assert "003.png, 005.jpg" in source.troubles[0]
    assert "005.jpg cannot be read as an image: it is cut short" in caplog.text


def test_of_many_gaps_the_first_are_named_and_all_counted(folder):
    for number in range(10, 17):
        (folder / f"{number:03d}.png").write_bytes(b"")
    source = open_source(folder)
    list(source)
    assert source.troubles[0].startswith("7 images are gaps in ")
    assert source.troubles[0].endswith("010.png, 011.png, 012.png, 013.png, 014.png and 2 more")


def test_a_frame_beyond_the_end_is_refused(folder):
    with pytest.raises(DataError, match="holds 3 images; frame 3"):
        list(open_source(folder, start=3))


def test_what_exists_is_what_it_is(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("0001", "a:b", "rtsp:"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes((folder / "002.png").read_bytes())
        assert len(list(open_source(name))) == 1
    assert [int(f.bgr()[0, 0, 0]) for f in open_source("002.png")] == [100]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("98765", "camera 98765 cannot be opened"),
        ("9" * 30, "cannot be opened"),
        ("/dev/null", "is a device"),
        ("rtsp://name:secret@127.0.0.1:1/x", "rtsp://127.0.0.1:1/x cannot be opened"),
        ("rtsp://name:se@cret@127.0.0.1:1/x", "rtsp://127.0.0.1:1/x cannot be opened"),
        ("nothing/here", "does not exist"),
    ],
)
def test_what_is_no_source_is_refused_as_what_it_is(source, words):
    with pytest.raises(DataError, match=words):
        open_source(source)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "video.mp4")
    with pytest.raises(DataError, match="is a pipe"):
        open_source(tmp_path / "video.mp4")


def test_other_files_are_refused_with_what_is_known_of_them(tmp_path):
    (tmp_path / "notes.mp4").write_text("not a video")
    with pytest.raises(DataError, match="it is text"):
        open_source(tmp_path / "notes.mp4")


def test_a_topic_is_for_bags(folder):
    with pytest.raises(DataError, match="no bag"):
        open_source(folder, topic="/camera")
