"""Features of SiamSTM's samples that were made once: they teach what the crops teach."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from siamstm_small import CPU, NARROW, PLAIN, SIZE, SMALL, TINY, keen  # noqa: E402

from stm_tracker_ros.core.config import with_changes  # noqa: E402
from stm_tracker_ros.trackers import checkpoint  # noqa: E402
from stm_tracker_ros.trackers.siamstm.config import PaperNetworkConfig  # noqa: E402
from stm_tracker_ros.trackers.siamstm.lite_network import ENCODER, LiteNetwork  # noqa: E402
from stm_tracker_ros.trackers.siamstm.paper_network import PaperNetwork  # noqa: E402
from stm_tracker_ros.training import feature_cache, recipes, similar  # noqa: E402
from stm_tracker_ros.training.pack import Pack  # noqa: E402
from stm_tracker_ros.training.siamstm import paper_recipe  # noqa: E402
from stm_tracker_ros.training.siamstm.cached import drawn, unpacked  # noqa: E402
from stm_tracker_ros.training.siamstm.lite_task import LiteTask, of_sample  # noqa: E402
from stm_tracker_ros.training.siamstm.paper_task import Frozen, PaperTask  # noqa: E402
from stm_tracker_ros.training.siamstm.sampler import OutlinedSampler  # noqa: E402


def test_features_made_once_cost_what_the_crops_cost_and_leave_the_encoder_alone(
    drawn_data: Path, pack_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "SHARD", 3)
    config = with_changes(TINY, {"examples.negative_share": 0.0, "examples.box_noise": 0.0})
    torch.manual_seed(0)
    network = keen(LiteNetwork(SMALL)).eval()
    sampler = OutlinedSampler(Pack(pack_folder), PLAIN, SIZE, 5)
    feature_cache.build(
        tmp_path,
        3,
        1,
        5,
        lambda seed: drawn(OutlinedSampler(Pack(pack_folder), PLAIN, SIZE, seed), partial(of_sample, network)),
    )
    made = LiteTask(network, pack_folder, feature_cache.Cache(tmp_path), config, CPU)
    rows = {int(row["boxes"].sum() * 1000): row for row in np.load(made.cache.paths[0])}
    sample = sampler.outlined()
    row = rows[int(sample.boxes.sum() * 1000)]
    batch = tuple(torch.from_numpy(np.stack([row[name]])) for name in row.dtype.names)
    plain = LiteTask(network, pack_folder, None, config, CPU)
    crops, *truth = (part[None] for part in sample.tensors())
    first, searched, kept_truth = unpacked(batch)
    wanted_first, wanted = plain._encoded(crops)
    for one, other in ((first, wanted_first), *zip(searched, wanted, strict=True)):
        assert one.shape == other.shape
        assert torch.allclose(one, other, atol=2e-3 * float(other.detach().abs().max()))
    assert all(torch.equal(one, other) for one, other in zip(kept_truth, truth, strict=True))
    costs = []
    for task, given in ((made, batch), (plain, [crops, *truth])):
        torch.manual_seed(1)  # of the cell that the mask is asked for
        costs.append(task.loss_terms(given)[0].item())
    assert costs[0] == pytest.approx(costs[1], rel=5e-3)
    kept = {id(p) for name, p in network.named_parameters() if name.startswith(ENCODER)}
    learned = {id(p) for group in made.optimiser().param_groups for p in group["params"]}
    assert not kept & learned
    assert kept | learned == {id(p) for p in network.parameters()}


def test_of_the_papers_maps_made_once_comes_what_comes_of_the_crops(
    pack_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "SHARD", 2)
    monkeypatch.setattr(PaperTask, "of_features", lambda _, first, searched, truth: (first, *searched, *truth))
    config = with_changes(NARROW, {"release_epoch": NARROW.epochs})
    torch.manual_seed(0)
    network = PaperNetwork(NARROW.network).eval()
    encode = Frozen(network, config.precision).of_sample
    feature_cache.build(
        tmp_path,
        2,
        1,
        5,
        lambda seed: drawn(OutlinedSampler(Pack(pack_folder), PLAIN, network.crop_size, seed), encode),
    )
    sampler = OutlinedSampler(Pack(pack_folder), PLAIN, network.crop_size, 5)
    samples = zip(*[sampler.outlined().tensors() for _ in range(2)], strict=True)
    wanted = PaperTask(network, pack_folder, None, config, CPU).loss_terms([torch.stack(part) for part in samples])
    made = PaperTask(network, pack_folder, feature_cache.Cache(tmp_path), config, CPU)
    (path,) = made.cache.paths
    shard = np.load(path)
    kept = [torch.from_numpy(shard[name].copy()) for name in shard.dtype.names]
    for one, other in zip(made.loss_terms(kept), wanted, strict=True):
        assert one.shape == other.shape
        assert (one.double() - other.double()).norm() <= 2e-3 * other.double().norm()
    first, fine, coarse, *_ = wanted
    for maps in (first, fine, coarse):  # each crop has its own: none can stand for another
        assert (maps - maps.roll(1, 0)).norm() > 0.05 * maps.norm()
    (drawn_batch,) = islice(made.batches(0), 1)
    assert [part.shape for part in drawn_batch] == [part.shape for part in kept]


def test_a_target_has_as_many_pixels_in_a_smaller_crop(pack_folder: Path) -> None:
    sides = []
    for crop_size in (255, 207):
        config = with_changes(NARROW, {"crop_size": crop_size, "release_epoch": NARROW.epochs})
        network = PaperNetwork(replace(config.network, crop_size=crop_size)).eval()
        kept = paper_recipe._drawn_by(network, pack_folder, config, 5)()
        assert kept["later_1"].shape[1:3] == (crop_size // 8, crop_size // 8)
        batches: Any = PaperTask(network, pack_folder, None, config, CPU).batches(0)
        assert batches.dataset.config == config.cut
        sides.append(kept["boxes"][:, 2:] - kept["boxes"][:, :2])
    assert sides[1] == pytest.approx(sides[0], rel=1e-4)
    assert (sides[0] > 5).all()


@pytest.mark.parametrize(
    ("cells", "changes"),
    [
        (31, {"precision": "fp32"}),
        (25, {"precision": "bf16", "crop_size": "207", "sampler.similar_share": "0.001", "seed": "3"}),
        (31, {"precision": "fp32", "renewed": "true"}),
    ],
)
def test_the_papers_recipe_learns_from_maps_made_once_and_leaves_the_backbone_alone(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: int, changes: dict[str, str]
) -> None:
    monkeypatch.setattr(feature_cache, "SHARD", 2)
    names = ("width", "channels", "mask_width")
    given = {f"network.{name}": str(getattr(NARROW.network, name)) for name in names}
    given |= dict.fromkeys(("batch", "samples", "epochs", "release_epoch", "cached_samples"), "2")
    given |= {"warm_up_epochs": "1", "validate_minutes": "0", "backbone_weights": "random", **changes}
    packed, shown = similar.packed, []
    monkeypatch.setattr(similar, "packed", lambda *given: (shown.append(given[-1]), packed(*given)))
    recipes.run("siamstm", data=drawn_data, out=tmp_path, device="cpu", threads=1, changes=given)
    crops = torch.randint(0, 256, (1, 3, 128, 128), dtype=torch.uint8)
    assert torch.equal(shown[0](crops), crops.float())  # its backbone has learned from BGR as it is
    learned = checkpoint.read(tmp_path / "siamstm.safetensors", "siamstm").tensors
    torch.manual_seed(int(changes.get("seed", 1)))  # the recipe's own
    made = PaperNetwork(NARROW.network).state_dict()
    changed = {name.split(".")[0] for name, value in made.items() if not torch.equal(learned[name], value)}
    masked = set() if "renewed" in changes and "mask" not in changed else {"mask"}  # new samples may have none
    assert changed == {"adjust", "correlation", "head"} | masked
    assert (tmp_path / "pack" / "similar.npz").exists() == ("sampler.similar_share" in changes)
    (shard,) = (tmp_path / "features").glob("features_*.npy")
    assert np.load(shard)["later_1"].shape[1:4] == (4, cells, cells)
    flown = checkpoint.network_config(tmp_path / "siamstm.safetensors", "siamstm", PaperNetworkConfig)
    assert flown == NARROW.network  # with crops of the usual size, whatever it has learned from
