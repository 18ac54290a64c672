"""`stm_tracker evaluate` on data sets as they are downloaded, on videos cut short, on images that cannot be read."""

from __future__ import annotations

import csv
import json
import shutil

import cv2
import made_data_sets as made
import numpy as np
import pytest
from masked_tracker import MaskedTracker

from stm_tracker_ros.cli import evaluate, main, options
from stm_tracker_ros.engine.config import StateConfig

pytestmark = pytest.mark.pure


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Evaluate with a tracker that finds the block; gives exit status and summary."""

    def load_tracker(args):
        return options.LoadedTracker(
            tracker=MaskedTracker(),
            name=args.tracker,
            weights=None,
            device=args.device,
            threads=1,
            changes={},
            state_config=StateConfig(),
        )

    monkeypatch.setattr(evaluate, "load_tracker", load_tracker)

    def run(data, *more):
        out = tmp_path / "out"
        status = main.main(["evaluate", "--data", str(data), "--out", str(out), *more])
        return status, json.loads((out / "summary.json").read_text())

    return run


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda root: made.folder(root, "mine/walk", place="img"), ["mine/walk"]),
        (made.otb, [f"OTB2015/{n}" for n in ["Bolt", "David", "Football1", "Human4-2", "Jogging-1", "Jogging-2"]]),
        (made.uav123, [f"UAV123/{n}" for n in ["bike1", "car16_1", "car16_2"]]),
        (lambda root: made.got10k(root / "val"), ["GOT-10k-val/GOT-10k_Val_000001"]),
        (made.davis, ["DAVIS2017-val/dog_1", "DAVIS2017-val/dog_2"]),
    ],
    ids=["images", "OTB", "UAV123", "GOT-10k", "DAVIS"],
)
def test_a_tracker_that_is_right_is_right_on_each(make, names, run, tmp_path):
    make(tmp_path / "data")
    status, summary = run(tmp_path / "data")
    assert status == 0
    assert list(summary["sequences"]) == names
    assert summary["failed"] == {}
    # Of JPEG the edge of the block is a pixel off at most; dog_2 is not what is bright.
    scores = [row["success_auc"] for name, row in summary["sequences"].items() if not name.endswith("dog_2")]
    assert min(scores) > 0.85
    if "DAVIS2017-val/dog_1" in names:
        assert summary["sequences"]["DAVIS2017-val/dog_1"]["j_mean"] > 0.9
        assert summary["sequences"]["DAVIS2017-val/dog_2"]["j_mean"] == 0


def test_davis_starts_from_the_mask_of_the_object(run, tmp_path):
    made.davis(tmp_path / "data")
    status, summary = run(tmp_path / "data", "--init", "mask", "--sequences", "dog_1")
    assert (status, summary["mask_sequence_count"]) == (0, 1)


def cut_short(folder, frames=3, boxes=5):
    folder.mkdir(parents=True)
    writer = cv2.VideoWriter(str(folder / "video.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, (made.WIDTH, made.HEIGHT))
    for number in range(frames):
        writer.write(made.picture(number))
    writer.release()
    (folder / "groundtruth.txt").write_text(made.lines(boxes))


@pytest.mark.parametrize("more", [(), ("--real-time", "--fps", "0.1")], ids=["one pass", "real time"])
def test_what_cannot_be_run_is_a_failure_and_the_others_are_done(run, tmp_path, capsys, more):
    cut_short(tmp_path / "data/mine/a_cut")
    (made.folder(tmp_path / "data", "mine/b_hole") / "2.png").unlink()
    (made.folder(tmp_path / "data", "mine/c_blind") / "0.png").write_bytes(b"")
    rows = made.lines(4)
    (made.folder(tmp_path / "data", "mine/d_absent") / "groundtruth.txt").write_text("nan,nan,nan,nan\n" + rows)
    made.folder(tmp_path / "data", "mine/whole")
    status, summary = run(tmp_path / "data", *more)
    assert status == 1
    assert list(summary["sequences"]) == ["mine/whole"]
    assert summary["sequence_count"] == 1
    failed = summary["failed"]
    assert list(failed) == ["mine/a_cut", "mine/b_hole", "mine/c_blind", "mine/d_absent"]
    assert "3 frames and 5 boxes" in failed["mine/a_cut"]
    assert "2.png is the first that is missing" in failed["mine/b_hole"]
    assert "0.png cannot be read" in failed["mine/c_blind"]
    assert "absent from the first frame" in failed["mine/d_absent"]
    error = capsys.readouterr().err
    assert all(f"failed: {name}: {reason}\n" in error for name, reason in failed.items())
    assert "4 of 5 sequences failed" in error
    assert not (tmp_path / "out/mine/a_cut/trajectory.csv").exists()


def no_images(data):
    for image in made.folder(data, "mine/broken").glob("*.png"):
        image.unlink()
    return "has no video.mp4 and no images"


def empty_boxes(data):
    (made.folder(data, "mine/broken") / "groundtruth.txt").write_text("")
    return "groundtruth.txt is empty"


def malformed_boxes(data):
    (made.folder(data, "mine/broken") / "groundtruth.txt").write_text("one,two\n" * 5)
    return "groundtruth.txt cannot be read as lines of x,y,w,h"


BROKEN = [no_images, empty_boxes, malformed_boxes]


@pytest.mark.parametrize("more", [(), ("--starts", "2")], ids=["one pass", "starts"])
@pytest.mark.parametrize("break_one", BROKEN, ids=lambda one: one.__name__)
def test_an_annotation_that_cannot_be_read_is_a_failure_and_the_others_are_done(break_one, more, run, tmp_path, capsys):
    reason = break_one(tmp_path / "data")
    made.folder(tmp_path / "data", "mine/whole")
    status, summary = run(tmp_path / "data", *more)
    assert status == 1
    assert list(summary["sequences"]) == ["mine/whole"]
    assert list(summary["failed"]) == ["mine/broken"]
    assert reason in summary["failed"]["mine/broken"]
    assert f"failed: mine/broken: {summary['failed']['mine/broken']}\n" in capsys.readouterr().err


@pytest.mark.parametrize("break_one", BROKEN, ids=lambda one: one.__name__)
def test_nothing_but_what_cannot_be_read_is_refused(break_one, tmp_path, capsys):
    reason = break_one(tmp_path / "data")
    assert main.main(["evaluate", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("broken", ["images", "boxes"])
def test_the_first_sequence_of_got10k_may_be_the_broken_one(broken, run, tmp_path):
    first = made.got10k(tmp_path / "data/val")
    shutil.copytree(first, first.with_name("GOT-10k_Val_000002"))
    for image in first.glob("*.jpg") if broken == "images" else ():
        image.unlink()
    if broken == "boxes":
        (first / "groundtruth.txt").write_text("")
    status, summary = run(tmp_path / "data")
    assert status == 1
    assert list(summary["failed"]) == ["GOT-10k-val/GOT-10k_Val_000001"]
    assert list(summary["sequences"]) == ["GOT-10k-val/GOT-10k_Val_000002"]


def test_a_first_mask_of_davis_that_cannot_be_read_costs_the_others_nothing(run, tmp_path):
    shutil.rmtree(made.davis(tmp_path / "data") / "ImageSets")
    (tmp_path / "data/Annotations/480p/bear/00000.png").write_bytes(b"no image")
    status, summary = run(tmp_path / "data")
    assert (status, list(summary["sequences"])) == (1, ["DAVIS/dog_1", "DAVIS/dog_2"])
    assert "00000.png cannot be read as a mask" in summary["failed"]["DAVIS/bear"]


def test_too_few_images_without_numbers_are_a_failure_of_each_run(run, tmp_path):
    for name, letters in (("whole", "abcde"), ("broken", "abc")):
        folder = made.folder(tmp_path / "data", f"mine/{name}")
        for image, letter in zip(sorted(folder.glob("*.png")), letters.ljust(5), strict=True):
            image.rename(folder / f"{letter}.png") if letter.strip() else image.unlink()
    status, summary = run(tmp_path / "data", "--starts", "2")
    assert (status, list(summary["sequences"])) == (1, ["mine/whole"])
    assert list(summary["failed"]) == ["mine/broken/start_000000", "mine/broken/start_000004"]
    assert "3 images for 5 boxes" in summary["failed"]["mine/broken/start_000004"]


def test_all_that_fails_is_named_too(run, tmp_path):
    cut_short(tmp_path / "data/mine/cut")
    status, summary = run(tmp_path / "data")
    assert (status, summary["sequence_count"], list(summary["failed"])) == (1, 0, ["mine/cut"])


def test_a_video_that_is_mended_counts_when_the_command_is_given_again(run, tmp_path):
    cut_short(tmp_path / "data/mine/cut")
    assert run(tmp_path / "data")[0] == 1
    (tmp_path / "data/mine/cut/video.mp4").unlink()
    made.write_pictures(tmp_path / "data/mine/cut", "{}.png", range(5))
    status, summary = run(tmp_path / "data")
    assert (status, summary["failed"], summary["sequence_count"]) == (0, {}, 1)


@pytest.mark.parametrize("kind", ["images", "frames"])
def test_a_truth_that_ends_early_is_told_with_both_numbers(kind, run, tmp_path, caplog):
    if kind == "frames":
        cut_short(tmp_path / "data/mine/early", frames=6, boxes=4)
    else:
        (made.folder(tmp_path / "data", "mine/early", count=6) / "groundtruth.txt").write_text(made.lines(4))
    made.folder(tmp_path / "data", "mine/whole")
    cut_short(tmp_path / "data/mine/whole_video", frames=4, boxes=4)
    status, summary = run(tmp_path / "data")
    assert (status, summary["sequences"]["mine/early"]["frames"]) == (0, 4)
    assert [record.getMessage() for record in caplog.records] == [
        f"mine/early has 6 {kind} and 4 boxes: those after the last box are left out"
    ]


@pytest.mark.parametrize("more", [(), ("--real-time", "--fps", "0.1")], ids=["one pass", "real time"])
def test_an_image_that_cannot_be_read_counts_as_missed(run, tmp_path, more):
    folder = made.folder(tmp_path / "data", "mine/walk", count=6)
    for number in (2, 5):
        (folder / f"{number}.png").write_bytes(b"no image")
    status, summary = run(tmp_path / "data", *more)
    row = summary["sequences"]["mine/walk"]
    assert (status, row["unreadable"], row["frames"]) == (0, [2, 5], 6)
    assert row["ao"] == pytest.approx(3 / 5)
    assert row["precision_20"] == pytest.approx(3 / 5)
    with (tmp_path / "out/mine/walk/trajectory.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == [str(number) for number in range(6)]
    assert [row["state"] == "UNREADABLE" for row in rows] == [False, False, True, False, False, True]
    assert float(rows[3]["x"]) == made.box(3)[0]
    stamps = [int(row["stamp_ns"]) for row in rows]
    np.testing.assert_allclose(np.diff(stamps), stamps[1], atol=1)


def test_masks_of_an_image_that_cannot_be_read_count_as_empty(run, tmp_path):
    made.davis(tmp_path / "data")
    (tmp_path / "data/JPEGImages/480p/dog/00003.jpg").write_bytes(b"")
    _, summary = run(tmp_path / "data", "--sequences", "dog_1")
    assert summary["j_mean"] == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("place", ["JPEGImages/480p/dog", "Annotations/480p/dog", "JPEGImages/480p/dog/out"])
def test_results_do_not_lie_among_the_sequences(place, run, tmp_path, capsys):
    made.davis(tmp_path / "data")
    arguments = ["evaluate", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "data" / place)]
    assert main.main(arguments) == 2
    assert "among the sequences" in capsys.readouterr().err
