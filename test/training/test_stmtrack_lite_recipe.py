"""A second phase of the lite recipe: it starts from the weights of the first, needs no backbone and moves them on."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from made_weights import save_small, small_network  # noqa: E402

from stm_tracker_ros.core.errors import CheckpointError, ConfigError  # noqa: E402
from stm_tracker_ros.trackers import checkpoint  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork  # noqa: E402
from stm_tracker_ros.training import recipes  # noqa: E402
from stm_tracker_ros.training.start import with_its_network  # noqa: E402

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


@pytest.fixture
def shallow(tmp_path: Path) -> Path:
    """Weights of a network with fewer blocks than the recipe's own."""
    shape, file = LiteNetworkConfig(shared_blocks=1), tmp_path / "first.safetensors"
    checkpoint.save(file, "stmtrack_lite", shape, LiteNetwork(shape).state_dict(), "made by a test")
    return file


@pytest.mark.parametrize("given", [{}, {"network.shared_blocks": 1}])
def test_the_network_is_that_of_the_weights_and_both_phases_note_it(
    drawn_data: Path, tmp_path: Path, shallow: Path, given: dict[str, int]
) -> None:
    _train(drawn_data, tmp_path / "run", start_from=shallow, **given)
    _train(drawn_data, tmp_path / "next", start_from=tmp_path / "run" / "last.pt")
    for out in (tmp_path / "run", tmp_path / "next"):
        written = checkpoint.read(out / "stmtrack_lite.safetensors", "stmtrack_lite")
        assert written.network["shared_blocks"] == 1
        assert not any(name.startswith("shared.1.") for name in written.tensors)
        assert json.loads((out / "config.json").read_text())["network"] == asdict(LiteNetworkConfig(shared_blocks=1))


def test_another_network_than_that_of_the_weights_is_refused_by_name(
    drawn_data: Path, tmp_path: Path, shallow: Path
) -> None:
    with pytest.raises(ConfigError, match=r"network\.shared_blocks is 2, and 1 in the weights of start_from, .*first"):
        _train(drawn_data, tmp_path / "run", start_from=shallow, **{"network.shared_blocks": 2})
    assert not (tmp_path / "run").exists()


def test_beside_a_last_pt_alone_the_settings_say_which_network_it_is_of(
    drawn_data: Path, tmp_path: Path, shallow: Path
) -> None:
    _train(drawn_data, tmp_path / "run", start_from=shallow)
    moved = shutil.copy(tmp_path / "run" / "last.pt", tmp_path / "moved.pt")
    _train(drawn_data, tmp_path / "next", start_from=moved, **{"network.shared_blocks": 1})
    with pytest.raises(CheckpointError, match=r"moved\.pt does not fit stmtrack_lite: 'shared\.1"):
        _train(drawn_data, tmp_path / "third", start_from=moved)


@pytest.mark.parametrize("recipe", [name for name in recipes.names() if name != "dmb_lite"])
def test_every_recipe_with_a_network_to_be_set_takes_that_of_the_weights(recipe: str, tmp_path: Path) -> None:
    file, small = save_small(recipe, tmp_path / "small.safetensors"), small_network(recipe).config
    config = replace(recipes.load(recipe).DEFAULTS, start_from=str(file))
    assert config.network != small
    assert with_its_network(config, recipe, ()) == replace(config, network=small)


def test_weights_of_another_tracker_are_refused(drawn_data: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    checkpoint.save(file, "stmtrack", NETWORK, {"x": torch.zeros(1)}, "")
    with pytest.raises(CheckpointError, match="are for tracker 'stmtrack'"):
        _train(drawn_data, tmp_path / "run", start_from=file)
