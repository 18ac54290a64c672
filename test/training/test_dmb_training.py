"""Clips, made-up maps, and both tasks of DMB on drawn data."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.core.errors import DataError  # noqa: E402
from stm_tracker_ros.trackers.dmb.config import LiteNetworkConfig, PaperNetworkConfig  # noqa: E402
from stm_tracker_ros.trackers.dmb.lite_network import LiteNetwork  # noqa: E402
from stm_tracker_ros.trackers.dmb.paper_network import PaperNetwork  # noqa: E402
from stm_tracker_ros.training import recipes  # noqa: E402
from stm_tracker_ros.training.dmb import paper_recipe  # noqa: E402
from stm_tracker_ros.training.dmb.config import (  # noqa: E402
    ClipConfig,
    LiteTrainConfig,
    MapConfig,
    PaperTrainConfig,
)
from stm_tracker_ros.training.dmb.lite_task import LiteTask  # noqa: E402
from stm_tracker_ros.training.dmb.paper_task import PaperTask  # noqa: E402
from stm_tracker_ros.training.dmb.sampler import Clip, ClipSampler  # noqa: E402
from stm_tracker_ros.training.dmb.spatial_maps import displaced, distance_maps, filled, simulated_maps  # noqa: E402
from stm_tracker_ros.training.loop import Loop  # noqa: E402
from stm_tracker_ros.training.pack import Pack  # noqa: E402
from stm_tracker_ros.training.transforms import paste  # noqa: E402

CPU = torch.device("cpu")
SMALL = LiteNetworkConfig(crop_size=64, width=16, key_channels=8, blocks=1, middle_width=8, fine_width=8)
TINY = PaperNetworkConfig(crop_size=64, spatial_size=64, width=4, key_channels=8, value_channels=16, decoder_channels=8)
PLAIN = replace(ClipConfig().sampler, distractor_share=0.0, occluder_share=0.0, elsewhere_share=0.0)


def clips(pack: Pack, videos: Path, count: int = 20, seed: int = 0, **shares: object) -> list[Clip]:
    config = ClipConfig(**{"sampler": PLAIN, **shares})  # type: ignore[arg-type]
    sampler = ClipSampler(pack, videos, config, 64, seed)
    return [sampler.clip() for _ in range(count)]


def extent(mask: np.ndarray) -> tuple[float, ...]:
    rows, columns = np.flatnonzero((mask > 127).any(1)), np.flatnonzero((mask > 127).any(0))
    return columns[0] * 2, rows[0] * 2, columns[-1] * 2 + 2, rows[-1] * 2 + 2


@pytest.mark.parametrize(
    ("shares", "is_mask"),
    [
        ({"filmed_share": 1.0, "boxed_share": 0.0}, True),
        ({"filmed_share": 0.0, "boxed_share": 1.0}, False),
        ({"filmed_share": 0.0, "boxed_share": 0.0, "bend_share": 0.0}, True),
    ],
)
def test_masks_lie_in_their_boxes(drawn_pack: Pack, filmed: Path, shares: dict[str, float], is_mask: bool) -> None:
    compared = 0
    for clip in clips(drawn_pack, filmed, **shares):
        assert clip.crops.shape == (3, 64, 64, 3)
        assert clip.masks.shape == (3, 32, 32)
        assert clip.is_mask == is_mask
        for mask, box in zip(clip.masks, clip.boxes, strict=True):
            if (mask > 127).any() and (box > 4).all() and (box < 60).all():
                assert extent(mask) == pytest.approx(tuple(box), abs=3.5)
                compared += 1
    assert compared > 20


def test_a_pack_without_videos_is_refused_only_where_they_are_asked_for(stills_pack: Pack, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"clips\.filmed_share is 0\.3 and clips\.boxed_share is 0\.3, and"):
        clips(stills_pack, tmp_path)
    assert all(clip.is_mask for clip in clips(stills_pack, tmp_path, filmed_share=0.0, boxed_share=0.0))


def test_where_all_videos_have_masks_boxes_are_drawn_from_them_too(drawn_pack: Pack, filmed: Path) -> None:
    pack = copy(drawn_pack)
    pack.tracks = [track for track in pack.tracks if track.name.startswith("car1/")]
    assert not any(clip.is_mask for clip in clips(pack, filmed, filmed_share=0.0, boxed_share=1.0))


def test_bent_stills_take_their_masks_along(drawn_pack: Pack, filmed: Path) -> None:
    """The drawn object has one colour: where the mask says so it is found, bent or not."""
    right = total = 0
    for clip in clips(drawn_pack, filmed, filmed_share=0.0, boxed_share=0.0, bend_share=1.0, bend=0.1):
        for crop, mask in zip(clip.crops, clip.masks, strict=True):
            inside = cv2.erode(cv2.resize(mask, (64, 64)), np.ones((5, 5), np.uint8)) > 200
            if inside.sum() > 50:
                right += int(crop[inside].std(0).mean() < 25)
                total += 1
    assert total > 20
    assert right > 0.7 * total


def test_what_is_hidden_is_no_part_of_the_mask(drawn_pack: Pack, filmed: Path) -> None:
    hiding = replace(PLAIN, occluder_share=1.0, occluded_frame_share=1.0, full_cover_share=1.0)
    for shares in ({"filmed_share": 1.0, "boxed_share": 0.0}, {"filmed_share": 0.0, "boxed_share": 1.0}):
        drawn = clips(drawn_pack, filmed, sampler=hiding, **shares)
        areas = np.array([[int((m > 127).sum()) for m in clip.masks] for clip in drawn])
        assert (areas[:, 0] > 0).all()
        assert (areas[:, 1:] < 0.2 * areas[:, :1]).any(1).mean() > 0.6


def test_the_same_seed_gives_the_same_clips(drawn_pack: Pack, filmed: Path) -> None:
    first, second, other = (clips(drawn_pack, filmed, 3, seed=s)[2] for s in (4, 4, 5))
    assert np.array_equal(first.crops, second.crops)
    assert not np.array_equal(first.crops, other.crops)


def test_pasting_touches_only_what_alpha_covers() -> None:
    random = np.random.default_rng(0)
    below, above = (random.integers(0, 256, (20, 20, 3), np.uint8) for _ in range(2))
    alpha = np.zeros((20, 20), np.uint8)
    alpha[5:9, 3:12] = random.integers(0, 256, (4, 9))
    weight = alpha[..., None].astype(int)
    assert np.array_equal(paste(below, above, alpha), (above * weight + below * (255 - weight)) // 255)
    assert np.array_equal(paste(below, above, np.zeros((20, 20), np.uint8)), below)


def boxes_and_shown() -> tuple[torch.Tensor, torch.Tensor]:
    boxes = torch.tensor([[[64.0, 96.0, 128.0, 160.0]]]).expand(64, 1, 4)
    return boxes, torch.ones(64, 1, dtype=torch.bool)


def test_made_up_maps_peak_at_the_target_unless_they_are_to_mislead() -> None:
    torch.manual_seed(0)  # the maps draw their widths
    boxes, shown = boxes_and_shown()
    exact = MapConfig(jitter=0.0, flat_share=0.0, astray_share=0.0, noise=0.0)
    peaks = simulated_maps(shown, boxes, 16, 256, exact)[:, 0].flatten(1)
    assert set(peaks.argmax(1).tolist()) <= {7 * 16 + 5, 7 * 16 + 6, 8 * 16 + 5, 8 * 16 + 6}
    assert float(peaks.amax(1).min()) > 0.15
    flat = simulated_maps(shown, boxes, 16, 256, replace(exact, flat_share=1.0))
    assert float(flat.max()) <= 0.15
    astray = simulated_maps(shown, boxes, 16, 256, replace(exact, astray_share=1.0))[:, 0]
    assert float(astray[:, 7:9, 5:7].mean()) < 0.1 < float(astray.amax((1, 2)).mean())


def test_maps_of_distances_are_smallest_at_the_target() -> None:
    boxes, _ = boxes_and_shown()
    maps = distance_maps(boxes, 16, 256, 0.0)[0, 0]
    assert maps.min() == maps[7, 5]
    # cell (0, 0) has its centre at (8, 8), the target's is (96, 128)
    assert maps[0, 0].item() == pytest.approx(float(np.hypot(88, 120)) / 256, abs=1e-4)


def test_labels_of_boxes_and_of_trackers_gone_astray() -> None:
    label = filled(torch.tensor([[16.0, 32.0, 48.0, 40.0]]), 16, 64)
    assert label.nonzero()[:, 1:].tolist() == [[y, x] for y in (8, 9) for x in range(4, 12)]
    moved = displaced(label[:, None], 1.0)
    assert moved.sum() == label.sum()
    assert not torch.equal(moved[0, 0], label[0])
    assert torch.equal(displaced(label[:, None], 0.0), label[:, None])


def test_the_lite_network_learns_a_clip(pack_folder: Path, filmed: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = LiteTrainConfig(
        steps=14, batch=3, warm_up=1, rate=3e-3, precision="fp32", log_steps=7, clips=ClipConfig(sampler=PLAIN)
    )
    task = LiteTask(LiteNetwork(SMALL), pack_folder, filmed, config, CPU)
    frozen = {n: p.clone() for n, p in task.network.backbone.named_parameters() if n.startswith(("stem", "blocks.3."))}
    batch = next(iter(task.batches(0)))
    task.batches = lambda step: [batch] * 14  # type: ignore[method-assign, assignment, return-value]
    before = task.loss_terms(batch)[0].item()
    loop = Loop(task, tmp_path, config, CPU)
    loop.run()
    after, terms = task.loss_terms(batch)
    assert after.item() < before
    assert {"second_jaccard", "third_score", "third_overlap"} <= set(terms)
    assert all(
        torch.equal(value, dict(task.network.backbone.named_parameters())[name]) for name, value in frozen.items()
    )
    assert loop.step == 14


def test_as_much_of_the_backbone_is_trained_as_asked_for(pack_folder: Path, filmed: Path) -> None:
    config = LiteTrainConfig(batch=2, trained_blocks=5)
    task = LiteTask(LiteNetwork(SMALL), pack_folder, filmed, config, CPU)
    for parameter in task.optimiser().param_groups[-1]["params"]:
        parameter.requires_grad_(True)
    features = task._features(next(iter(task.batches(0)))[0])
    features[0].coarse.square().mean().backward()
    trained = [block.project.weight.grad is not None for block in task.network.backbone.in_order()]
    assert trained == [False] * 8 + [True] * 5


def test_the_recurrent_memory_is_what_was_answered(pack_folder: Path, filmed: Path) -> None:
    """Frame 3 is judged with a memory that the answer of frame 2 went into: its loss reaches frame 2's read."""
    config = LiteTrainConfig(batch=2, precision="fp32", wrong_share=0.0, box_share=0.0)
    task = LiteTask(LiteNetwork(SMALL), pack_folder, filmed, config, CPU)
    clipped = task._clipped(*next(iter(task.batches(0))))
    second = clipped.frames[1].fine.requires_grad_()
    terms = task._recurrent(clipped, clipped.label)
    (terms["third"].entropy).backward()
    assert second.grad is not None
    assert float(second.grad.abs().sum()) > 0


@pytest.mark.parametrize("stage", ["stills", "videos"])
def test_the_papers_task_trains_what_its_stage_trains(pack_folder: Path, filmed: Path, stage: str) -> None:
    torch.manual_seed(0)
    config = PaperTrainConfig(
        stage=stage, epochs=1, epoch=4, batch=2, rate=1e-3, box_share=1.0, network=TINY, distance_share=0.5
    )
    task = PaperTask(PaperNetwork(TINY), pack_folder, filmed, config, CPU)
    assert task.steps == 2
    before = {name: value.clone() for name, value in task.network.state_dict().items()}
    optimiser = task.optimiser()
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            parameter.requires_grad_(True)
    total, terms = task.loss_terms(next(iter(task.batches(0))))
    total.backward()
    optimiser.step()
    changed = {name for name, value in task.network.state_dict().items() if not torch.equal(value, before[name])}
    assert "out.weight" in changed
    assert ("query_backbone.conv1.weight" in changed) == (stage == "stills")
    assert not any(".bn" in name or "running" in name for name in changed)
    assert {"frame_1_entropy", "frame_2_jaccard", "frame_3_entropy"} <= set(terms)


@pytest.mark.parametrize(
    ("name", "changes", "wanted"),
    [("dmb", {}, "ResNet-50"), ("dmb_lite", {"backbone_weights": "nowhere.pth"}, "mobilenet_v2")],
)
def test_recipes_say_what_they_need(
    drawn_data: Path, tmp_path: Path, name: str, changes: dict[str, str], wanted: str
) -> None:
    with pytest.raises(DataError, match=wanted):
        recipes.run(name, data=drawn_data, out=tmp_path, device="cpu", threads=1, changes=changes)
    assert not (tmp_path / "pack").exists(), "minutes of packing come after what is judged in a moment"


def test_random_backbones_are_left_alone() -> None:
    torch.manual_seed(0)
    network = PaperNetwork(TINY)
    before = network.query_backbone.conv1.weight.clone()
    paper_recipe.fill_backbones(network, "random")
    assert torch.equal(before, network.query_backbone.conv1.weight)
