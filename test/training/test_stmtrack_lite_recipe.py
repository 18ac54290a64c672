"""A second phase of the lite recipe: it starts from the weights of the first, needs no backbone and moves them on."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.core.errors import CheckpointError  # noqa: E402
from stm_tracker_ros.trackers import checkpoint  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork  # noqa: E402
from stm_tracker_ros.training import recipes  # noqa: E402

NETWORK = LiteNetworkConfig()


def _train(data: Path, out: Path, **changes: object) -> None:
    # bf16, the default, takes twenty times as long on a CPU without it.
    short = {
        "precision": "fp32",
        "steps": 1,
        "batch": 2,
        "warm_up": 0,
        "validate_minutes": 0.0,
        "backbone_weights": "nowhere.pth",
        **changes,
    }
    given = {name: str(value) for name, value in short.items()}
    recipes.run("stmtrack_lite", data=data, out=out, device="cpu", threads=1, changes=given)


def _written(out: Path) -> dict[str, torch.Tensor]:
    return checkpoint.read(out / "stmtrack_lite.safetensors", "stmtrack_lite").tensors


def test_a_second_phase_starts_where_the_first_ended(drawn_data: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    first = LiteNetwork(NETWORK).state_dict()
    file = tmp_path / "first.safetensors"
    checkpoint.save(file, "stmtrack_lite", NETWORK, first, "made by a test")
    _train(drawn_data, tmp_path / "second", start_from=file, rate=1e-4)
    second = _written(tmp_path / "second")
    assert set(second) == set(first)
    moved = {name: (second[name] - value).abs().max().item() for name, value in first.items()}
    assert 0 < max(moved.values()) < 1e-3  # one step of AdamW moves a weight by the rate at most
    assert moved["backbone.stem.weight"] == 0
    _train(drawn_data, tmp_path / "third", start_from=tmp_path / "second" / "last.pt", rate=1e-4)
    assert (_written(tmp_path / "third")["cls_ctr.weight"] - second["cls_ctr.weight"]).abs().max() < 1e-3


def test_the_network_is_a_setting_that_the_weights_know(drawn_data: Path, tmp_path: Path) -> None:
    shape = LiteNetworkConfig(shared_blocks=1)
    file = tmp_path / "first.safetensors"
    checkpoint.save(file, "stmtrack_lite", shape, LiteNetwork(shape).state_dict(), "made by a test")
    _train(drawn_data, tmp_path / "run", start_from=file, **{"network.shared_blocks": 1})
    written = checkpoint.read(tmp_path / "run" / "stmtrack_lite.safetensors", "stmtrack_lite")
    assert written.network["shared_blocks"] == 1
    assert not any(name.startswith("shared.1.") for name in written.tensors)


def test_weights_of_another_tracker_are_refused(drawn_data: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    checkpoint.save(file, "stmtrack", NETWORK, {"x": torch.zeros(1)}, "")
    with pytest.raises(CheckpointError, match="are for tracker 'stmtrack'"):
        _train(drawn_data, tmp_path / "run", start_from=file)
