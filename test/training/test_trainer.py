from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.core.errors import CheckpointError, ConfigError, DataError  # noqa: E402
from stm_tracker_ros.core.output_folder import OutputFolder  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork, Prediction  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.loss import loss  # noqa: E402
from stm_tracker_ros.training import curve, fine_tuning, recipes  # noqa: E402
from stm_tracker_ros.training.loop import Loop  # noqa: E402
from stm_tracker_ros.training.run_files import LOOP_FILES  # noqa: E402
from stm_tracker_ros.training.sampler import FRAMES  # noqa: E402
from stm_tracker_ros.training.stmtrack.config import LiteTrainConfig  # noqa: E402
from stm_tracker_ros.training.stmtrack.lite_task import LiteTask, choose_queries  # noqa: E402

SMALL = LiteNetworkConfig(crop_size=128, width=16, key_channels=8, shared_blocks=1, tower_blocks=1)
CPU = torch.device("cpu")
GRID = torch.tensor([[8.0, 8.0], [24.0, 8.0], [8.0, 24.0], [24.0, 24.0]])


def _prediction(box: list[float], logit: float) -> Prediction:
    logits = torch.full((1, 4), -8.0)
    logits[0, 0] = logit
    return Prediction(logits, torch.zeros(1, 4), torch.tensor(box).expand(1, 4, 4).clone())


def _loss(prediction: Prediction, state: int):
    return loss(prediction, GRID, torch.tensor([[2.0, 2.0, 14.0, 14.0]]), torch.tensor([state]), 0.75, 2.0)


def test_a_right_answer_costs_less_than_a_wrong_one() -> None:
    right, wrong = _loss(_prediction([2, 2, 14, 14], 8.0), 1), _loss(_prediction([8, 8, 20, 20], -8.0), 1)
    assert right.cls < 1e-3 < wrong.cls
    assert right.box.item() == pytest.approx(0.0, abs=1e-5)
    # boxes of 144 px each share 36 px; the smallest box around both has 18 x 18 = 324 px
    giou = 36 / 252 - (324 - 252) / 324
    assert wrong.box.item() == pytest.approx(1 - giou, abs=1e-5)
    assert wrong.iou.item() == pytest.approx(36 / 252, abs=1e-5)


def test_absent_targets_cost_a_high_score_and_unclear_ones_nothing() -> None:
    confident = _prediction([2, 2, 14, 14], 8.0)
    assert _loss(confident, 0).cls > 1.0
    assert _loss(confident, 0).box == 0
    assert _loss(confident, -1).cls == 0


def test_a_box_between_the_points_still_has_a_positive_cell() -> None:
    between = loss(
        _prediction([14, 14, 18, 18], 8.0), GRID, torch.tensor([[14.5, 14.5, 17.0, 17.0]]), torch.tensor([1]), 0.75, 2.0
    )
    assert between.iou > 0


def test_queries_never_see_themselves_and_negatives_see_another_object() -> None:
    states = np.ones((3, FRAMES), np.int64)
    states[1, 2] = 0
    own = choose_queries(states, 0.0, np.random.default_rng(0), CPU)
    assert len(own.query) == 3 * (FRAMES - 1)
    for query, memory, used in zip(own.query, own.memory, own.used, strict=True):
        assert query not in memory
        assert (memory // FRAMES == query // FRAMES).all()
        assert query % FRAMES > 0
        assert memory[0] % FRAMES == 0
        assert used[0]
    hidden = own.used & (own.memory == FRAMES + 2)
    assert not hidden.any()
    negative = choose_queries(states, 1.0, np.random.default_rng(0), CPU)
    assert (negative.states == 0).all()
    assert (negative.memory // FRAMES != (negative.query // FRAMES)[:, None]).all()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_first_frame_is_left_out_of_the_read_of_the_others_only(pack_folder: Path, share: float) -> None:
    task = LiteTask(LiteNetwork(SMALL), pack_folder, LiteTrainConfig(others_share=share), CPU)
    chosen = choose_queries(np.ones((20, FRAMES), np.int64), 0.15, np.random.default_rng(0), CPU)
    has_others = chosen.used[:, 1:].any(1)
    assert 0 < has_others.sum() < len(has_others)
    left_out = task._left_out(chosen)
    assert not left_out[:, 1:].any()
    assert torch.equal(left_out[:, 0], has_others if share else torch.zeros_like(has_others))
    biases: list[torch.Tensor] = []
    respond = task.network.respond
    task.network.respond = lambda *a: (biases.append(a[3]), respond(*a))[1]  # type: ignore[method-assign]
    batch = next(iter(task.batches(0)))
    features = task._features(batch[0])
    biases.clear()
    _, chosen = task._query(features, batch[1], batch[2])
    without_first = torch.isinf(biases[-1][:, 0])
    assert torch.equal(without_first, chosen.used[:, 1:].any(1) & bool(share))


def _remembered(pack_folder: Path, **changes: float) -> tuple[torch.Tensor, torch.Tensor]:
    off = {"box_noise": 0.0, "own_share": 0.0, "drift_share": 0.0, "wrong_share": 0.0}
    task = LiteTask(LiteNetwork(SMALL), pack_folder, LiteTrainConfig(**{**off, **changes}), CPU)  # type: ignore[arg-type]
    boxes = torch.tensor([20.0, 30.0, 60.0, 70.0]).expand(8, FRAMES, 4).clone()
    features = torch.randn(8 * FRAMES, SMALL.width, SMALL.crop_size // 16, SMALL.crop_size // 16)
    return boxes, task._noisy(task._answered(features, boxes))


def test_the_first_box_stays_exact_whatever_the_others_suffer(pack_folder: Path) -> None:
    boxes, held = _remembered(pack_folder)
    assert torch.allclose(boxes, held)
    for name in ("box_noise", "drift_share", "wrong_share"):
        boxes, held = _remembered(pack_folder, **{name: 0.5})
        assert torch.allclose(boxes[:, 0], held[:, 0])
        assert not torch.allclose(boxes[:, 1:], held[:, 1:])


def test_a_drift_is_common_to_all_later_boxes(pack_folder: Path) -> None:
    _, held = _remembered(pack_folder, drift_share=1.0)
    later = held[:, 1:]
    assert torch.allclose(later, later[:, :1].expand_as(later), atol=1e-4)


class _Scripted:
    """Stands in for the network: answers with the box remembered, moved."""

    def __init__(self, step: float) -> None:
        self.step, self.asked_with = step, 0

    def memory(self, features: torch.Tensor, boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(len(boxes), 1, 1), boxes[:, None]

    def respond(self, features: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, bias: None) -> Prediction:
        self.asked_with = values.shape[1]
        return Prediction(torch.zeros(len(values), 1), torch.zeros(len(values), 1), values[:, -1:] + self.step)


@pytest.mark.parametrize(("step", "expected"), [(5.0, 5.0), (100.0, 0.0)])
def test_own_answers_are_those_of_the_first_frame_unless_far_off(
    pack_folder: Path, monkeypatch: pytest.MonkeyPatch, step: float, expected: float
) -> None:
    """Of three samples the last two are own; with sides of 40 a box 100 px off overlaps nothing, the truth is kept."""
    task = LiteTask(LiteNetwork(SMALL), pack_folder, LiteTrainConfig(own_share=0.5), CPU)
    task.network = _Scripted(step)  # type: ignore[assignment]
    drawn = torch.tensor([0.9, 0.1, 0.2])
    monkeypatch.setattr(torch, "rand", lambda *_, **__: drawn)
    boxes = torch.tensor([20.0, 30.0, 60.0, 70.0]) + torch.arange(3.0)[:, None, None]
    boxes = boxes.expand(3, FRAMES, 4).clone()
    answered = task._answered(torch.zeros(3 * FRAMES, 1, 1, 1), boxes)
    assert task.network.asked_with == 1  # type: ignore[attr-defined]
    moved = (answered - boxes)[:, :, 0]
    np.testing.assert_allclose(moved[0], 0)
    np.testing.assert_allclose(moved[1:], [[0] + [expected] * (FRAMES - 1)] * 2)


def _loop(pack: Path, out: Path, config: LiteTrainConfig) -> Loop:
    return Loop(LiteTask(LiteNetwork(SMALL), pack, config, CPU), out, config, CPU)


def test_training_learns_writes_and_goes_on(pack_folder: Path, tmp_path: Path) -> None:
    config = LiteTrainConfig(steps=3, batch=2, warm_up=1, precision="fp32")
    first = _loop(pack_folder, tmp_path, config)
    before = first.network.cls_ctr.weight.detach().clone()
    backbone = first.network.backbone.stem.weight.detach().clone()
    first.run()
    assert not torch.equal(before, first.network.cls_ctr.weight)
    assert torch.equal(backbone, first.network.backbone.stem.weight)
    second = _loop(pack_folder, tmp_path, LiteTrainConfig(steps=20, batch=2, precision="fp32"))
    assert second.step == 3
    assert torch.equal(second.network.cls_ctr.weight, first.network.cls_ctr.weight)
    second.run(lambda weights: {"success_auc": 0.5})
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [3, 20, 20]
    assert rows[-1]["validation_success_auc"] == 0.5
    curve.draw(tmp_path / "log.jsonl", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_what_a_killed_run_did_after_its_checkpoint_is_logged_once(pack_folder: Path, tmp_path: Path) -> None:
    config = LiteTrainConfig(steps=3, batch=2, warm_up=1, precision="fp32", log_steps=1)
    _loop(pack_folder, tmp_path, config).run()
    later = '{"step": 4, "minutes": 1}\n{"step": 5, "minu'  # killed in a row, three steps behind its last checkpoint
    with OutputFolder(tmp_path).check(LOOP_FILES).continued("log.jsonl") as log:
        log.write(later.encode())
    _loop(pack_folder, tmp_path, replace(config, steps=5)).run()
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert "iou" in rows[3]


@pytest.mark.parametrize(("blocks", "backbone"), [(2, "resnet18"), (7, "mobilenet_v2")])
def test_no_more_blocks_are_trained_than_lie_behind_the_finer_map(blocks: int, backbone: str) -> None:
    """With more of them the finer map would be of another block than the one that it is flown with."""
    network = LiteNetwork(replace(SMALL, backbone=backbone))
    crops = torch.randint(0, 256, (2, SMALL.crop_size, SMALL.crop_size, 3), dtype=torch.uint8)
    flown = network.backbone(network.normalise(crops.permute(0, 3, 1, 2)))
    found = fine_tuning.maps(network, crops, blocks)
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(found, flown, strict=True))
    with pytest.raises(ConfigError, match=f"trained_blocks is {blocks + 1}; allowed .* are 1 to {blocks}"):
        fine_tuning.maps(network, crops, blocks + 1)


def _as_before_backbones_were_called_so(file: Path) -> None:
    """A run's checkpoint with the names that tensors had in release 0.2; only the folder's own list is kept true."""
    state = torch.load(file, weights_only=True)
    for part in ("network", "average"):
        state[part] = {re.sub("^backbone", "trunk", name): value for name, value in state[part].items()}
    with OutputFolder(file.parent).check(("last.pt",)).new("last.pt") as stream:
        torch.save(state, stream)


def test_a_run_of_an_earlier_release_goes_on(pack_folder: Path, tmp_path: Path) -> None:
    config = LiteTrainConfig(steps=2, batch=2, warm_up=1, precision="fp32")
    first = _loop(pack_folder, tmp_path, config)
    first.run()
    _as_before_backbones_were_called_so(tmp_path / "last.pt")
    second = _loop(pack_folder, tmp_path, LiteTrainConfig(steps=3, batch=2, precision="fp32"))
    assert second.step == 2
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name])
        assert torch.equal(first.average[name], second.average[name])


def test_a_run_of_another_network_is_not_gone_on_from(pack_folder: Path, tmp_path: Path) -> None:
    config = LiteTrainConfig(steps=1, batch=2, precision="fp32")
    _loop(pack_folder, tmp_path, config).save()
    wider = LiteNetwork(replace(SMALL, width=32))
    with pytest.raises(CheckpointError, match=r"last\.pt is of another network: .* has shape .*a new folder"):
        Loop(LiteTask(wider, pack_folder, config, CPU), tmp_path, config, CPU)
    deeper = LiteTrainConfig(steps=1, batch=2, precision="fp32", trained_blocks=5)
    with pytest.raises(CheckpointError, match=r"last\.pt was trained in other parts .*start_from"):
        _loop(pack_folder, tmp_path, deeper)


def test_recipes_refuse_what_they_do_not_know(tmp_path: Path, drawn_data: Path) -> None:
    def run(recipe: str, **changes: str) -> None:
        recipes.run(recipe, data=drawn_data, out=tmp_path, device="cpu", threads=1, changes=changes)

    with pytest.raises(ConfigError, match="did you mean 'stmtrack_lite'"):
        run("stmtrack_light")
    with pytest.raises(ConfigError, match="did you mean 'steps'"):
        run("stmtrack_lite", stepz="3")
    with pytest.raises(ConfigError, match="'trunk_weights' is now called 'backbone_weights'"):
        run("stmtrack_lite", trunk_weights="nowhere.pth")
    with pytest.raises(ConfigError, match=r"'network.trunk' is now called 'network.backbone'"):
        run("stmtrack_lite", **{"network.trunk": "mobilenet_v2"})
    with pytest.raises(DataError, match=r"is 'nowhere\.pth', which does not exist; .*mobilenet_v2-b0353104\.pth"):
        run("stmtrack_lite", backbone_weights="nowhere.pth")
    with pytest.raises(DataError, match="backbone_weights is empty; needed is"):
        run("stmtrack")
    assert not (tmp_path / "pack").exists(), "minutes of packing come after what is judged in a moment"


def test_as_much_of_the_backbone_is_trained_as_asked_for(pack_folder: Path) -> None:
    task = LiteTask(LiteNetwork(SMALL), pack_folder, LiteTrainConfig(trained_blocks=5), CPU)
    blocks = task.network.backbone.in_order()
    groups = task.optimiser().param_groups
    assert {id(p) for p in groups[-1]["params"]} == {id(p) for block in blocks[8:] for p in block.parameters()}
    for parameter in groups[-1]["params"]:
        parameter.requires_grad_(True)
    crops = torch.randint(0, 256, (1, FRAMES, 128, 128, 3), dtype=torch.uint8)
    task._features(crops).square().mean().backward()
    assert [block.project.weight.grad is not None for block in blocks] == [False] * 8 + [True] * 5


@pytest.mark.parametrize(("asked", "made"), [(0, 1), (3, 3)])
def test_samples_come_from_as_many_workers_as_asked_for(pack_folder: Path, asked: int, made: int) -> None:
    task = LiteTask(LiteNetwork(SMALL), pack_folder, LiteTrainConfig(workers=asked), CPU)
    assert task.batches(0).num_workers == made
