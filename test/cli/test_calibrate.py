"""`stm_tracker calibrate`: from runs to weights with a calibration, its figures, and what is refused."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import made_data_sets
import numpy as np
import pytest
from made_weights import save_small
from scripted_matcher import START, ScriptedMatcher, config_of, frame_at, right

from stm_tracker_ros.cli import calibrate, main, options
from stm_tracker_ros.core.matching import Candidates, Look
from stm_tracker_ros.data.synthetic import SCENES
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation.sights import Scene, SightsItem
from stm_tracker_ros.following.follower import Follower
from stm_tracker_ros.trackers import checkpoint

pytestmark = pytest.mark.torch

COUNT = 30


def scene(recording: str, away: range) -> Scene:
    """A target that stands still, and is gone in the frames `away`."""
    absent = np.isin(np.arange(COUNT), away)
    frames = (frame_at(number) for number in range(1, COUNT + 1))
    boxes = np.tile(np.array(START), (COUNT, 1))
    return Scene(recording=recording, frames=frames, boxes=boxes, present=~absent, absent=absent)


class Seeing(ScriptedMatcher):
    """Sees the target well in frames up to 15, and badly from then on."""

    def match(self, looks: Any) -> list[Candidates]:
        look: Look = looks[0]
        self.sights = [right(0, 0.8 if look.number <= 15 else 0.02)]
        return super().match(looks)


@pytest.fixture
def calibrated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Run the command on three made recordings."""
    weights = save_small("stmtrack_lite", tmp_path / "plain.safetensors")
    runs = [("a", range(15, 30)), ("b", range(17, 30)), ("c", range(14, 30))]
    items = [SightsItem(name=f"some/{n}", frames=COUNT, make=partial(scene, n, away)) for n, away in runs]

    def load_tracker(args: Any) -> options.LoadedTracker:
        return options.LoadedTracker(
            tracker=Follower(Seeing(), config_of()),
            name=args.tracker,
            weights=weights,
            device="cpu",
            threads=1,
            changes={},
            state_config=StateConfig(),
        )

    monkeypatch.setattr(calibrate, "load_tracker", load_tracker)
    monkeypatch.setattr(calibrate, "_items", lambda args, failed: (items, []))

    def run(*more: str) -> int:
        return main.main(["calibrate", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), *more])

    return run


def test_weights_figures_and_picture_are_written(
    calibrated: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrated() == 0
    stored = checkpoint.read(tmp_path / "out/stmtrack_lite.safetensors", "stmtrack_lite")
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert stored.calibration is not None
    assert stored.calibration.content == summary["calibration"]
    assert "87 frames of 3 recordings" in stored.provenance
    assert stored.provenance.startswith("made for a test, seed 5; score calibrated: ")
    assert summary["seen"] == ["a", "b", "c"]
    assert summary["unseen"]["present_over_absent"] > 0.9
    assert summary["weights_sha256"] == checkpoint.sha256(tmp_path / "plain.safetensors")
    assert (tmp_path / "out/reliability.png").read_bytes().startswith(b"\x89PNG")
    assert "expected calibration error" in capsys.readouterr().out


def test_the_same_command_goes_on_and_gives_the_same(calibrated: Callable[..., int], tmp_path: Path) -> None:
    assert calibrated() == 0
    first = json.loads((tmp_path / "out/summary.json").read_text())
    (tmp_path / "out/some/b/sights.json").unlink()
    assert calibrated() == 0
    assert json.loads((tmp_path / "out/summary.json").read_text()) == first


def test_without_matplotlib_all_but_the_picture_is_there(
    calibrated: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = calibrate.importlib.util.find_spec
    without = lambda name, *more: None if name == "matplotlib" else found(name, *more)  # noqa: E731
    monkeypatch.setattr(calibrate.importlib.util, "find_spec", without)
    assert calibrated() == 0
    assert not (tmp_path / "out/reliability.png").exists()
    assert (tmp_path / "out/stmtrack_lite.safetensors").is_file()
    assert "matplotlib" in capsys.readouterr().err


def test_weights_of_the_users_are_not_overwritten(
    calibrated: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/stmtrack_lite.safetensors").write_bytes(b"mine")
    assert calibrated() == 2
    assert (tmp_path / "out/stmtrack_lite.safetensors").read_bytes() == b"mine"
    assert "stmtrack_lite.safetensors" in capsys.readouterr().err


def test_sequences_that_cannot_be_read_are_noted_and_the_others_are_run(tmp_path: Path) -> None:
    made_data_sets.development(tmp_path, "VOT/whole", "VOT/torn")
    for torn in (tmp_path / "eval/VOT/torn", tmp_path / "train_video" / SCENES[0]):
        (torn / "groundtruth.txt").write_text("one,two\n")
    wanted = {"sequences": None, "starts": 1, "max_frames": 5, "absences": "0", "occlusions": "0,1"}
    failed: dict[str, str] = {}
    items, _ = calibrate._items(Namespace(data=tmp_path, **wanted), failed)
    assert sorted(failed) == [SCENES[0], "VOT/torn"]
    assert {"VOT/whole/start_000000", "occlusion/000", "absence/border/000"} < {item.name for item in items}


def test_a_failure_is_named_in_the_summary_and_by_the_exit_status(
    calibrated: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    items, folders = calibrate._items(Namespace(), {})
    noted = {"VOT/torn": "it is torn"}
    monkeypatch.setattr(calibrate, "_items", lambda args, failed: failed.update(noted) or (items, folders))
    assert calibrated() == 1
    assert json.loads((tmp_path / "out/summary.json").read_text())["failed"] == noted
    assert (tmp_path / "out/stmtrack_lite.safetensors").is_file()
    monkeypatch.setattr(calibrate, "_items", lambda args, failed: failed.update(noted) or (items[:0], folders))
    assert main.main(["calibrate", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "empty")]) == 2
    assert capsys.readouterr().err.count("failed: VOT/torn: it is torn\n") == 2


@pytest.mark.parametrize("option", ["--absences", "--occlusions"])
def test_seeds_that_are_none_are_refused_by_the_option_that_they_were_given_with(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["calibrate", "--data", str(tmp_path), "--out", str(tmp_path / "out"), option, "1,x"]) == 2
    assert f"{option} '1,x': 'x' is not allowed" in capsys.readouterr().err
