"""`track` on pictures as they come: starts, gaps, masks with several objects, names of any kind."""

from __future__ import annotations

import csv
import os
import sys

import cv2
import numpy as np
import pytest
from masked_tracker import MaskedTracker

from stm_tracker_ros.cli import main, select_box, track
from stm_tracker_ros.cli.options import LoadedTracker
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.engine.config import StateConfig

pytestmark = pytest.mark.pure

GIVEN = Box(10, 12, 20, 30)


@pytest.fixture
def tracker(monkeypatch):
    """The commands run with this one."""
    tracker = MaskedTracker()

    def load(args):
        return LoadedTracker(
            tracker=tracker, name="x", weights=None, device="cpu", threads=1, changes={}, state_config=StateConfig()
        )

    monkeypatch.setattr(track, "load_tracker", load)
    return tracker


@pytest.fixture
def images(tmp_path):
    """A bright box of GIVEN's size on 12 images."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        picture = np.zeros((80, 96, 3), np.uint8)
        picture[12:42, 10:30] = 255
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


def run(source, out, *more, target=("--box", "10,12,20,30")):
    return main.main(["track", str(source), *target, "--out", str(out), *more])


def rows(out):
    with (out / "trajectory.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_target_may_be_on_a_later_frame_and_frames_keep_their_numbers(tracker, images, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(images, out, "--start", "7", "--max-frames", "3", "--fps", "10") == 0
    assert [(row["frame"], row["stamp_ns"]) for row in rows(out)] == [
        ("7", "700000000"),
        ("8", "800000000"),
        ("9", "900000000"),
    ]
    assert [path.name for path in sorted((out / "masks").iterdir())] == ["000007.png", "000008.png", "000009.png"]
    assert "3 frames tracked, 7 to 9" in capsys.readouterr().out


def test_images_of_another_aspect_are_lost_and_the_summary_says_why_once(tracker, images, tmp_path, capsys):
    for number in range(5, 8):
        cv2.imwrite(str(images / f"{number}.png"), np.zeros((80, 120, 3), np.uint8))
    assert run(images, tmp_path / "out", "--start", "1") == 0
    states = {int(row["frame"]): row["state"] for row in rows(tmp_path / "out")}
    assert [states[number] for number in range(3, 8)] == ["TRACKING", "TRACKING", "LOST", "LOST", "LOST"]
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "LOST" in line] == [
        "frame 5 is LOST: the image is 120 x 80 px now, the target was named on one of 96 x 80 px; allowed is another "
        "size of the same aspect: name the target again"
    ]


def test_where_nothing_stood_in_the_way_the_summary_says_nothing_of_it(tracker, images, tmp_path, capsys):
    assert run(images, tmp_path / "out") == 0
    assert "LOST" not in capsys.readouterr().out


def test_a_start_beyond_the_end_is_refused(tracker, images, tmp_path, capsys):
    assert run(images, tmp_path / "out", "--start", "12") == 2
    assert "holds 12 images; frame 12" in capsys.readouterr().err


def test_an_unreadable_image_is_told_twice_and_keeps_the_numbers(tracker, images, tmp_path, capsys, caplog):
    (images / "3.png").write_bytes(b"")
    assert run(images, tmp_path / "out") == 0
    assert [int(row["frame"]) for row in rows(tmp_path / "out")] == [0, 1, 2, *range(4, 12)]
    assert "3.png" in caplog.text
    assert "11 frames tracked, 0 to 11" in (said := capsys.readouterr().out)
    assert "3.png" in said


def test_of_several_objects_one_is_chosen(tracker, images, tmp_path, capsys):
    labels = np.zeros((80, 96), np.uint16)
    labels[12:42, 10:30], labels[60:70, 60:70] = 3, 400
    cv2.imwrite(str(tmp_path / "mask.png"), labels)
    target = ("--mask", str(tmp_path / "mask.png"))
    assert run(images, tmp_path / "out", target=target) == 2
    error = capsys.readouterr().err
    assert "3 (600 pixels, box 10,12,20,30); 400 (100 pixels, box 60,60,10,10)" in error
    assert "--mask-id" in error
    assert run(images, tmp_path / "out", "--mask-id", "3", target=target) == 0
    assert tracker.given[0].mask.sum() == 600 * 255
    assert run(images, tmp_path / "out", "--mask-id", "5", target=target) == 2
    assert "px has no label 5; it has 2 labels" in capsys.readouterr().err


def test_a_label_needs_a_mask(tracker, images, tmp_path, capsys):
    assert run(images, tmp_path / "out", "--mask-id", "3") == 2
    assert "--mask-id 3 was given without --mask" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "x", "#12345g"])
def test_what_is_no_label_is_refused(tracker, images, tmp_path, text, capsys):
    with pytest.raises(SystemExit):
        run(images, tmp_path / "out", f"--mask-id={text}")
    assert "is no label" in capsys.readouterr().err


def test_labels_may_be_colours():
    assert [track.label(text) for text in ("7", "0x10", "#00ff00")] == [7, 16, 0xFF00]


def test_the_box_may_be_drawn_on_the_first_frame_that_is_wanted(tracker, images, tmp_path, monkeypatch, capsys):
    shown = []

    def draw(image):
        shown.append(image)
        return (10, 12, 20, 30)

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "destroyWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "selectROI", lambda _, image, **__: draw(image))
    cv2.imwrite(str(images / "5.png"), np.full((80, 96, 3), 77, np.uint8))
    assert run(images, tmp_path / "out", "--start", "5", target=("--select",)) == 0
    assert shown[0].min() == shown[0].max() == 77
    assert [float(rows(tmp_path / "out")[0][name]) for name in ("x", "y", "width", "height")] == list(GIVEN)
    assert [int(row["frame"]) for row in rows(tmp_path / "out")] == list(range(5, 12))
    assert "--box 10,12,20,30" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("display", "drawn", "words"),
    [
        ("", None, "needs a display"),
        (":0", cv2.error("not implemented"), "build of OpenCV"),
        (":0", (0, 0, 0, 0), "no box was drawn"),
    ],
)
def test_where_nothing_can_be_drawn_it_is_said_before_tracking(
    tracker, images, tmp_path, monkeypatch, display, drawn, words, capsys
):
    def draw(*_, **__):
        if isinstance(drawn, Exception):
            raise drawn
        return drawn

    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(select_box.cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(select_box.cv2, "destroyWindow", lambda *_: None)
    monkeypatch.setattr(select_box.cv2, "selectROI", draw)
    assert run(images, tmp_path / "out", target=("--select",)) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_pyav_there_is_a_trajectory_and_the_extra_is_named(tracker, images, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "av", None)
    assert run(images, tmp_path / "out") == 0
    assert len(rows(tmp_path / "out")) == 12
    assert not (tmp_path / "out/overlay.mp4").exists()
    assert "pip install 'stm_tracker_ros[video]'" in capsys.readouterr().out


@pytest.mark.parametrize("name", [b"run:1", b"100%", b"a%03d", b"\xff\xfe"])
def test_results_go_into_folders_of_any_name(tracker, images, tmp_path, monkeypatch, name, capsys):
    pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    os.rename(images, b"in " + name)
    out = os.fsdecode(name)
    assert run(os.fsdecode(b"in " + name), out) == 0
    assert out.encode("utf-8", "backslashreplace").decode() in capsys.readouterr().out
    assert sorted(os.listdir(out)) == [".stm_tracker_files", "masks", "overlay.mp4", "trajectory.csv"]


def test_a_bag_is_tracked(monkeypatch, tracker, tmp_path):
    rosbag2 = pytest.importorskip("rosbags.rosbag2")
    typesys = pytest.importorskip("rosbags.typesys")
    store = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE)
    image, header = store.types["sensor_msgs/msg/Image"], store.types["std_msgs/msg/Header"]
    with rosbag2.Writer(tmp_path / "bag", version=9, storage_plugin=rosbag2.StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/camera", image.__msgtype__, typestore=store)
        pixels = np.zeros((80, 96), np.uint8)
        pixels[12:42, 10:30] = 255
        for second in range(1, 4):
            stamp = store.types["builtin_interfaces/msg/Time"](sec=second, nanosec=0)
            message = image(
                header=header(stamp=stamp, frame_id=""),
                height=80, width=96, encoding="mono8", is_bigendian=0, step=96, data=pixels.ravel(),
            )  # fmt: skip
            writer.write(connection, second, store.serialize_cdr(message, image.__msgtype__))
    assert run(tmp_path / "bag", tmp_path / "out", "--topic", "/camera") == 0
    assert [row["stamp_ns"] for row in rows(tmp_path / "out")] == ["1000000000", "2000000000", "3000000000"]
