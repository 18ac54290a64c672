"""Data sets as they are downloaded: which sequences, which images, which boxes, absent where."""

from __future__ import annotations

import shutil

import made_data_sets as made
import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.labels import read_labels
from stm_tracker_ros.data.layouts import uav123
from stm_tracker_ros.data.layouts.images import images_in, images_of_boxes
from stm_tracker_ros.data.sequence import read_sequences

pytestmark = pytest.mark.pure


def by_name(root, names=None):
    return {sequence.name: sequence for sequence in read_sequences(root, names)}


def shown(sequence):
    """Which picture each frame is, by where its block begins; also asserts that stamps and gaps are in order."""
    frames = list(sequence.frames())
    assert [frame.stamp_ns for frame in frames] == [round(i * 1e9 / 30) for i in range(len(frames))]
    return [round((np.flatnonzero(frame.bgr()[30, :, 0] > 128)[0] - 10) / made.STEP_PX) for frame in frames]


def assert_boxes(sequence, first=0, absent=()):
    expected = np.array([made.box(first + number) for number in range(len(sequence.boxes))])
    expected[list(absent)] = np.nan
    np.testing.assert_array_equal(sequence.boxes, expected)


@pytest.mark.parametrize("place", ["", "img", "color", "frames"])
def test_images_take_the_place_of_the_video_in_the_order_of_their_numbers(tmp_path, place):
    folder = made.folder(tmp_path, "mine/walk", count=12, place=place)
    (folder / place / ".5.png").write_bytes(b"")
    assert [path.name for path in images_in(folder / place)] == [f"{number}.png" for number in range(12)]
    sequence = by_name(tmp_path)["mine/walk"]
    assert [path.name for path in sequence.images] == [f"{number}.png" for number in range(12)]
    assert shown(sequence) == list(range(12))
    assert_boxes(sequence)


def test_sequences_may_lie_right_in_the_folder(tmp_path):
    made.folder(tmp_path / "flat", "walk")
    made.folder(tmp_path / "flat", "run")
    assert list(by_name(tmp_path / "flat")) == ["flat/run", "flat/walk"]


def test_names_choose_a_whole_source(tmp_path):
    for name in ("one/walk", "one/run", "two/walk"):
        made.folder(tmp_path, name)
    assert list(by_name(tmp_path, ["one"])) == ["one/run", "one/walk"]


def test_otb_counts_pixels_from_1_and_has_a_file_of_boxes_a_target(tmp_path):
    found = by_name(made.otb(tmp_path))
    assert list(found) == [
        f"OTB2015/{name}" for name in ("Bolt", "David", "Football1", "Human4-2", "Jogging-1", "Jogging-2")
    ]
    for name in ("Bolt", "Football1", "Human4-2", "Jogging-1", "Jogging-2"):
        assert_boxes(found[f"OTB2015/{name}"])
        assert shown(found[f"OTB2015/{name}"]) == [0, 1, 2, 3, 4]
    assert found["OTB2015/Jogging-1"].recording == found["OTB2015/Jogging-2"].recording


def test_otb_sequences_begin_where_the_benchmark_says(tmp_path):
    david = by_name(made.otb(tmp_path))["OTB2015/David"]
    assert [path.name for path in david.images] == [f"0{number}.jpg" for number in range(300, 305)]
    assert shown(david) == [4, 5, 6, 7, 8]
    assert_boxes(david, first=4)


@pytest.mark.parametrize(
    ("data_set", "starts", "first"),
    [("UAV123", (1, 415), "000415.jpg"), ("UAV123_10fps", (1, 139), "000139.jpg")],
)
def test_uav123_sequences_are_parts_of_folders(tmp_path, data_set, starts, first):
    found = by_name(made.uav123(tmp_path, data_set, starts))
    assert list(found) == [f"{data_set}/{name}" for name in ("bike1", "car16_1", "car16_2")]
    assert_boxes(found[f"{data_set}/bike1"], absent=[2])
    assert found[f"{data_set}/car16_2"].images[0].name == first
    assert shown(found[f"{data_set}/car16_2"]) == [0, 1, 2, 3, 4]
    assert "aerial" in found[f"{data_set}/bike1"].groups


def test_uav20l_lies_on_the_images_of_uav123(tmp_path):
    made.uav123(tmp_path)
    (tmp_path / "anno/UAV20L").mkdir()
    (tmp_path / "anno/UAV20L/bike1.txt").write_text(made.lines(4, ",", plus=1))
    found = by_name(tmp_path, ["UAV20L"])
    assert [path.parent.name for path in found["UAV20L/bike1"].images] == ["bike1"] * 4


def test_the_benchmarks_own_list_tells_where_unknown_parts_begin(tmp_path):
    made.uav123(tmp_path)
    (tmp_path / "anno/UAV123/car16_3.txt").write_text(made.lines(3, ",", plus=1, first=1))
    with pytest.raises(DataError, match=r"no folder car16_3.*configSeqs\.m"):
        read_sequences(tmp_path)
    (tmp_path / "configSeqs.m").write_text(
        r"seq={struct('name','car16_3','path','D:\data_seq\UAV20L\car16\','startFrame',1,'endFrame',3),..."
        "\n"
        r"struct('name','car16_3','path','D:\data_seq\UAV123\car16\','startFrame',416,'endFrame',418)};"
    )
    part = by_name(tmp_path)["UAV123/car16_3"]
    assert [path.name for path in part.images] == ["000416.jpg", "000417.jpg", "000418.jpg"]


def test_parts_of_uav123_begin_in_order_and_at_10_hz_on_every_third_image():
    assert sum(map(len, uav123.FIRST_IMAGES.values())) == 51
    for starts in uav123.FIRST_IMAGES.values():
        assert starts[0] == 1
        assert list(starts) == sorted(starts)
        assert all(start % 3 == 1 for start in starts)


def test_got10k_is_absent_where_either_label_says_so(tmp_path):
    made.got10k(tmp_path / "val")
    for root in (tmp_path, tmp_path / "val"):
        sequence = by_name(root)["GOT-10k-val/GOT-10k_Val_000001"]
        assert_boxes(sequence, absent=[2, 3])
        assert shown(sequence) == [0, 1, 2, 3, 4]


def test_got10k_reads_val_of_several_splits_and_says_so(tmp_path, caplog):
    for split in ("train", "val", "test"):
        made.got10k(tmp_path / split)
    assert list(by_name(tmp_path)) == ["GOT-10k-val/GOT-10k_Val_000001"]
    assert "val is read" in caplog.text


def test_got10k_test_split_is_refused(tmp_path):
    made.got10k(tmp_path / "test")
    with pytest.raises(DataError, match="only the first boxes are public"):
        read_sequences(tmp_path)


def test_got10k_labels_of_another_length_are_refused(tmp_path):
    made.got10k(tmp_path / "val").joinpath("cover.label").write_text("8\n8\n")
    with pytest.raises(DataError, match="2 labels for 5 boxes"):
        read_sequences(tmp_path)


def test_davis_has_a_sequence_an_object_and_reads_the_list_of_validation(tmp_path):
    found = by_name(made.davis(tmp_path))
    assert list(found) == ["DAVIS2017-val/dog_1", "DAVIS2017-val/dog_2"]
    assert_boxes(found["DAVIS2017-val/dog_1"])
    np.testing.assert_array_equal(found["DAVIS2017-val/dog_2"].boxes[[0, 4]], [(5, 60, 10, 10)] * 2)
    assert np.isnan(found["DAVIS2017-val/dog_2"].boxes[2]).all()
    np.testing.assert_array_equal(found["DAVIS2017-val/dog_1"].mask(3), made.mask(3))
    assert not found["DAVIS2017-val/dog_2"].mask(2).any()
    assert found["DAVIS2017-val/dog_1"].recording == "DAVIS2017-val/dog"


def test_davis_without_lists_is_all_that_lies_there_and_2016_is_one_object(tmp_path):
    made.davis(tmp_path)
    shutil.rmtree(tmp_path / "ImageSets")
    for number in range(5):
        made.cv2.imwrite(str(tmp_path / f"Annotations/480p/bear/{number:05d}.png"), made.mask(number))
    found = by_name(tmp_path)
    assert list(found) == ["DAVIS/bear", "DAVIS/dog_1", "DAVIS/dog_2"]
    assert_boxes(found["DAVIS/bear"])
    np.testing.assert_array_equal(found["DAVIS/bear"].first_mask, made.mask(0))


def test_davis_lists_of_2016_are_of_images(tmp_path):
    made.davis(tmp_path)
    shutil.rmtree(tmp_path / "ImageSets")
    (tmp_path / "ImageSets/480p").mkdir(parents=True)
    line = "/JPEGImages/480p/bear/{0:05d}.jpg /Annotations/480p/bear/{0:05d}.png\n"
    (tmp_path / "ImageSets/480p/val.txt").write_text("".join(line.format(number) for number in range(5)))
    assert {sequence.source for sequence in read_sequences(tmp_path)} == {"DAVIS2016-val"}
    assert {name.split("/")[1] for name in by_name(tmp_path)} == {"bear_1", "bear_2"}


def test_davis_with_the_first_mask_only_is_refused(tmp_path):
    made.davis(tmp_path)
    for number in range(1, 5):
        (tmp_path / f"Annotations/480p/dog/{number:05d}.png").unlink()
    with pytest.raises(DataError, match="5 images and 1 masks"):
        read_sequences(tmp_path)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_labels_are_the_indices_of_a_palette_whatever_its_colours(tmp_path, depth):
    labels = np.arange(2**depth, dtype=np.uint8).repeat(8).reshape(2**depth, 8)
    path = tmp_path / "labels.png"
    pillow = pytest.importorskip("PIL.Image")
    image = pillow.fromarray(labels, mode="P")
    image.putpalette([0, 0, 0] + [128, 0, 0] * (2**depth - 1))
    image.save(path, bits=depth)
    assert path.read_bytes()[24:26] == bytes((depth, 3))
    np.testing.assert_array_equal(read_labels(path), labels)


def test_davis_names_images_by_their_masks(tmp_path):
    made.davis(tmp_path)
    (tmp_path / "JPEGImages/480p/dog/00001.jpg").unlink()
    sequence = by_name(tmp_path)["DAVIS2017-val/dog_1"]
    with pytest.raises(DataError, match=r"4 images for 5 boxes; .*00001\.jpg"):
        sequence.frames()


def test_a_folder_of_none_says_what_was_looked_for(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match="looked for") as error:
        read_sequences(tmp_path)
    for word in ("DAVIS", "UAV123", "OTB", "GOT-10k", "groundtruth.txt", "video.mp4"):
        assert word in str(error.value)
    with pytest.raises(DataError, match="no folder"):
        read_sequences(tmp_path / "photos.zip")


@pytest.mark.parametrize("make", [made.otb, made.uav123, made.davis, lambda root: made.got10k(root / "val")])
def test_a_folder_around_it_all_is_looked_into(make, tmp_path):
    make(tmp_path / "inside")
    plain = list(by_name(tmp_path / "inside"))
    make(tmp_path / "outer/archive/data")
    (tmp_path / "outer/__MACOSX").mkdir()
    assert list(by_name(tmp_path / "outer")) == plain
    (tmp_path / "outer/archive/other").mkdir()
    with pytest.raises(DataError, match="holds no sequences"):
        read_sequences(tmp_path / "outer")


def test_a_missing_image_leaves_the_others_where_they_are_and_is_named(tmp_path):
    folder = made.folder(tmp_path, "mine/walk")
    (folder / "2.png").unlink()
    sequence = by_name(tmp_path)["mine/walk"]
    assert [path.name for path in sequence.images] == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    with pytest.raises(DataError, match=r"4 images for 5 boxes; .*2\.png is the first"):
        sequence.frames()
    assert len(list(sequence.frames(count=2))) == 2


def test_an_image_that_cannot_be_read_is_a_gap_and_the_first_one_an_error(tmp_path, caplog):
    folder = made.folder(tmp_path, "mine/walk")
    (folder / "2.png").write_bytes(b"")
    frames = list(by_name(tmp_path)["mine/walk"].frames())
    assert [frame.gap for frame in frames] == [0, 0, 1, 0]
    assert frames[2].stamp_ns == 100_000_000
    assert "2.png" in caplog.text
    (folder / "0.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"0\.png"):
        next(by_name(tmp_path)["mine/walk"].frames())


def test_boxes_that_belong_to_other_frames_or_are_polygons_are_refused(tmp_path):
    folder = made.folder(tmp_path, "mine/walk")
    (folder / "groundtruth.txt").write_text("1,2,3,4\n\n1,2,3,4\n")
    with pytest.raises(DataError, match="line 2 has 0 numbers"):
        read_sequences(tmp_path)
    (folder / "groundtruth.txt").write_text("1,2,3,4,5,6,7,8\n" * 5)
    with pytest.raises(DataError, match="polygons are not read"):
        read_sequences(tmp_path)
    (folder / "groundtruth.txt").write_text("1,2,3,4\n")
    with pytest.raises(DataError, match="true box of the first one only"):
        read_sequences(tmp_path)


def said(caplog):
    messages = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return messages


def test_a_truth_of_otb_shorter_or_longer_than_its_images_is_told_unless_the_benchmark_says_so(tmp_path, caplog):
    made.write_pictures(tmp_path / "Bolt/img", "{:04d}.jpg", range(1, 6))
    truth = tmp_path / "Bolt/groundtruth_rect.txt"
    told = {3: "those after the last box are left out", 6: "what needs one of the missing images fails"}
    for count, done in told.items():
        truth.write_text(made.lines(count, plus=1))
        assert len(by_name(tmp_path)["OTB2015/Bolt"].boxes) == count
        assert said(caplog) == [f"OTB2015/Bolt has 5 images and {count} boxes: {done}"]
    truth.write_text(made.lines(5, plus=1))
    made.write_pictures(tmp_path / "David/img", "{:04d}.jpg", range(298, 773))
    (tmp_path / "David/groundtruth_rect.txt").write_text(made.lines(471, plus=1))
    by_name(tmp_path)
    assert said(caplog) == []
    (tmp_path / "David/groundtruth_rect.txt").write_text(made.lines(470, plus=1))
    by_name(tmp_path)
    assert said(caplog) == ["OTB2015/David has 473 images and 470 boxes: those after the last box are left out"]


def test_a_truth_of_uav123_shorter_or_longer_than_its_images_is_told_where_none_are_anothers(tmp_path, caplog):
    made.uav123(tmp_path)
    by_name(tmp_path)
    assert said(caplog) == []
    (tmp_path / "anno/UAV123/bike1.txt").write_text(made.lines(4, plus=1))
    (tmp_path / "anno/UAV123/car16_1.txt").write_text(made.lines(4, plus=1))
    (tmp_path / "anno/UAV123/car16_2.txt").write_text(made.lines(6, plus=1))
    by_name(tmp_path)
    assert said(caplog) == [
        "UAV123/bike1 has 5 images and 4 boxes: those after the last box are left out",
        "UAV123/car16_2 has 5 images and 6 boxes: what needs one of the missing images fails",
    ]


def test_an_image_too_many_does_not_stand_in_for_one_that_is_missing(tmp_path):
    made.write_pictures(tmp_path, "{:04d}.png", (1, 2, 4, 5, 6))
    assert [path.name for path in images_of_boxes(tmp_path, 5)] == [f"{number:04d}.png" for number in range(1, 6)]


@pytest.mark.parametrize("numbers", [(7, 12, 17, 31, 36), (175304, 211, 8042, 99, 5)], ids=["every fifth", "stamps"])
def test_images_whose_numbers_are_no_count_belong_to_the_boxes_in_order(tmp_path, numbers):
    made.write_pictures(tmp_path, "{}.png", numbers)
    assert [path.name for path in images_of_boxes(tmp_path, 5)] == [f"{number}.png" for number in sorted(numbers)]
