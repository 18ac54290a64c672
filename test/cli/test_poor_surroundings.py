"""Commands on a disk that is full and in folders that cannot be written: one sentence, exit 2, nothing half."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import cv2
import numpy as np
import pytest
from scripted_tracker import ScriptedTracker

from stm_tracker_ros.cli import evaluate, main, options, track
from stm_tracker_ros.core.errors import OutputError
from stm_tracker_ros.core.output_folder import OutputFolder, write_new
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation.trajectory import read_trajectory

pytestmark = pytest.mark.pure

FRAMES = 40
TOO_LARGE = "it would become larger than a file may be here"


@pytest.fixture
def largest_file():
    """Let no file of this process become larger: what a full disk is to a program that writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(autouse=True)
def use(monkeypatch):
    def load_tracker(args):
        return options.LoadedTracker(
            tracker=ScriptedTracker([(Box(1 / 3, 2, 30, 40), 0.9)]),
            name=args.tracker,
            weights=None,
            device="cpu",
            threads=1,
            changes={},
            state_config=StateConfig(),
        )

    monkeypatch.setattr(track, "load_tracker", load_tracker)
    monkeypatch.setattr(evaluate, "load_tracker", load_tracker)


@pytest.fixture
def images(tmp_path):
    """Noise, which no codec makes small."""
    folder, random = tmp_path / "data/mine/walk", np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number:03d}.png"), random.integers(0, 255, (80, 96, 3), np.uint8))
    (folder / "groundtruth.txt").write_text("10,12.5,20,30\n" * FRAMES)
    return folder


def run_track(images, out):
    pytest.importorskip("av")
    return main.main(["track", str(images), "--box", "10,12.5,20,30", "--out", str(out)])


def the_error(capsys) -> str:
    """The one line, progress aside."""
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    errors = [line for line in lines if "frame/s" not in line and line.strip()]
    assert len(errors) == 1, errors
    assert errors[0].startswith("stm_tracker: error: ")
    return errors[0]


def test_track_keeps_whole_rows_on_a_disk_that_becomes_full(images, tmp_path, largest_file, capsys):
    largest_file(2000)
    assert run_track(images, tmp_path / "out") == 2
    table = tmp_path / "out/trajectory.csv"
    rows = len(read_trajectory(table).boxes)
    assert 10 < rows < FRAMES
    assert table.read_bytes().endswith(b",nan,nan,nan\n")
    error = the_error(capsys)
    assert f"trajectory.csv cannot be written: {TOO_LARGE}" in error
    assert f"trajectory.csv keeps the {rows} rows before" in error
    assert (tmp_path / "out/overlay.mp4").stat().st_size == 0


def test_track_leaves_no_part_of_a_video(images, tmp_path, largest_file, capsys):
    largest_file(50_000)
    assert run_track(images, tmp_path / "out") == 2
    assert (tmp_path / "out/overlay.mp4").stat().st_size == 0
    assert len(read_trajectory(tmp_path / "out/trajectory.csv").boxes) == FRAMES
    error = the_error(capsys)
    assert f"overlay.mp4 cannot be written: {TOO_LARGE}" in error
    assert f"keeps the {FRAMES} rows" in error


def test_evaluate_does_not_call_finished_what_was_not_written(images, tmp_path, largest_file, capsys):
    largest_file(2000)
    assert main.main(["evaluate", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 2
    assert f"cannot be written: {TOO_LARGE}" in capsys.readouterr().err
    assert not (tmp_path / "out/mine/walk/trajectory.csv").exists()
    assert not (tmp_path / "out/summary.json").exists()


def test_small_files_are_whole_or_not_there(tmp_path, largest_file):
    files = OutputFolder(tmp_path)
    files.write("summary.json", b"of the run before")
    largest_file(5000)
    with pytest.raises(OutputError, match=rf"summary\.json cannot be written: {TOO_LARGE}"):
        files.write("summary.json", b"x" * 6000)
    with pytest.raises(OutputError, match=r"bench\.json cannot be written"):
        write_new(tmp_path / "bench.json", b"x" * 6000)
    assert [path.name for path in tmp_path.iterdir()] == [".stm_tracker_files"]


def below_a_file(folder: Path) -> Path:
    (folder / "file").write_bytes(b"")
    return folder / "file/out"


def a_file(folder: Path) -> Path:
    return below_a_file(folder).parent


def random_weights(path: Path) -> Path:
    from stm_tracker_ros.trackers import checkpoint
    from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig
    from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork

    config = LiteNetworkConfig()
    checkpoint.save(path, "stmtrack_lite", config, LiteNetwork(config).state_dict(), "made by a test")
    return path


@pytest.mark.parametrize(
    ("make", "words"), [(a_file, "is no folder"), (below_a_file, "a part of the path is a file and no folder")]
)
@pytest.mark.parametrize("command", ["track", "evaluate", "train"])
def test_results_into_a_place_that_is_a_file(command, make, words, images, tmp_path, capsys):
    out = make(tmp_path)
    data = str(tmp_path / "data")
    if command == "track":
        status = run_track(images, out)
    elif command == "evaluate":
        status = main.main(["evaluate", "--data", data, "--out", str(out)])
    else:
        pytest.importorskip("torch")
        # Where it starts from weights no backbone is needed.
        changes = ["--set", f"start_from={random_weights(tmp_path / 'start.safetensors')}"]
        status = main.main(["train", "stmtrack_lite", "--data", data, "--out", str(out), *changes])
    assert status == 2
    assert words in the_error(capsys)


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EROFS, "the file system is read-only"), (errno.EACCES, "permission denied")]
)
def test_a_folder_that_cannot_be_written_is_said(number, words, images, tmp_path, monkeypatch, capsys):
    mkdir = Path.mkdir

    def refused(self, *arguments, **named):
        if self.name == "out":
            raise OSError(number, os.strerror(number), str(self))
        mkdir(self, *arguments, **named)

    monkeypatch.setattr(Path, "mkdir", refused)
    assert main.main(["evaluate", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 2
    assert words in the_error(capsys)
