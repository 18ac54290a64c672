"""Samples, objective and tasks of SiamSTM on drawn data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from siamstm_small import CPU, NARROW, PLAIN, SIZE, SMALL, TINY, keen  # noqa: E402

from stm_tracker_ros.core.config import with_changes  # noqa: E402
from stm_tracker_ros.core.errors import CheckpointError, ConfigError, DataError  # noqa: E402
from stm_tracker_ros.trackers import checkpoint  # noqa: E402
from stm_tracker_ros.trackers.siamstm.arm import arm_loss  # noqa: E402
from stm_tracker_ros.trackers.siamstm.lite_network import ENCODER, Features, LiteNetwork  # noqa: E402
from stm_tracker_ros.trackers.siamstm.loss import target_of  # noqa: E402
from stm_tracker_ros.trackers.siamstm.paper_network import PaperNetwork  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig as OtherConfig  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork as OtherNetwork  # noqa: E402
from stm_tracker_ros.training import feature_cache, recipes  # noqa: E402
from stm_tracker_ros.training.loop import DTYPES, Loop  # noqa: E402
from stm_tracker_ros.training.pack import Pack  # noqa: E402
from stm_tracker_ros.training.siamstm import paper_recipe  # noqa: E402
from stm_tracker_ros.training.siamstm.config import LiteTrainConfig, PaperTrainConfig  # noqa: E402
from stm_tracker_ros.training.siamstm.lite_task import LiteTask  # noqa: E402
from stm_tracker_ros.training.siamstm.objective import later, noisy, paired, truth_windows, with_negatives  # noqa: E402
from stm_tracker_ros.training.siamstm.paper_task import PaperTask, scheduled  # noqa: E402
from stm_tracker_ros.training.siamstm.sampler import Outlined, OutlinedSampler  # noqa: E402


def samples(pack: Pack, count: int = 20, **shares: Any) -> list[Outlined]:
    sampler = OutlinedSampler(pack, replace(PLAIN, **shares), SIZE, 0)
    return [sampler.outlined() for _ in range(count)]


def test_the_first_crop_is_about_the_target_and_the_others_are_not(drawn_pack: Pack) -> None:
    off, sizes = [], []
    for sample in samples(drawn_pack, scale_jitter=0.3, wide_shift_share=1.0):
        middle = (sample.boxes[:, :2] + sample.boxes[:, 2:]) / 2 - SIZE / 2
        off.append(np.abs(middle).max(1))
        sizes.append(np.sqrt((sample.boxes[:, 2:] - sample.boxes[:, :2]).prod(1)) * PLAIN.search_scale / SIZE)
    assert max(row[0] for row in off) < 0.03 * SIZE
    assert max(abs(row[0] - 1) for row in sizes) < 0.16  # a turned still has another box than it was placed by
    assert np.mean([row[1:] for row in off]) > 0.1 * SIZE
    assert np.std([row[1:] for row in sizes]) > 0.1


@pytest.mark.parametrize("other", [0.0, 0.5])
def test_masks_lie_in_their_boxes(drawn_pack: Pack, other: float) -> None:
    """What is no mask of these boxes says so."""
    drawn = samples(drawn_pack, 40, other_box_share=other)
    assert {sample.is_mask for sample in drawn} == {True, False}
    compared = 0
    for sample in drawn:
        assert sample.masks.shape == (5, SIZE // 2, SIZE // 2)
        for mask, box in zip(sample.masks, sample.boxes, strict=True):
            if sample.is_mask and (box > 4).all() and (box < SIZE - 4).all():
                rows, columns = np.flatnonzero((mask > 127).any(1)), np.flatnonzero((mask > 127).any(0))
                found = columns[0] * 2, rows[0] * 2, columns[-1] * 2 + 2, rows[-1] * 2 + 2
                assert found == pytest.approx(tuple(box), abs=4)
                compared += 1
    assert compared > 20


def test_negatives_are_searched_with_another_template() -> None:
    torch.manual_seed(0)
    states = torch.ones(8, dtype=torch.long)
    same, own = with_negatives(states, 2, 0.0)
    assert (same.tolist(), own.tolist()) == ([1] * 8, [0] * 4 + [1] * 4)
    none, others = with_negatives(states, 2, 1.0)
    assert (none.tolist(), others.tolist()) == ([0] * 8, [1] * 4 + [0] * 4)
    assert with_negatives(states, 1, 1.0)[0].tolist() == [1] * 8  # there is no other


def test_only_pairs_that_both_show_the_target_are_compared() -> None:
    network = LiteNetwork(SMALL)
    boxes = torch.tensor([[30.0, 30, 60, 60]]).repeat(4, 1) + torch.arange(4)[:, None] * 4
    states = torch.tensor([1, 1, 1, 0])
    target = target_of(network.head, boxes, states)
    torch.manual_seed(0)
    prediction = network.answer(torch.randn(4, 16, 7, 7))
    found = paired(prediction, target, states, 7, "normalised")
    labels, heats = (part.view(4, 7, 7) for part in (target.label, prediction.score))
    expected = arm_loss((labels[:1], labels[1:2]), (heats[:1], heats[1:2]))
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert paired(prediction, target, states * 0, 7, "normalised").item() == 0


def test_truth_is_cut_where_the_masks_window_lies() -> None:
    masks = torch.zeros(1, SIZE // 2, SIZE // 2, dtype=torch.uint8)
    masks[0, 20:30, 10:15] = 255  # of the crop 40 to 60 down, 20 to 30 across
    cut = truth_windows(masks, torch.tensor([[-16.0, 32.0]]))[0]  # begins left of the crop
    assert cut.shape == (64, 64)
    rows, columns = cut.nonzero().T
    assert (rows.min().item(), rows.max().item() + 1) == ((40 - 32) / 2, (60 - 32) / 2)
    assert (columns.min().item(), columns.max().item() + 1) == ((20 + 16) / 2, (30 + 16) / 2)


def test_noise_is_a_share_of_the_sides() -> None:
    torch.manual_seed(0)
    boxes = torch.tensor([[10.0, 20, 50, 40]]).repeat(400, 1)
    assert torch.allclose(noisy(boxes, 0.0), boxes)
    off = noisy(boxes, 0.1)
    middle, sides = (off[:, :2] + off[:, 2:]) / 2, off[:, 2:] - off[:, :2]
    assert middle.std(0).tolist() == pytest.approx([4, 2], rel=0.2)
    assert (sides / torch.tensor([40.0, 20.0])).log().std(0).tolist() == pytest.approx([0.1, 0.1], rel=0.2)


def task(pack: Path, config: LiteTrainConfig = TINY) -> LiteTask:
    torch.manual_seed(0)
    return LiteTask(LiteNetwork(config.network), pack, None, config, CPU)


@pytest.mark.parametrize("head", ["center", "fcos"])
def test_the_lite_network_learns_a_batch(pack_folder: Path, tmp_path: Path, head: str) -> None:
    config = with_changes(TINY, {"steps": 14, "network.head": head, "examples.negative_share": 0.0})
    learned = task(pack_folder, config)
    frozen = {name: p.clone() for name, p in learned.network.backbone.named_parameters()}
    batch = next(iter(learned.batches(0)))
    learned.batches = lambda step: [batch] * 14  # type: ignore[method-assign, assignment, return-value]
    before = learned.loss_terms(batch)[0].item()
    Loop(learned, tmp_path, config, CPU).run()
    after, terms = learned.loss_terms(batch)
    assert after.item() < 0.95 * before
    assert {"heat", "offset", "size", "iou", "arm", "mask", "mask_overlap"} == set(terms)
    moved = {n for n, p in learned.network.backbone.named_parameters() if not torch.equal(p, frozen[n])}
    assert moved
    assert all(name.startswith(("blocks.10.", "blocks.11.", "blocks.12.")) for name in moved)


def test_the_backbone_is_released_on_the_way() -> None:
    learned = task(Path(), with_changes(TINY, {"steps": 100, "release_share": 0.25}))
    rates = [learned.rates(step) for step in range(100)]
    assert all(rate[2] == 0 for rate in rates[:25])
    assert all(rate[2] == pytest.approx(0.1 * rate[0]) for rate in rates[25:])
    assert min(rate[2] for rate in rates[25:]) > 0


def test_the_first_crop_is_the_template_and_the_others_are_searched(pack_folder: Path) -> None:
    """What the loss is of, by the network's public calls: the first crop's features alone make the template."""
    learned = task(pack_folder, with_changes(TINY, {"examples.negative_share": 0.0, "loss.mask": 0.0, "loss.arm": 0.0}))
    keen(learned.network)
    crops, *truth = next(iter(learned.batches(0)))
    every = learned.network.encoded(
        *learned.network.backbone(learned.network.normalise(crops.flatten(0, 1).permute(0, 3, 1, 2)))
    )
    coarse = every.coarse.detach().unflatten(0, (3, 5))
    first = coarse[:, 0].clone().requires_grad_()
    searched = [part.detach().unflatten(0, (3, 5))[:, 1:].flatten(0, 1) for part in every]
    again = learned.of_encoded(first, Features(*searched), truth)[0]
    assert again.item() == pytest.approx(learned.loss_terms([crops, *truth])[0].item(), rel=1e-4)
    own_first, own_searched = learned._encoded(crops)
    assert torch.allclose(own_first, coarse[:, 0], atol=1e-3)
    assert not torch.allclose(own_first, coarse[:, 1], atol=1e-2)
    assert all(torch.allclose(one, other, atol=1e-3) for one, other in zip(own_searched, searched, strict=True))
    again.backward()
    assert first.grad is not None
    margin = (6 - SMALL.kernel) // 2
    inside = first.grad[..., margin:-margin, margin:-margin]
    assert (inside.abs().sum((1, 2, 3)) > 0).all()
    assert first.grad.abs().sum().item() == pytest.approx(inside.abs().sum().item())


def test_each_switch_of_the_loss_acts(pack_folder: Path) -> None:
    large = with_changes(TINY, {"sampler.search_scale": 1.8})
    learned = task(pack_folder, large)
    batch = next(iter(learned.batches(0)))

    def total(**changes: Any) -> float:
        learned.config = with_changes(large, {f"loss.{name}": value for name, value in changes.items()})
        torch.manual_seed(0)
        return learned.loss_terms(batch)[0].item()

    usual = total()
    off = dict.fromkeys(("arm", "mask", "offset", "size"), 0.0)
    for name, value in {**off, "divergence": "printed", "reach": 1.0}.items():
        assert total(**{name: value}) != pytest.approx(usual), name


def test_what_is_of_the_later_crops() -> None:
    (part,) = later([torch.arange(10).view(2, 5)])
    assert part.tolist() == [1, 2, 3, 4, 6, 7, 8, 9]


def run(data: Path, out: Path, **changes: object) -> dict[str, torch.Tensor]:
    short = {"precision": "fp32", "steps": 1, "batch": 2, "warm_up": 0, "validate_minutes": 0.0, "rate": 1e-4}
    small = {"network.crop_size": SIZE, "network.kernel": 2, "network.channels": 16, "network.mask_width": 8}
    small |= {"sampler.similar_share": 0.0}
    given = {name: str(value) for name, value in {**short, **small, **changes}.items()}
    recipes.run("siamstm_lite", data=data, out=out, device="cpu", threads=1, changes=given)
    return checkpoint.read(out / "siamstm_lite.safetensors", "siamstm_lite").tensors


def test_it_starts_from_the_encoder_of_stmtrack_lite_and_goes_on_from_its_own(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "SHARD", 2)
    torch.manual_seed(5)
    encoder = OtherNetwork(OtherConfig()).state_dict()
    file = tmp_path / "other.safetensors"
    checkpoint.save(file, "stmtrack_lite", OtherConfig(), encoder, "made by a test")
    first = run(drawn_data, tmp_path / "first", start_encoder=file)
    for name, value in encoder.items():
        if name.startswith(ENCODER):
            moved = (first[name] - value).abs().max().item()
            assert moved < 1e-3  # one step of AdamW moves a weight by the rate at most
    assert torch.equal(first["backbone.stem.weight"], encoder["backbone.stem.weight"])
    second = run(drawn_data, tmp_path / "second", start_from=tmp_path / "first" / "siamstm_lite.safetensors")
    assert max((second[name] - value).abs().max().item() for name, value in first.items()) < 1e-3
    kept = run(drawn_data, tmp_path / "kept", start_encoder=file, cached_samples=2, **{"sampler.similar_share": 0.5})
    changed = {
        name.split(".")[0]
        for name, value in kept.items()
        if name in encoder and name.startswith(ENCODER) and not torch.equal(value, encoder[name])
    }
    assert not changed
    assert not torch.equal(kept["mask.out.weight"], first["mask.out.weight"])
    with pytest.raises(CheckpointError, match="are for tracker 'stmtrack_lite'"):
        run(drawn_data, tmp_path / "third", start_from=file)


def test_a_label_learns_from_the_boxes_of_first_crops(pack_folder: Path) -> None:
    """The gradient of what is searched reaches it, and another first box is another loss."""
    learned = task(pack_folder, with_changes(TINY, {"examples.negative_share": 0.0}))
    keen(learned.network)
    crops, boxes, *rest = next(iter(learned.batches(0)))
    label = learned.network.label
    assert label is not None

    def total(given: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)
        return learned.loss_terms([crops, given, *rest])[0]

    before = total(boxes)
    before.backward()
    for name, parameter in label.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0, name
        torch.nn.init.normal_(parameter, std=0.3)
    other = boxes.clone()
    other[:, 0, 2:] -= 0.4 * (boxes[:, 0, 2:] - boxes[:, 0, :2])
    assert total(other).item() != pytest.approx(total(boxes).item(), rel=1e-4)


def test_the_papers_rates() -> None:
    config = PaperTrainConfig()
    table = {0: 0.001, 2.5: 0.003, 5: 0.005, 12.5: (0.005 * 0.0005) ** 0.5, 20: 0.0005}
    for epoch, rate in table.items():
        assert scheduled(config, int(epoch * config.epoch_steps)) == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"samples": 10}, "at least batch = 48"),
        ({"epochs": 5}, "less than epochs = 5"),
        ({"cached_samples": 250}, "release_epoch of at least epochs = 20"),
        ({"renewed": True}, "renewed is true and cached_samples 0"),
        ({"crop_size": 200}, "crop_size is 200; allowed is 127 and a multiple of 16"),
    ],
)
def test_settings_that_give_no_training_are_refused(changes: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        with_changes(PaperTrainConfig(), changes)


def test_a_smaller_crop_shows_the_target_as_large_and_as_far_off() -> None:
    usual = with_changes(PaperTrainConfig(), {"sampler.shift": 0.2})
    small = with_changes(usual, {"crop_size": 207})
    assert usual.cut == usual.sampler
    assert 207 / small.cut.search_scale == pytest.approx(255 / usual.sampler.search_scale)
    assert 207 * small.cut.shift == pytest.approx(255 * 0.2)
    assert with_changes(small, {"network.crop_size": 207}).cut == usual.sampler


@pytest.mark.parametrize("released", [False, True])
def test_the_papers_backbone_is_released_at_its_epoch(pack_folder: Path, tmp_path: Path, released: bool) -> None:
    torch.manual_seed(0)
    learned = PaperTask(PaperNetwork(NARROW.network), pack_folder, None, NARROW, CPU)
    loop = Loop(learned, tmp_path, NARROW, CPU)
    before = {name: value.clone() for name, value in learned.network.state_dict().items()}
    loop.step = NARROW.release_epoch * NARROW.epoch_steps - 1 + released
    loop._train_step(next(iter(learned.batches(0))))
    after = learned.network.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert {"adjust.0.weight", "adjust.1.running_mean", "correlation.join.weight", "head.what.0.weight"} <= changed
    of_backbone = {name for name in changed if name.startswith("backbone.")}
    assert bool(of_backbone) == released
    assert all(before[name].ndim == 4 for name in of_backbone)


def test_the_papers_template_is_the_middle_of_the_first_crop(pack_folder: Path) -> None:
    torch.manual_seed(0)
    learned = PaperTask(PaperNetwork(NARROW.network).eval(), pack_folder, None, NARROW, CPU)
    crops = torch.randint(0, 256, (2, 5, 255, 255, 3), dtype=torch.uint8)
    first, searched = learned.encoded(crops)
    alone = learned.network.encode(crops[1, 0, 64:191, 64:191].permute(2, 0, 1)[None]).coarse
    assert torch.allclose(first[1:], alone, atol=1e-4)
    third = learned.network.encode(crops[1, 3].permute(2, 0, 1)[None]).coarse
    assert torch.allclose(searched.coarse[6:7], third, atol=1e-4)


@pytest.mark.parametrize(("precision", "off"), [("fp32", 1e-4), ("bf16", 0.05)])
def test_a_backbone_that_is_never_trained_gives_what_it_gave(precision: str, off: float, pack_folder: Path) -> None:
    torch.manual_seed(0)
    network = PaperNetwork(NARROW.network).eval()
    still = replace(NARROW, release_epoch=NARROW.epochs, precision=precision)
    crops = torch.randint(0, 256, (2, 5, 255, 255, 3), dtype=torch.uint8)
    with torch.autocast("cpu", DTYPES[precision], precision != "fp32"):
        plain = PaperTask(network, pack_folder, None, NARROW, CPU).encoded(crops)
        asked = PaperTask(network, pack_folder, None, still, CPU).encoded(crops)
    for wanted, given in zip((plain[0], *plain[1]), (asked[0], *asked[1]), strict=True):
        assert wanted.shape == given.shape
        assert (wanted - given).float().norm() <= off * wanted.float().norm()
    assert asked[1].coarse.requires_grad
    assert not asked[1].fine.requires_grad


def test_the_papers_recipe_says_what_it_needs(drawn_data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="SiamRPN"):
        recipes.run("siamstm", data=drawn_data, out=tmp_path, device="cpu", threads=1, changes={})
    assert not (tmp_path / "pack").exists()
    network = PaperNetwork(NARROW.network)
    before = network.backbone.conv1.weight.clone()
    paper_recipe.fill_backbone(network, "random")
    assert torch.equal(before, network.backbone.conv1.weight)
