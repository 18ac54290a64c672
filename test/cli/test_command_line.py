from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from masked_tracker import MaskedTracker
from scripted_tracker import ScriptedTracker

from stm_tracker_ros.cli import evaluate, main, options, track
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.engine.config import StateConfig

pytestmark = pytest.mark.pure

GIVEN = Box(10, 12.5, 20, 30)


class Interrupting(ScriptedTracker):
    """As if Ctrl-C were pressed on a frame."""

    def __init__(self, at: int) -> None:
        super().__init__([(GIVEN, 0.9)])
        self.at, self.tracked = at, 0

    def track(self, frame):
        self.tracked += 1
        if self.tracked == self.at:
            raise KeyboardInterrupt
        return super().track(frame)


@pytest.fixture
def use(monkeypatch, tmp_path):
    """Let the commands run with this tracker."""
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"some weights")

    def use(tracker):
        def load_tracker(args):
            return options.LoadedTracker(
                tracker=tracker,
                name=args.tracker,
                weights=weights,
                device=args.device,
                threads=args.threads or 1,
                changes=options.parse_changes(args.changes),
                state_config=StateConfig(),
            )

        monkeypatch.setattr(track, "load_tracker", load_tracker)
        monkeypatch.setattr(evaluate, "load_tracker", load_tracker)
        return tracker

    return use


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(6):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((80, 97, 3), number, np.uint8))
    return folder


@pytest.fixture
def data(tmp_path):
    for name in ("UAVDT/first", "VOT/second"):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        writer = cv2.VideoWriter(str(folder / "video.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, (96, 80))
        for number in range(5):
            writer.write(np.full((80, 96, 3), number, np.uint8))
        writer.release()
        (folder / "groundtruth.txt").write_text("10,12.5,20,30\n" * 5)
    return tmp_path / "data"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def run_track(source, out, *more):
    return main.main(["track", str(source), "--box", "10,12.5,20,30", "--out", str(out), *more])


def test_track_writes_a_row_a_frame_and_a_video_that_plays(use, images, tmp_path):
    pytest.importorskip("av")
    use(ScriptedTracker([(GIVEN, 0.9)] * 3 + [(Box(1 / 3, 2, 3, 4), 0.25)]))
    assert run_track(images, tmp_path / "out", "--fps", "10") == 0
    rows = rows_of(tmp_path / "out/trajectory.csv")
    assert ",".join(rows[0]) == "frame,stamp_ns,x,y,width,height,score,state,theta,size_x,size_y"
    assert {rows[3][name] for name in ("theta", "size_x", "size_y")} == {"nan"}
    assert [row["frame"] for row in rows] == [str(i) for i in range(6)]
    assert [float(rows[0][k]) for k in ("x", "y", "width", "height")] == list(GIVEN)
    assert rows[2]["stamp_ns"] == "200000000"
    assert rows[0]["state"] == "TRACKING"
    capture = cv2.VideoCapture(str(tmp_path / "out/overlay.mp4"))
    assert sum(capture.read()[0] for _ in range(7)) == 6
    assert int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little") in (b"h264", b"avc1")


def test_track_keeps_full_precision_and_stops_after_max_frames(use, images, tmp_path):
    pytest.importorskip("av")
    use(ScriptedTracker([(Box(1 / 3, 2, 3, 4), 0.1 + 0.2)]))
    assert run_track(images, tmp_path / "out", "--max-frames", "3") == 0
    rows = rows_of(tmp_path / "out/trajectory.csv")
    assert len(rows) == 3
    assert (float(rows[2]["x"]), float(rows[2]["score"])) == (1 / 3, 0.1 + 0.2)


def test_track_keeps_what_it_had_when_interrupted(use, images, tmp_path, capsys):
    pytest.importorskip("av")
    use(Interrupting(at=3))
    assert run_track(images, tmp_path / "out") == 130
    assert len(rows_of(tmp_path / "out/trajectory.csv")) == 3
    assert cv2.VideoCapture(str(tmp_path / "out/overlay.mp4")).read()[0]
    assert "interrupted" in capsys.readouterr().err


@pytest.fixture
def bright_images(tmp_path):
    """A bright bar that moves to the right, and its mask on the first image."""
    folder = tmp_path / "bright"
    folder.mkdir()
    for number in range(4):
        image = np.zeros((80, 96, 3), np.uint8)
        image[30:42, 10 + 5 * number : 50 + 5 * number] = 255
        cv2.imwrite(str(folder / f"{number}.png"), image)
    cv2.imwrite(str(tmp_path / "mask.png"), cv2.imread(str(folder / "0.png"), cv2.IMREAD_GRAYSCALE) // 255)
    return folder


def test_track_from_a_mask_leaves_masks_and_rotated_boxes(use, bright_images, tmp_path):
    pytest.importorskip("av")
    tracker = use(MaskedTracker())
    arguments = ["track", str(bright_images), "--mask", str(tmp_path / "mask.png"), "--out", str(tmp_path / "out")]
    assert main.main(arguments) == 0
    assert tracker.given[0].box is None
    assert tracker.given[0].mask.sum() == 12 * 40 * 255
    rows = rows_of(tmp_path / "out/trajectory.csv")
    assert [float(rows[0][k]) for k in ("x", "y", "width", "height")] == [10, 30, 40, 12]
    assert [float(rows[3][k]) for k in ("x", "theta", "size_x", "size_y")] == pytest.approx([25, 0, 40, 12])
    assert [path.name for path in sorted((tmp_path / "out/masks").iterdir())] == [f"{n:06d}.png" for n in range(4)]
    mask = cv2.imread(str(tmp_path / "out/masks/000003.png"), cv2.IMREAD_UNCHANGED)
    assert set(np.unique(mask)) == {0, 255}
    assert (mask > 0).sum() == 12 * 40
    capture = cv2.VideoCapture(str(tmp_path / "out/overlay.mp4"))
    drawn = capture.read()[1]
    # White under the tint of TRACKING is green.
    assert drawn[36, 30, 1] > drawn[36, 30, 2] + 30


def test_track_refuses_a_mask_that_is_empty_or_of_another_size(use, bright_images, tmp_path, capsys):
    pytest.importorskip("av")
    use(MaskedTracker())
    for mask, words in (
        (np.zeros((80, 96), np.uint8), "96 x 80 px is empty"),
        (np.ones((96, 80), np.uint8), "mask is 80 x 96 px; the image is 96 x 80 px"),
    ):
        cv2.imwrite(str(tmp_path / "bad.png"), mask)
        arguments = ["track", str(bright_images), "--mask", str(tmp_path / "bad.png"), "--out", str(tmp_path / "out")]
        assert main.main(arguments) == 2
        assert words in capsys.readouterr().err


def run_evaluate(data, out, *more):
    return main.main(["evaluate", "--data", str(data), "--out", str(out), "--threads", "1", *more])


def test_evaluate_writes_the_summary(use, data, tmp_path, capsys):
    use(ScriptedTracker([(GIVEN, 0.9)]))
    assert run_evaluate(data, tmp_path / "out", "--tracker", "any", "--set", "memory.history=9") == 0
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["success_auc"] == pytest.approx(20 / 21)
    assert {"precision_20", "norm_precision", "ao", "sr50", "sr75"} <= set(summary)
    assert set(summary["ms_per_frame"]) == {"p20", "p50", "p95", "p99"}
    assert set(summary["sequences"]) == {"UAVDT/first", "VOT/second"}
    assert list(summary["groups"]) == ["aerial"]
    assert {name: row["groups"] for name, row in summary["sequences"].items()} == {
        "UAVDT/first": ["aerial"],
        "VOT/second": [],
    }
    assert (summary["tracker"], summary["device"], summary["threads"]) == ("any", "cpu", 1)
    assert summary["settings"] == {"memory.history": "9"}
    assert summary["weights_sha256"] == "a0c76a31f14d6cbed530bfac73778a5bb84861b795e8bd5d4c8eee29784fb766"
    assert "UAVDT/first" in capsys.readouterr().out


def test_evaluate_chooses_sequences_and_frames(use, data, tmp_path):
    use(ScriptedTracker([(GIVEN, 0.9)]))
    assert run_evaluate(data, tmp_path / "out", "--sequences", "second", "--max-frames", "3") == 0
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert {name: row["frames"] for name, row in summary["sequences"].items()} == {"VOT/second": 3}


def test_an_interrupted_evaluation_scores_what_is_finished_and_goes_on(use, data, tmp_path):
    use(Interrupting(at=6))
    assert run_evaluate(data, tmp_path / "out") == 130
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert list(summary["sequences"]) == ["UAVDT/first"]
    rest = use(ScriptedTracker([(GIVEN, 0.9)]))
    assert run_evaluate(data, tmp_path / "out") == 0
    assert len(rest.seen) == 5
    assert len(json.loads((tmp_path / "out/summary.json").read_text())["sequences"]) == 2


def test_results_of_other_settings_are_not_mixed(use, data, tmp_path, capsys):
    use(ScriptedTracker([(GIVEN, 0.9)]))
    run_evaluate(data, tmp_path / "out")
    assert run_evaluate(data, tmp_path / "out", "--max-frames", "3") == 2
    assert "max_frames: None there, 3 now" in capsys.readouterr().err


def test_evaluate_in_real_time_tells_what_was_dropped(use, data, tmp_path):
    use(ScriptedTracker([(GIVEN, 0.9)]))
    assert run_evaluate(data, tmp_path / "out", "--real-time", "--fps", "0.1") == 0
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert (summary["tracked"], summary["dropped"]) == (8, {})


def test_evaluate_from_masks_runs_the_sequences_that_have_them(use, data, tmp_path, capsys):
    folder = data / "VOT/second/mask"
    folder.mkdir()
    for number in range(1, 6):
        cv2.imwrite(str(folder / f"{number:06d}.png"), np.full((80, 96), 255, np.uint8), (cv2.IMWRITE_PNG_BILEVEL, 1))
    tracker = use(MaskedTracker())
    assert run_evaluate(data, tmp_path / "out", "--init", "mask") == 0
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert list(summary["sequences"]) == ["VOT/second"]
    assert (summary["init"], summary["mask_sequence_count"]) == ("mask", 1)
    # Nothing in these pictures is bright.
    assert summary["j_mean"] == 0
    assert tracker.given[0].mask.all()
    assert "1 of 2 sequences have masks" in capsys.readouterr().out
    assert run_evaluate(data, tmp_path / "out") == 2
    assert "init: 'mask' there, 'box' now" in capsys.readouterr().err
    assert run_evaluate(data, tmp_path / "other", "--init", "mask", "--sequences", "first") == 2
    assert "none of 1 sequences" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "--data", "nowhere", "--out", "o"], "holds no sequences"),
        (["evaluate", "--data", "d", "--out", "o", "--occlusions", "--max-frames", "9"], "sequences of its own"),
        (["evaluate", "--data", "d", "--out", "o", "--occlusions", "--init", "mask"], "no true masks"),
        (["evaluate", "--data", "d", "--out", "o", "--occlusions", "--starts", "5"], "sequences of its own"),
        (["evaluate", "--data", "d", "--out", "o", "--occlusions", "--development"], "sequences of its own"),
        (["evaluate", "--data", "d", "--out", "o", "--seeds", "3"], "allowed is it with --occlusions"),
        (["evaluate", "--data", "d", "--out", "o", "--kinds", "border"], "allowed is it with --absences"),
        (["evaluate", "--data", "d", "--out", "o", "--absences", "--starts", "5"], "sequences of its own"),
        (["evaluate", "--data", "d", "--out", "o", "--absences", "--kinds", "bordr"], "kind 'bordr' is unknown"),
        (["evaluate", "--data", "d", "--out", "o", "--occlusions", "--seeds", "3-"], "'3-' is not allowed"),
        (["evaluate", "--data", "d", "--out", "o", "--real-time", "--jobs", "2"], "allowed is --jobs 1"),
        (["track", "nothing.mp4", "--box", "1,2,3,4", "--out", "o"], "does not exist"),
        (["track", "nothing.mp4", "--mask", "nothing.png", "--out", "o"], "nothing.png cannot be read as a mask"),
    ],
)
def test_refusals_are_one_line_and_exit_2(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("stm_tracker: error: ")
    assert error.count("\n") == 1
    assert words in error


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["follow"],
        ["track", "v.mp4", "--out", "o"],
        ["track", "v.mp4", "--box", "1,2,3", "--out", "o"],
        ["track", "v.mp4", "--box", "1,2,3,4", "--mask", "m.png", "--out", "o"],
        ["evaluate", "--data", "d", "--out", "o", "--init", "point"],
        ["track", "v.mp4", "--box", "1,2,3,4", "--out", "o", "--fps", "0"],
        ["evaluate", "--data", "d", "--out", "o", "--threads", "0"],
        ["evaluate", "--data", "d", "--out", "o", "--max-frames", "-1"],
        ["evaluate", "--data", "d", "--out", "o", "--max-frames", "9" * 20],
    ],
)
def test_wrong_arguments_exit_2(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        main.main(arguments)
    assert error.value.code == 2
    assert "usage: stm_tracker" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["demo", "track", "evaluate", "train"])
def test_help_teaches_by_examples(command, capsys):
    with pytest.raises(SystemExit) as error:
        main.main([command, "--help"])
    assert error.value.code == 0
    assert f"stm_tracker {command} " in capsys.readouterr().out.split("examples:")[1]


def test_seeds_are_numbers_and_ranges():
    assert options.parse_seeds("3,7,20-22, 7") == (3, 7, 20, 21, 22)
    for text in ("", "3-", "-3", "9-8", "3,,4", "x", "1.5", "9" * 5000, "0-9999999999"):
        with pytest.raises(ValueError, match="allowed are numbers and ranges"):
            options.parse_seeds(text)


def test_evaluate_from_several_starts_notes_them_and_mixes_them_with_no_other_number(use, data, tmp_path, capsys):
    use(ScriptedTracker([(GIVEN, 0.9)]))
    assert run_evaluate(data, tmp_path / "out", "--starts", "2") == 0
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["starts"] == 2
    assert [run["anchor"] for run in summary["sequences"]["VOT/second"]["runs"]] == [0, 4]
    assert "robustness" in capsys.readouterr().out
    assert run_evaluate(data, tmp_path / "out", "--starts", "3") == 2
    assert "starts: 2 there, 3 now" in capsys.readouterr().err


@pytest.mark.parametrize("more", [(), ("--one-step",), ("--real-time",)])
def test_results_of_several_starts_are_not_taken_for_files_of_the_users(more, use, data, tmp_path, capsys):
    use(ScriptedTracker([(GIVEN, 0.9)]))
    assert run_evaluate(data, tmp_path / "out", "--starts", "3") == 0
    capsys.readouterr()
    assert run_evaluate(data, tmp_path / "out", *more) == 2
    error = capsys.readouterr().err
    assert "holds results of other settings (" in error
    assert "starts: 3 there, None now" in error


def test_a_sequence_without_a_start_is_named_and_the_exit_status_is_1(use, data, tmp_path, capsys):
    use(ScriptedTracker([(GIVEN, 0.9)]))
    (data / "VOT/second/groundtruth.txt").write_text("10,12.5,20,30\n" + "nan,nan,nan,nan\n" * 4)
    assert run_evaluate(data, tmp_path / "out", "--starts", "2") == 1
    assert "failed: VOT/second: none of its starts" in capsys.readouterr().err


def test_a_sequence_that_cannot_be_scored_is_named_and_the_exit_status_is_1(use, data, tmp_path, capsys):
    use(ScriptedTracker([(GIVEN, 0.9)]))
    (data / "VOT/second/groundtruth.txt").write_text("10,12.5,20,30\n" + "nan,nan,nan,nan\n" * 4)
    assert run_evaluate(data, tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "failed: VOT/second: none of 5 frames can be scored" in error
    assert "1 of 2 sequences failed and are in no figure" in error
    assert list(json.loads((tmp_path / "out/summary.json").read_text())["sequences"]) == ["UAVDT/first"]


def test_results_of_data_elsewhere_are_not_gone_on_with(use, data, tmp_path, capsys, monkeypatch):
    use(ScriptedTracker([(GIVEN, 0.9)]))
    other = tmp_path / "other"
    shutil.copytree(data, other)
    for folder, status in ((data, 0), (other, 2)):
        monkeypatch.chdir(folder)
        assert run_evaluate(Path(), tmp_path / "out") == status
    assert f"data: '{data}' there, '{other}' now" in capsys.readouterr().err


def test_an_unknown_tracker_and_a_change_without_value_are_refused(data, tmp_path, capsys):
    assert run_evaluate(data, tmp_path / "o", "--tracker", "stmtrak_lite") == 2
    assert "did you mean 'stmtrack_lite'?" in capsys.readouterr().err
    with pytest.raises(ValueError, match="NAME=VALUE"):
        options.parse_changes(["memory.history"])


def test_training_gets_what_the_command_line_says(monkeypatch, tmp_path):
    asked = {}
    recipes = pytest.importorskip("stm_tracker_ros.training.recipes")
    monkeypatch.setattr(recipes, "run", lambda recipe, **given: asked.update(recipe=recipe, **given))
    arguments = ["train", "stmtrack_lite", "--data", "d", "--out", str(tmp_path / "o"), "--threads", "2"]
    assert main.main([*arguments, "--set", "seed=1", "--set", "a.b=x=y"]) == 0
    assert asked == {
        "recipe": "stmtrack_lite",
        "data": Path("d"),
        "out": tmp_path / "o",
        "device": "cpu",
        "threads": 2,
        "changes": {"seed": "1", "a.b": "x=y"},
    }


@pytest.mark.parametrize(("recipe", "calibrated"), [("stmtrack_lite", True), ("stmtrack", False)])
def test_training_ends_by_saying_where_the_weights_are_and_what_they_want(recipe, calibrated, monkeypatch, capsys):
    recipes = pytest.importorskip("stm_tracker_ros.training.recipes")
    monkeypatch.setattr(recipes, "run", lambda recipe, **given: None)
    assert main.main(["train", recipe, "--data", "d", "--out", "run"]) == 0
    weights = f"{Path('run') / recipe}.safetensors"
    use = f"--tracker {recipe} --weights {weights}"
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"wrote {weights}; use it by {use}")
    assert (f"stm_tracker calibrate {use} --data DIR --out DIR makes one" in last) == calibrated
