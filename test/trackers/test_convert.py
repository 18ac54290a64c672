"""The authors' checkpoint becomes ours; what is none is refused, and nothing in it is ever called."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stm_tracker_ros.cli.main import main
from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.trackers import checkpoint, registry
from stm_tracker_ros.trackers.stmtrack.config import PaperNetworkConfig
from stm_tracker_ros.trackers.stmtrack.convert import from_official, official_state
from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork

pytestmark = pytest.mark.torch

UNUSED = {
    f"{layer}.{name}": torch.ones(2)
    for layer in ("r_z_k", "c_z_k", "r_x", "c_x")
    for name in ("conv.weight", "bn.bias")
}


def in_official_layout(state: dict[str, Tensor], path: Path) -> Path:
    momentum = {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 0.08, "params": [0]}]}
    torch.save({"epoch": 19, "model_state_dict": state, "optimizer_state_dict": momentum}, path)
    return path


def shapes_only() -> dict[str, Tensor]:
    with torch.device("meta"):
        return dict(PaperNetwork(PaperNetworkConfig()).state_dict())


def test_a_converted_checkpoint_tracks_like_the_authors(
    tmp_path: Path, reference_network: PaperNetwork, golden: dict[str, np.ndarray]
) -> None:
    theirs = in_official_layout(dict(reference_network.state_dict()) | UNUSED, tmp_path / "epoch-19.pkl")
    ours = tmp_path / "ours.safetensors"
    assert main(["convert", "stmtrack", str(theirs), str(ours)]) == 0
    stored = checkpoint.read(ours, "stmtrack")
    assert checkpoint.sha256(theirs) in stored.provenance
    assert "epoch-19.pkl" in stored.provenance

    entry = registry.load("stmtrack")
    config = with_changes(entry.default_config, {"compat": "official"})
    tracker = entry.from_checkpoint(ours, config=config)
    first, second = (Frame(image=image, stamp_ns=index) for index, image in enumerate(golden["frames_bgr"][:2]))
    tracker.init(first, Target(box=Box(*map(float, golden["first_box"]))))
    np.testing.assert_allclose(tracker.track(second).box, golden["conf0.6_rect"][0], atol=0.005)


def test_unused_convolutions_are_left_out() -> None:
    assert set(from_official(shapes_only() | UNUSED)) == set(shapes_only())


def test_a_wrong_shape_is_refused_by_name_and_shape() -> None:
    state = shapes_only() | {"neck_q.adjustor.weight": torch.zeros(256, 768, 3, 3)}
    with pytest.raises(
        CheckpointError, match=r"'neck_q.adjustor.weight' has shape \(256, 768, 3, 3\); needed is \(512"
    ):
        from_official(state)


def test_a_missing_name_is_refused() -> None:
    state = shapes_only()
    del state["head.si"]
    with pytest.raises(CheckpointError, match="'head.si' is missing"):
        from_official(state)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(CheckpointError, match="'module.head.si' is not known"):
        from_official(shapes_only() | {"module.head.si": torch.zeros(())})


def test_what_is_no_tensor_is_refused() -> None:
    with pytest.raises(CheckpointError, match="'head.si' is a float"):
        from_official(shapes_only() | {"head.si": 0.9})


class Attack:
    """Unpickled the ordinary way, it makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.trace), "w")


@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content, 2))])
def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path, write) -> None:  # type: ignore[no-untyped-def]
    trace, bad = tmp_path / "trace", tmp_path / "bad.pkl"
    write({"model_state_dict": {"head.si": Attack(trace)}}, bad)
    with pytest.raises(CheckpointError, match="bad.pkl.*allowed is a whole file of tensors"):
        official_state(bad)
    assert not trace.exists()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    whole = in_official_layout({"head.si": torch.zeros(20_000)}, tmp_path / "whole.pkl").read_bytes()
    cut = tmp_path / "cut.pkl"
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match="cut.pkl cannot be read"):
        official_state(cut)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        official_state(tmp_path / "nowhere.pkl")
    torch.save({"state_dict": {}}, tmp_path / "other.pkl")
    with pytest.raises(CheckpointError, match="holds no 'model_state_dict'"):
        official_state(tmp_path / "other.pkl")


def test_the_command_refuses_without_writing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"model_state_dict": {"head.si": torch.zeros(())}}, tmp_path / "bad.pkl")
    target = tmp_path / "ours.safetensors"
    assert main(["convert", "stmtrack", str(tmp_path / "bad.pkl"), str(target)]) == 2
    assert "is missing" in capsys.readouterr().err
    assert main(["convert", "stmtrack_lite", str(tmp_path / "bad.pkl"), str(target)]) == 2
    assert "stm_tracker train stmtrack_lite" in capsys.readouterr().err
    assert not target.exists()
