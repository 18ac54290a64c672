"""The loop on a network of one weight, so that every figure can be worked out by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from torch import Tensor, nn  # noqa: E402

from stm_tracker_ros.core.errors import CheckpointError, ConfigError, DataError, TrainingError  # noqa: E402
from stm_tracker_ros.trackers import checkpoint  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig  # noqa: E402
from stm_tracker_ros.training.config import LoopConfig  # noqa: E402
from stm_tracker_ros.training.loop import Loop  # noqa: E402
from stm_tracker_ros.training.start import load_start  # noqa: E402

CPU = torch.device("cpu")
PLAIN = LoopConfig(precision="fp32", clip=0.0, average=0.0, log_steps=2)


class _TwoLines(nn.Module):
    """Two weights and a counter, as batch norms have one."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fast, self.slow = nn.Parameter(torch.tensor(0.0)), nn.Parameter(torch.tensor(0.0))
        self.register_buffer("count", torch.tensor(0))


class _Task:
    """Loss = input * (fast + slow): the gradient of both is the input; `slow` is frozen before step 2."""

    def __init__(self, steps: int = 4, inputs: Sequence[float] = (1.0, 2.0, 3.0, 4.0)) -> None:
        self.network, self.steps, self.inputs = _TwoLines(), steps, inputs
        self.dtypes: set[torch.dtype] = set()

    def optimiser(self) -> torch.optim.Optimizer:
        return torch.optim.SGD([{"params": [self.network.fast]}, {"params": [self.network.slow]}], 1.0)

    def rates(self, step: int) -> tuple[float, float]:
        return 0.1 * (step + 1), 0.0 if step < 2 else 0.01

    def batches(self, step: int) -> Iterator[tuple[Tensor]]:
        return iter([(torch.tensor(value),) for value in self.inputs[step:]])

    def loss_terms(self, batch: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        self.network.count += 1
        self.dtypes.add((torch.ones(1, 1) @ torch.ones(1, 1)).dtype)
        total = batch[0] * (self.network.fast + self.network.slow)
        return total, {"input": batch[0], "odd": batch[0] if batch[0] % 2 else torch.tensor(torch.nan)}


def _rows(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_each_group_has_its_rate_and_rate_0_freezes(tmp_path: Path) -> None:
    loop = Loop(_Task(), tmp_path, PLAIN, CPU)
    loop.run()
    assert loop.network.fast.item() == pytest.approx(-(0.1 * 1 + 0.2 * 2 + 0.3 * 3 + 0.4 * 4))
    assert loop.network.slow.item() == pytest.approx(-(0.01 * 3 + 0.01 * 4))
    rows = _rows(tmp_path)
    assert [row["step"] for row in rows] == [2, 4]
    assert [row["input"] for row in rows] == [1.5, 3.5]  # means over the steps of a row
    assert [row["odd"] for row in rows] == [1.0, 3.0]  # and over those that had one
    assert [row["rate"] for row in rows] == pytest.approx([0.2, 0.4])


def test_a_frozen_group_has_no_gradient(tmp_path: Path) -> None:
    task = _Task(steps=1)
    Loop(task, tmp_path, PLAIN, CPU).run()
    assert task.network.slow.grad is None
    assert task.network.fast.grad is not None


def test_long_gradients_are_cut(tmp_path: Path) -> None:
    loop = Loop(_Task(steps=2), tmp_path, LoopConfig(precision="fp32", clip=1.5, average=0.0), CPU)
    loop.run()
    assert loop.network.fast.item() == pytest.approx(-(0.1 * 1 + 0.2 * 1.5))


def test_the_average_follows_the_weights_and_copies_counters(tmp_path: Path) -> None:
    loop = Loop(_Task(steps=2), tmp_path, LoopConfig(precision="fp32", clip=0.0, average=0.5), CPU)
    judged: list[float] = []
    loop.run(lambda weights: judged.append(weights["fast"].item()) or {"figure": 0.25})
    first = -0.1 * (1 - 1 / 10)  # early on the decay is (1 + step) / (10 + step)
    expected = first * 2 / 11 + -0.5 * (1 - 2 / 11)
    assert judged == [pytest.approx(expected)]
    assert loop.weights["count"].item() == 2
    assert loop.network.fast.item() == pytest.approx(-0.5)
    assert _rows(tmp_path)[-1]["validation_figure"] == 0.25


def test_without_an_average_the_weights_themselves_are_judged(tmp_path: Path) -> None:
    loop = Loop(_Task(steps=1), tmp_path, PLAIN, CPU)
    judged: list[float] = []
    loop.run(lambda weights: judged.append(weights["fast"].item()) or {})
    assert judged == [pytest.approx(-0.1)]


def test_a_validation_that_fails_is_said_and_the_training_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loop, order = Loop(_Task(), tmp_path, replace(PLAIN, validate_minutes=1e-9), CPU), []

    def validate(weights: object) -> dict[str, float]:
        order.append("validated")
        raise DataError("a video that cannot be read")

    loop.run(validate, lambda: order.append("trained"))
    assert order == ["validated"] * 4 + ["trained", "validated"]
    assert "step 2 has no validation, which costs the training nothing: a video that cannot be read" in caplog.text
    assert loop.step == 4


def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    config = LoopConfig(precision="fp32", clip=0.0, average=0.9)
    whole = Loop(_Task(), tmp_path / "whole", config, CPU)
    whole.run()
    Loop(_Task(steps=3), tmp_path / "parts", config, CPU).run()
    rest = Loop(_Task(), tmp_path / "parts", config, CPU)
    assert rest.step == 3
    rest.run()
    assert not (tmp_path / "parts" / "next.pt").exists()
    for name, value in whole.weights.items():
        assert torch.equal(value, rest.weights[name])
    assert torch.equal(whole.network.fast, rest.network.fast)


def test_a_run_that_goes_on_by_other_settings_says_which(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Loop(_Task(steps=2), tmp_path, PLAIN, CPU).run()
    Loop(_Task(steps=3), tmp_path, PLAIN, CPU).run()
    assert "other settings" not in caplog.text
    changed = Loop(_Task(), tmp_path, replace(PLAIN, average=0.5, batch=64, start_from="other.pt"), CPU)
    assert changed.average["fast"] == changed.network.fast != 0
    changed.run()
    assert "from step 3 on with other settings than before: average 0.0 -> 0.5, batch 12 -> 64" in caplog.text
    assert "start_from is not looked at" in caplog.text


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    Loop(_Task(steps=2), tmp_path, PLAIN, CPU).run()
    before = (tmp_path / "last.pt").read_bytes()
    broken = Loop(_Task(inputs=(1.0, 2.0, float("nan"))), tmp_path, PLAIN, CPU)
    with pytest.raises(TrainingError, match="loss is nan at step 2"):
        broken.run()
    assert (tmp_path / "last.pt").read_bytes() == before


def test_precision_is_that_of_the_setting(tmp_path: Path) -> None:
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        task = _Task(steps=1)
        Loop(task, tmp_path / precision, LoopConfig(precision=precision), CPU).run()
        assert task.dtypes == {dtype}
    with pytest.raises(ConfigError, match="precision is 'fp16'; allowed on a CPU"):
        Loop(_Task(), tmp_path, LoopConfig(precision="fp16"), CPU)


@pytest.mark.parametrize(("flags", "warned"), [(set(), True), ({"avx512_bf16"}, False)])
def test_a_precision_that_this_cpu_only_imitates_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, flags: set[str], warned: bool
) -> None:
    monkeypatch.setattr("stm_tracker_ros.parts.precision.cpu_flags", lambda: frozenset(flags))
    Loop(_Task(), tmp_path / "bf16", LoopConfig(precision="bf16"), CPU)
    assert ("precision=fp32 is much quicker here" in caplog.text) == warned


def test_a_training_starts_from_a_run_or_a_checkpoint(tmp_path: Path) -> None:
    run = Loop(_Task(), tmp_path, LoopConfig(precision="fp32", average=0.9), CPU)
    run.run()
    saved = tmp_path / "weights.safetensors"
    checkpoint.save(saved, "stmtrack_lite", LiteNetworkConfig(), {**run.weights, "slow": torch.tensor(7.0)}, "")
    from_run, from_file = _TwoLines(), _TwoLines()
    load_start(from_run, tmp_path / "last.pt", "stmtrack_lite")
    load_start(from_file, saved, "stmtrack_lite")
    assert from_run.fast.item() == run.average["fast"].item() != run.network.fast.item()
    assert from_file.slow.item() == 7


def test_weights_to_start_from_must_fit(tmp_path: Path) -> None:
    Loop(_Task(), tmp_path, PLAIN, CPU).run()
    load_start(_TwoLines(), tmp_path / "last.pt", "stmtrack_lite")  # no average there: the weights themselves
    with pytest.raises(CheckpointError, match="'weight' is missing"):
        load_start(nn.Linear(2, 2), tmp_path / "last.pt", "stmtrack_lite")
    (tmp_path / "broken.pt").write_bytes(b"PK nothing")
    with pytest.raises(CheckpointError, match=r"broken\.pt cannot be read"):
        load_start(_TwoLines(), tmp_path / "broken.pt", "stmtrack_lite")
    (tmp_path / "text.pt").write_text("hi there")
    with pytest.raises(CheckpointError, match=r"text\.pt cannot be read \(it is no checkpoint of PyTorch\)"):
        load_start(_TwoLines(), tmp_path / "text.pt", "stmtrack_lite")
    torch.save({"epoch": 3}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"other\.pt holds no weights of a run"):
        load_start(_TwoLines(), tmp_path / "other.pt", "stmtrack_lite")
    for name in ("absent.pt", "absent.safetensors"):
        with pytest.raises(CheckpointError, match="not exist"):
            load_start(_TwoLines(), tmp_path / name, "stmtrack_lite")


def test_a_folder_that_holds_a_run_of_somebody_else_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("mine")
    with pytest.raises(DataError, match=r"config\.json would be overwritten"):
        Loop(_Task(), tmp_path, PLAIN, CPU)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"config.json": "mine"}


def test_links_to_a_checkpoint_and_to_the_log_keep_what_they_have(tmp_path: Path) -> None:
    Loop(_Task(steps=2), tmp_path / "run", PLAIN, CPU).run()
    for name in ("last.pt", "log.jsonl"):
        os.link(tmp_path / "run" / name, tmp_path / name)
    before = [(tmp_path / name).read_bytes() for name in ("last.pt", "log.jsonl")]
    Loop(_Task(), tmp_path / "run", PLAIN, CPU).run()
    assert [(tmp_path / name).read_bytes() for name in ("last.pt", "log.jsonl")] == before
    assert [row["step"] for row in _rows(tmp_path / "run")] == [2, 4]


def test_a_checkpoint_that_was_changed_since_is_not_gone_on_from(tmp_path: Path) -> None:
    Loop(_Task(steps=2), tmp_path, PLAIN, CPU).run()
    (tmp_path / "last.pt").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"last\.pt would be overwritten"):
        Loop(_Task(), tmp_path, PLAIN, CPU)
    assert (tmp_path / "last.pt").read_bytes() == b"mine"
