"""The authors' checkpoint becomes ours; what is none is refused, and nothing in it is ever called."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stm_tracker_ros.cli.main import main
from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.trackers import third_party
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


def test_bytes_of_any_kind_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "any.pkl"
    for length in (1, 2, 10, 100, 1000) * 20:
        path.write_bytes(rng.integers(0, 256, length, np.uint8).tobytes())
        with pytest.raises(CheckpointError, match="any.pkl"):
            official_state(path)
    path.write_text("<html>quota exceeded</html>")
    with pytest.raises(CheckpointError, match="any.pkl cannot be read"):
        official_state(path)
    with pytest.raises(CheckpointError, match="is no file"):
        official_state(tmp_path)


@pytest.mark.parametrize("whole_zip", [True, False])
def test_a_file_cut_or_changed_anywhere_never_ends_in_another_error(tmp_path: Path, whole_zip: bool) -> None:
    state = {"head.si": torch.zeros(3), "name": OrderedDict(a=1)}
    content = {"model_state_dict": state, "epoch": 19}
    torch.save(content, tmp_path / "whole.pkl", _use_new_zipfile_serialization=whole_zip)
    whole, path = (tmp_path / "whole.pkl").read_bytes(), tmp_path / "bad.pkl"
    rng = np.random.default_rng(1)
    for _ in range(150):
        bad = bytearray(whole)
        for place in rng.integers(0, len(bad), 3):
            bad[place] = rng.integers(256)
        path.write_bytes(bad[: rng.integers(len(bad) // 2, len(bad) + 1)])
        with suppress(CheckpointError):
            assert isinstance(official_state(path), Mapping)


@pytest.mark.parametrize(
    "content",
    [b"hi there\n", b"import torch\n", b"", b'{"a": 1}', *(pickle.dumps({"a": np.zeros(2)}, n) for n in (2, 4, 5))],
)
def test_what_torch_did_not_write_is_no_checkpoint_of_pytorch(
    content: bytes, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as refused:
        third_party.read_pickle(path)
    words = str(refused.value)
    assert "weights_only" not in words
    assert "is no checkpoint of PyTorch" in words or "would call numpy" in words
    assert not recwarn.list


@pytest.mark.parametrize("whole_zip", [True, False])
def test_of_what_torch_wrote_the_reason_is_told_and_no_advice(
    whole_zip: bool, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "odd.pth"
    torch.save({"a": "é" * 300, "b": [{"x"}, b"y"]}, path, pickle_protocol=4, _use_new_zipfile_serialization=whole_zip)
    with pytest.raises(
        CheckpointError, match=r"odd\.pth cannot be read \(Unsupported operand \d+\); allowed is"
    ) as refused:
        third_party.read_pickle(path)
    assert "weights_only" not in str(refused.value)
    assert not recwarn.list


def test_what_a_trainer_leaves_beside_the_weights_does_no_harm(tmp_path: Path) -> None:
    if torch_is_older_than_2_6():
        pytest.skip("numpy's numbers can be let through from torch 2.6 on")
    numbers = {"lr": np.float64(0.08), "loss": np.float32(0.5), "step": np.int64(3), "best": np.bool_(True)}
    state = OrderedDict({"head.si": torch.ones(())})
    torch.save({"epoch": np.int64(19), "model_state_dict": state, "log": [numbers]}, tmp_path / "epoch-19.pkl")
    assert dict(official_state(tmp_path / "epoch-19.pkl")) == {"head.si": torch.ones(())}
    renamed = tmp_path / "numpy_1.pkl"
    torch.save({"model_state_dict": {"a": torch.ones(())}, "lr": np.float64(1)}, tmp_path / "numpy.pkl")
    with zipfile.ZipFile(tmp_path / "numpy.pkl") as source, zipfile.ZipFile(renamed, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert set(official_state(renamed)) == {"a"}


def torch_is_older_than_2_6() -> bool:
    return tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6)


def test_names_of_a_network_inside_data_parallel_are_read() -> None:
    assert third_party.state_of({"module.a": 1, "module.b.c": 2}) == {"a": 1, "b.c": 2}
    assert third_party.state_of({"module.a": 1, "b": 2}) == {"module.a": 1, "b": 2}
    assert third_party.state_of({"x": {"module.a": 1}}, ("y", "x")) == {"a": 1}
    assert third_party.state_of({"x": {"a": 1}}, ("y",)) is None
    assert third_party.state_of([1]) is None


def test_half_precision_becomes_single() -> None:
    state = shapes_only()
    halves = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    assert {value.dtype for value in from_official(halves).values()} == {torch.float32, torch.int64}


@pytest.mark.parametrize(
    ("value", "message"),
    [(torch.tensor(float("nan")), "not finite"), (torch.tensor(3), "is of torch.int64"), (None, "is a NoneType")],
)
def test_numbers_that_are_no_weights_are_refused(value: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=f"'head.si' {message}|'head.si' holds numbers that are {message}"):
        from_official(shapes_only() | {"head.si": value})


def test_the_command_refuses_without_writing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"model_state_dict": {"head.si": torch.zeros(())}}, tmp_path / "bad.pkl")
    target = tmp_path / "ours.safetensors"
    assert main(["convert", "stmtrack", str(tmp_path / "bad.pkl"), str(target)]) == 2
    assert "is missing" in capsys.readouterr().err
    assert main(["convert", "stmtrack_lite", str(tmp_path / "bad.pkl"), str(target)]) == 2
    assert "stm_tracker train stmtrack_lite" in capsys.readouterr().err
    assert not target.exists()
