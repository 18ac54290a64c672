from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.core.config import with_changes  # noqa: E402
from stm_tracker_ros.core.errors import ConfigError, DataError  # noqa: E402
from stm_tracker_ros.parts.backbones.inception_v3 import InceptionV3  # noqa: E402
from stm_tracker_ros.trackers import checkpoint, registry  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.paper_loss import paper_loss  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork  # noqa: E402
from stm_tracker_ros.training import recipes  # noqa: E402
from stm_tracker_ros.training.loop import Loop  # noqa: E402
from stm_tracker_ros.training.stmtrack import paper_recipe  # noqa: E402
from stm_tracker_ros.training.stmtrack.config import PaperTrainConfig  # noqa: E402
from stm_tracker_ros.training.stmtrack.paper_task import PaperTask, scheduled  # noqa: E402

CPU = torch.device("cpu")
STILLS = {
    f"sampler.weights.{name}": value for name, value in {"videos": 0, "clips": 0, "masked": 1, "boxed": 0}.items()
}
SMALL = {"network.crop_size": 129, "network.channels": 16, "batch": 2, "samples": 2, "epochs": 3, "release_epoch": 2}
SMALL |= {"precision": "fp32"}  # a CPU without bf16 takes twenty times as long in it
TINY = with_changes(PaperTrainConfig(), {**SMALL, **STILLS, "seed": 3})


def _task(pack: Path, config: PaperTrainConfig = TINY) -> PaperTask:
    torch.manual_seed(config.seed)
    return PaperTask(PaperNetwork(config.network), pack, config, CPU)


def test_the_defaults_are_the_paper_s() -> None:
    config = PaperTrainConfig()
    assert config.steps == 20 * (300_000 // 64)
    table = {0: 0.01, config.epoch_steps // 2: 0.045, config.epoch_steps: 0.08, config.steps: 1e-6}
    half = config.epoch_steps + (config.steps - config.epoch_steps) // 2
    third = config.epoch_steps + (config.steps - config.epoch_steps) / 3
    table |= {half: (0.08 + 1e-6) / 2, int(third): 1e-6 + (0.08 - 1e-6) * 0.75}
    for step, rate in table.items():
        assert scheduled(config, step) == pytest.approx(rate, rel=1e-3)
    got10k = with_changes(config, {"samples": 150_000, "batch": 32, "start_rate": 1e-6})
    assert scheduled(got10k, 0) == 1e-6
    assert scheduled(got10k, got10k.epoch_steps) == pytest.approx(0.08)


def test_the_rate_never_rises_after_the_first_epoch_and_backbones_have_a_tenth() -> None:
    config = with_changes(PaperTrainConfig(), {"samples": 640})
    task = PaperTask(PaperNetwork(TINY.network), Path(), config, CPU)
    rates = [task.rates(step) for step in range(config.steps)]
    heads = [rate[0] for rate in rates]
    assert heads[:11] == sorted(heads[:11])
    assert heads[10:] == sorted(heads[10:], reverse=True)
    for step, (head, backbone, released) in enumerate(rates):
        assert backbone == pytest.approx(head / 10)
        assert released == (backbone if step >= 100 else 0)


def test_an_epoch_must_hold_a_batch() -> None:
    with pytest.raises(ConfigError, match="samples is 10; allowed is at least batch = 64"):
        with_changes(PaperTrainConfig(), {"samples": 10})


def _kind(name: str) -> str:
    """What the paper and the authors' code do with a parameter."""
    if not name.startswith("basemodel"):
        return "always"
    if ".bn." in name or "proj_fg_bg_label_map" in name:
        return "always"
    return "later" if "Mixed_" in name else "never"


def test_what_is_frozen_and_when(pack_folder: Path, tmp_path: Path) -> None:
    task = _task(pack_folder)
    loop = Loop(task, tmp_path, TINY, CPU)
    state = {name: value.clone() for name, value in task.network.state_dict().items()}
    named = dict(task.network.named_parameters())
    assert {_kind(name) for name in named} == {"always", "later", "never"}
    for step, trained in ((0, {"always"}), (TINY.release_epoch * TINY.epoch_steps, {"always", "later"})):
        loop.step = step
        loop._train_step(next(iter(task.batches(step))))
        for name, parameter in named.items():
            assert parameter.requires_grad == (_kind(name) in trained), name
            # weights whose gradient is exactly 0 do not move either: behind the bias in front of a batch norm
            if _kind(name) not in trained:
                assert torch.equal(parameter, state[name]), name
        moved = [name for name in named if "backbone" not in name and not torch.equal(named[name], state[name])]
        assert {_kind(name) for name in moved} == trained
    buffers = {name for name, value in task.network.named_buffers() if name.endswith("running_mean")}
    assert any("basemodel_m.Conv2d_1a" in name for name in buffers)
    for name in buffers:
        assert not torch.equal(task.network.state_dict()[name], state[name]), name


def test_the_loss_is_that_of_the_network_s_own_answer(pack_folder: Path) -> None:
    """The query's box and memory in the right places: the same figures from the network's public calls, one by one."""
    task = _task(pack_folder)
    network = task.network.eval()
    crops, boxes, negative = next(iter(task.batches(0)))
    total, terms = task.loss_terms((crops, boxes, negative))
    images = crops.permute(0, 1, 4, 2, 3)
    centers = torch.arange(129) + 0.5
    memory = []
    for sample in range(2):
        slots = []
        for frame in range(3):
            x0, y0, x1, y1 = boxes[sample, frame]
            rows, columns = (centers >= y0) & (centers < y1), (centers >= x0) & (centers < x1)
            label = (rows[:, None] & columns[None]).float()[None, None]
            slots.append(network.memory(images[sample, frame][None], label)[0])
        memory.append(torch.cat(slots))
    prediction = network.respond(network.query(images[:, 3]), torch.stack(memory))
    corners = boxes[:, 3] - torch.tensor([0.0, 0, 1, 1])
    expected = paper_loss(prediction, network.grid, corners, negative, 0.75, 2.0)
    for name, value in expected._asdict().items():
        assert terms[name].item() == pytest.approx(value.item(), rel=1e-3, abs=1e-5, nan_ok=True)
    assert total.item() == pytest.approx((expected.cls + expected.ctr + 3 * expected.reg).item(), rel=1e-3)


def test_an_interrupted_training_ends_as_one_that_was_not(pack_folder: Path, tmp_path: Path) -> None:
    whole = Loop(_task(pack_folder), tmp_path / "whole", TINY, CPU)
    whole.run()
    part = _task(pack_folder)
    part.steps = 2
    Loop(part, tmp_path / "parts", TINY, CPU).run()
    rest = Loop(_task(pack_folder, with_changes(TINY, {"seed": 3})), tmp_path / "parts", TINY, CPU)
    assert rest.step == 2
    rest.run()
    assert rest.step == whole.step == TINY.steps
    for name, value in whole.weights.items():
        assert torch.allclose(value.float(), rest.weights[name].float(), atol=1e-6), name


def test_the_recipe_fills_both_backbones_and_leaves_weights_that_track(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    backbone = InceptionV3()
    file = tmp_path / "inception_v3_google.pth"
    torch.save({**backbone.state_dict(), "fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}, file)
    judged = []
    monkeypatch.setattr(
        paper_recipe.validation, "score", lambda tracker, data: judged.append(tracker) or {"success_auc": 0.5}
    )
    changes = {name: str(value) for name, value in {**SMALL, **STILLS, "epochs": 2, "log_steps": 1}.items()}
    out = tmp_path / "run"
    given = {"data": drawn_data, "out": out, "device": "cpu", "threads": 1}
    recipes.run("stmtrack", **given, changes={**changes, "backbone_weights": str(file)})
    weights = checkpoint.read(out / "stmtrack.safetensors", "stmtrack").tensors
    for name in ("basemodel_m", "basemodel_q"):
        assert torch.equal(
            weights[f"{name}.Conv2d_2a_3x3.conv.weight"], backbone.state_dict()["Conv2d_2a_3x3.conv.weight"]
        )
    registry.load("stmtrack").from_checkpoint(out / "stmtrack.safetensors")
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert all(math.isfinite(row[term]) for row in rows[:2] for term in ("cls", "ctr", "reg"))
    assert rows[-1]["validation_success_auc"] == 0.5
    assert len(judged) == 1
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    recipes.run(
        "stmtrack", **given | {"out": tmp_path / "next"}, changes={**changes, "start_from": str(out / "last.pt")}
    )


def test_the_backbone_must_be_named(tmp_path: Path, drawn_data: Path) -> None:
    with pytest.raises(DataError, match="backbone_weights is empty"):
        recipes.run("stmtrack", data=drawn_data, out=tmp_path, device="cpu", threads=1, changes={})
