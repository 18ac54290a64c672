"""A training on one's own data: what lacks is said in a sentence, and no validation costs the weights."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.core.errors import DataError  # noqa: E402
from stm_tracker_ros.trackers import checkpoint  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork  # noqa: E402
from stm_tracker_ros.training import recipes, validation  # noqa: E402
from stm_tracker_ros.training.loop import Loop  # noqa: E402

SMALL = LiteNetworkConfig(crop_size=128, width=16, key_channels=8, shared_blocks=1)
MISSING = "none of the sequences for validation"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("first") / "first.safetensors"
    torch.manual_seed(5)
    checkpoint.save(file, "stmtrack_lite", SMALL, LiteNetwork(SMALL).state_dict(), "made by a test")
    return file


@pytest.fixture
def own_data(drawn_data: Path, tmp_path: Path) -> Path:
    """Without the sequences for validation."""
    return Path(shutil.copytree(drawn_data, tmp_path / "own", ignore=shutil.ignore_patterns("TLD")))


def _train(data: Path, out: Path, first: Path, **changes: object) -> None:
    network = {f"network.{name}": value for name, value in asdict(SMALL).items()}
    short = {"precision": "fp32", "steps": 1, "batch": 2, "start_from": first, **network, **changes}
    given = {name: str(value) for name, value in short.items()}
    recipes.run("stmtrack_lite", data=data, out=out, device="cpu", threads=1, changes=given)


def _rows(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_the_validation_sequences_that_are_there_are_scored(
    drawn_data: Path, tmp_path: Path, first: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _train(drawn_data, tmp_path, first)
    row = _rows(tmp_path)[-1]
    assert {name for name in row if "validation" in name} == {
        "validation_success_auc",
        "validation_TLD/pedestrian2",
    }
    assert row["validation_success_auc"] == row["validation_TLD/pedestrian2"]
    assert (tmp_path / "stmtrack_lite.safetensors").exists()
    assert MISSING not in caplog.text


def test_where_there_is_none_it_is_said_before_the_first_step(
    own_data: Path, tmp_path: Path, first: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    step, said = Loop._timed_step, []
    monkeypatch.setattr(Loop, "_timed_step", lambda *given: (said.append(caplog.text.count(MISSING)), step(*given))[1])
    _train(own_data, tmp_path / "run", first, steps=2)
    assert said == [1, 1]
    assert caplog.text.count(MISSING) == 1
    assert all("rate" in row for row in _rows(tmp_path / "run"))
    for name in ("stmtrack_lite.safetensors", "curve.png"):
        assert (tmp_path / "run" / name).exists()


def test_who_asks_for_no_validation_is_not_told_that_there_is_none(
    own_data: Path, tmp_path: Path, first: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _train(own_data, tmp_path / "run", first, validate_minutes=0)
    assert MISSING not in caplog.text


def test_an_annotation_that_cannot_be_read_is_refused_before_the_first_step(
    own_data: Path, tmp_path: Path, first: Path
) -> None:
    (own_data / "train_video/TLD/pedestrian2").mkdir(parents=True)
    (own_data / "train_video/TLD/pedestrian2/groundtruth.txt").write_text("1,2,3\n")
    shutil.copy(own_data / "train_video/VOT/car1/video.mp4", own_data / "train_video/TLD/pedestrian2")
    with pytest.raises(DataError, match=r"groundtruth\.txt cannot be read"):
        _train(own_data, tmp_path / "run", first)
    assert not (tmp_path / "run/last.pt").exists()


def test_an_error_of_the_last_validation_does_not_cost_the_weights(
    drawn_data: Path, tmp_path: Path, first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> dict[str, float]:
        raise RuntimeError("nobody has thought of this")

    monkeypatch.setattr(validation, "score", fails)
    with pytest.raises(RuntimeError, match="nobody has thought"):
        _train(drawn_data, tmp_path, first)
    assert checkpoint.read(tmp_path / "stmtrack_lite.safetensors", "stmtrack_lite").network["width"] == SMALL.width


def test_stills_alone_are_trained_on_if_that_is_asked_for(stills_alone: Path, tmp_path: Path, first: Path) -> None:
    with pytest.raises(DataError, match=r"^sampler\.video_share is 0\.55, and the pack has no videos; .*=0$"):
        _train(stills_alone, tmp_path / "run", first)
    _train(stills_alone, tmp_path / "run", first, **{"sampler.video_share": 0})
    assert (tmp_path / "run/stmtrack_lite.safetensors").exists()
