from __future__ import annotations

import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.data.sequence import VALIDATION, read_boxes, read_development, read_sequences, recording_of

pytestmark = pytest.mark.pure


@pytest.fixture
def root(tmp_path):
    for name in ("DTB70/Gull", "OTB2015/Jogging-1", "OTB2015/Jogging-2"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "video.mp4").write_bytes(b"not looked at")
        (folder / "groundtruth.txt").write_text("1,2,30,40\nnan,nan,nan,nan\n3,4,30,0\n5,6,30.5,40.25\n")
    return tmp_path


def test_sequences_come_sorted_with_absent_frames_as_nan(root):
    sequences = read_sequences(root)
    assert [s.name for s in sequences] == ["DTB70/Gull", "OTB2015/Jogging-1", "OTB2015/Jogging-2"]
    assert sequences[0].first_box == Box(1, 2, 30, 40)
    assert np.isnan(sequences[0].boxes[1:3]).all()
    np.testing.assert_array_equal(sequences[0].boxes[3], [5, 6, 30.5, 40.25])


def test_names_choose_with_and_without_source(root):
    assert [s.name for s in read_sequences(root, ["Gull", "OTB2015/Jogging-2"])] == ["DTB70/Gull", "OTB2015/Jogging-2"]


@pytest.mark.parametrize(("wanted", "nearest"), [("Gul", "'Gull'"), ("OTB2015/Joging-1", "'OTB2015/Jogging-1'")])
def test_an_unknown_name_is_refused_with_the_nearest(root, wanted, nearest):
    with pytest.raises(DataError, match=nearest):
        read_sequences(root, [wanted])


def test_no_sequences_no_video_and_bad_annotations_are_refused(tmp_path, root):
    with pytest.raises(DataError, match="holds no sequences"):
        read_sequences(tmp_path / "nowhere")
    (root / "DTB70/Gull/video.mp4").unlink()
    with pytest.raises(DataError, match="has no video"):
        read_sequences(root)
    bad = tmp_path / "bad.txt"
    bad.write_text("1,2,3\n")
    with pytest.raises(DataError, match="4 numbers"):
        read_boxes(bad)
    bad.write_text("one,two\n")
    with pytest.raises(DataError, match="cannot be read"):
        read_boxes(bad)


def test_a_sequence_that_starts_without_its_target_says_so(root):
    (root / "DTB70/Gull/groundtruth.txt").write_text("nan,nan,nan,nan\n1,2,3,4\n")
    with pytest.raises(DataError, match="absent from the first frame"):
        _ = read_sequences(root, ["Gull"])[0].first_box


def test_masks_are_one_a_frame_or_refused(root):
    folder = root / "DTB70/Gull/mask"
    folder.mkdir()
    for number in range(1, 5):
        cv2.imwrite(str(folder / f"{number:06d}.png"), np.zeros((4, 4), np.uint8))
    assert [p.name for p in read_sequences(root)[0].mask_paths] == [f"{n:06d}.png" for n in range(1, 5)]
    (folder / "000004.png").unlink()
    with pytest.raises(DataError, match="3 masks and 4 boxes"):
        read_sequences(root)


def test_groups_follow_source_size_and_length(root):
    folder = root / "DTB70/Gull"
    folder.joinpath("groundtruth.txt").write_text("1,2,30,11\n" * 301)
    assert read_sequences(root, ["Gull"])[0].groups == ("aerial", "tiny", "long")
    folder.joinpath("groundtruth.txt").write_text("1,2,30,11.5\n" * 300)
    assert read_sequences(root, ["Gull"])[0].groups == ("aerial",)


def test_parts_of_one_video_share_a_recording():
    pairs = [
        ("OTB2015/Jogging-1", "OTB2015/Jogging-2"),
        ("UAV123_10fps/car16_1", "UAV123_10fps/car16_2"),
        ("UAV123_10fps/truck4_1", "UAV123_10fps/truck4_2"),
        ("DAVIS2017-train/schoolgirls_1", "DAVIS2017-train/schoolgirls_7"),
    ]
    assert all(recording_of(first) == recording_of(second) for first, second in pairs)
    assert recording_of("UAV123/car6_1") == recording_of("UAV123/car6_5") != recording_of("UAV123_10fps/car6_1")
    assert recording_of("DAVIS/horse_1") == recording_of("DAVIS/horse_2")
    assert recording_of("UAV123_10fps/wakeboard3") == "UAV123_10fps/wakeboard3"
    assert len({recording_of(name) for name in VALIDATION}) == 12


def test_the_development_set_is_what_is_evaluated_and_what_is_held_out_of_training(tmp_path):
    names = ["eval/VOT/bag", "train_video/VOT/car1", *(f"train_video/{name}" for name in VALIDATION)]
    for name in names:
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "video.mp4").touch()
        (tmp_path / name / "groundtruth.txt").write_text("1,2,3,4\n")
    assert [s.name for s in read_development(tmp_path)] == sorted(["VOT/bag", *VALIDATION])
    assert [s.name for s in read_development(tmp_path, ["bag", "TinyTLP/Drone1"])] == ["TinyTLP/Drone1", "VOT/bag"]
    with pytest.raises(DataError, match="car1"):
        read_development(tmp_path, ["car1"])
    (tmp_path / "train_video/TLD/pedestrian2/groundtruth.txt").unlink()
    with pytest.raises(DataError, match="TLD/pedestrian2"):
        read_development(tmp_path)


def test_of_the_development_set_too_what_cannot_be_read_is_noted_where_that_is_asked_for(tmp_path):
    for name in ("eval/VOT/bag", *(f"train_video/{name}" for name in VALIDATION)):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "video.mp4").touch()
        (tmp_path / name / "groundtruth.txt").write_text("1,2,3,4\n")
    (tmp_path / "eval/VOT/bag/groundtruth.txt").write_text("")
    failed: dict[str, str] = {}
    assert [s.name for s in read_development(tmp_path, failed=failed)] == sorted(VALIDATION)
    assert list(failed) == ["VOT/bag"]
    assert "groundtruth.txt is empty" in failed["VOT/bag"]
    with pytest.raises(DataError, match="is empty"):
        read_development(tmp_path)
    with pytest.raises(DataError, match="is empty"):
        read_development(tmp_path, ["bag"], failed={})
