from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.data import starts
from stm_tracker_ros.data.annotated import Sequence
from stm_tracker_ros.data.readers import stamp_of
from stm_tracker_ros.data.sequence import read_sequences
from stm_tracker_ros.data.starts import anchors, runs_of

pytestmark = pytest.mark.pure

ABSENT = (np.nan,) * 4


def boxes_of(count, absent=()):
    return np.array([ABSENT if n in absent else (float(n), 2.0, 10.0, 10.0) for n in range(count)])


def sequence(count, absent=()):
    return Sequence(name="A/one", path=Path("A/one"), boxes=boxes_of(count, absent))


def places(count, number, absent=()):
    return anchors(boxes_of(count, absent), number)


def test_anchors_are_spread_from_the_first_frame_to_the_last():
    assert places(101, 5) == [0, 25, 50, 75, 100]
    assert places(100, 4) == [0, 33, 66, 99]
    assert places(8, 3) == [0, 4, 7]  # 3.5 is rounded to the even neighbour
    assert places(101, 1) == [0]
    assert places(3, 7) == [0, 1, 2]


def test_an_anchor_moves_to_the_nearest_frame_with_the_target_and_two_that_meet_are_one():
    assert places(101, 5, absent=range(20, 28)) == [0, 28, 50, 75, 100]
    assert places(101, 3, absent=range(49, 52)) == [0, 48, 100]  # 48 and 52 are as near: the earlier one
    assert places(101, 5, absent=range(60)) == [60, 75, 100]
    assert places(101, 5, absent=range(101)) == []
    flat = boxes_of(101)
    flat[0, 2] = 0
    assert anchors(flat, 1) == [1]


def test_runs_go_the_longer_way_to_the_end_or_the_beginning():
    runs = runs_of(sequence(101), 5)
    assert [run.name for run in runs] == [f"A/one/start_{n:06d}" for n in (0, 25, 50, 75, 100)]
    assert [run.backward for run in runs] == [False, False, False, True, True]
    assert [len(run.boxes) for run in runs] == [101, 76, 51, 76, 101]
    assert [run.boxes[:, 0].tolist() for run in runs[2:4]] == [list(range(50, 101)), list(range(75, -1, -1))]
    assert runs[3].anchor == 75
    assert runs[3].first_box == Box(75, 2, 10, 10)
    assert runs_of(sequence(102), 3)[1].anchor == 50
    assert runs_of(sequence(102), 5)[2].backward is False
    assert runs_of(sequence(104), 3)[1].backward is True  # 52, and the middle is 51.5


def test_where_a_run_goes_is_told_by_where_its_anchor_has_moved_to():
    moved = runs_of(sequence(101, absent=range(48, 52)), 3)[1]
    assert (moved.anchor, moved.backward) == (52, True)


def test_a_run_ends_after_300_frames_or_earlier_if_that_is_asked_for():
    assert [len(run.boxes) for run in runs_of(sequence(700), 3)] == [300, 300, 300]
    assert [len(run.boxes) for run in runs_of(sequence(700), 3, 40)] == [40, 40, 40]
    assert [len(run.boxes) for run in runs_of(sequence(700), 1, 500)] == [300]


def test_runs_with_fewer_than_two_frames_to_score_are_left_out():
    assert [run.anchor for run in runs_of(sequence(50, absent=range(2, 50)), 2)] == []
    # From frame 0 two frames count; from 2 backward as well.
    assert [run.anchor for run in runs_of(sequence(50, absent=range(3, 50)), 2)] == [0]
    assert [run.anchor for run in runs_of(sequence(3), 2)] == [0, 2]
    assert [run.anchor for run in runs_of(sequence(3), 3)] == [0, 2]  # from the middle one frame
    assert runs_of(sequence(30), 3, 2) == []


def write_video(folder, count):
    folder.mkdir(parents=True)
    writer = cv2.VideoWriter(str(folder / "video.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, (96, 80))
    for number in range(count):
        writer.write(np.full((80, 96, 3), 6 * number, np.uint8))
    writer.release()
    (folder / "groundtruth.txt").write_text("1,2,3,4\n" * count)


@pytest.fixture
def video(tmp_path):
    write_video(tmp_path / "A/one", 30)
    return read_sequences(tmp_path)[0]


@pytest.mark.parametrize("chunk", [1, 3 * 96 * 80 * 3, 2**29], ids=["a frame", "three frames", "all"])
def test_the_pictures_of_a_video_come_in_the_order_of_play_with_stamps_from_0(chunk, video, monkeypatch):
    monkeypatch.setattr(starts, "CHUNK_BYTES", chunk)
    pictures = [frame.bgr() for frame in video.frames()]
    for run in runs_of(video, 5, 20):
        played = list(run.frames(25))
        assert [frame.stamp_ns for frame in played] == [stamp_of(n, 25) for n in range(len(run.boxes))]
        for frame, index in zip(played, run.order, strict=True):
            np.testing.assert_array_equal(frame.image, pictures[index])
        assert len(list(run.frames(25, 4))) == 4


def test_a_video_played_backward_is_never_held_whole(video, monkeypatch):
    size = 4
    monkeypatch.setattr(starts, "CHUNK_BYTES", size * 96 * 80 * 3)
    asked = []
    decode = starts._pictures
    monkeypatch.setattr(starts, "_pictures", lambda run, first, count: asked.append(count) or decode(run, first, count))
    backward = runs_of(video, 2)[1]
    assert len(list(backward.frames())) == 30
    assert asked == [4] * 7 + [2]


def test_a_video_cut_short_is_refused_wherever_a_run_starts(video):
    longer = replace(video, boxes=boxes_of(40))
    with pytest.raises(DataError, match=r"video.mp4 ends before frame 39"):
        list(runs_of(longer, 2)[1].frames())
    beyond = next(run for run in runs_of(longer, 21) if run.anchor == 18)
    assert len(list(beyond.frames())) == 12  # the runner counts them


def test_images_and_masks_come_in_the_order_of_play(tmp_path):
    folder = tmp_path / "A/one"
    (folder / "mask").mkdir(parents=True)
    for number in range(1, 7):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((8, 9, 3), number, np.uint8))
        cv2.imwrite(str(folder / f"mask/{number:06d}.png"), np.eye(8, 9, number - 3, np.uint8) * 255)
    (folder / "groundtruth.txt").write_text("1,2,3,4\n" * 6)
    (images,) = read_sequences(tmp_path)
    backward = runs_of(images, 2)[1]
    played = list(backward.frames(10))
    assert [int(frame.bgr()[0, 0, 0]) for frame in played] == [6, 5, 4, 3, 2, 1]
    assert [frame.stamp_ns for frame in played] == [n * 100_000_000 for n in range(6)]
    np.testing.assert_array_equal(backward.first_mask, images.mask(5))
    np.testing.assert_array_equal(backward.mask(5), images.mask(0))
