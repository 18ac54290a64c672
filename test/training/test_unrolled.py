"""Training as it runs: what is answered is remembered, the gradient reaches the first label, a wrong one harms."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from torch import Tensor  # noqa: E402

from stm_tracker_ros.core.errors import CheckpointError, ConfigError, DataError  # noqa: E402
from stm_tracker_ros.core.output_folder import OutputFolder  # noqa: E402
from stm_tracker_ros.parts.backbones import resnet_files  # noqa: E402
from stm_tracker_ros.trackers import backbones, checkpoint, registry  # noqa: E402
from stm_tracker_ros.trackers.dmv.config import LiteNetworkConfig, PaperNetworkConfig, ReadConfig  # noqa: E402
from stm_tracker_ros.trackers.dmv.lite_network import LiteNetwork  # noqa: E402
from stm_tracker_ros.trackers.dmv.network import Prediction  # noqa: E402
from stm_tracker_ros.trackers.dmv.paper_network import PaperNetwork  # noqa: E402
from stm_tracker_ros.training import feature_cache, recipes  # noqa: E402
from stm_tracker_ros.training.config import SamplerConfig  # noqa: E402
from stm_tracker_ros.training.dmv.config import LiteTrainConfig, PaperTrainConfig  # noqa: E402
from stm_tracker_ros.training.dmv.lite_task import LiteTask  # noqa: E402
from stm_tracker_ros.training.dmv.paper_task import PaperTask  # noqa: E402
from stm_tracker_ros.training.pack import Pack  # noqa: E402
from stm_tracker_ros.training.sampler import IGNORE, Sampler  # noqa: E402
from stm_tracker_ros.training.unrolled import CachedClips, Clips, clipped, growing, unroll  # noqa: E402

CPU = torch.device("cpu")
SMALL = LiteNetworkConfig(
    crop_size=128, width=16, key_channels=8, shared_blocks=1, tower_blocks=1, read=ReadConfig(channels=16, heads=2)
)
NARROW = PaperNetworkConfig(crop_size=128, width=32, read=ReadConfig(channels=16, heads=2))
PLAIN = SamplerConfig(similar_share=0.0)


class Counting:
    """Remembers numbers: of the first frame its feature, of others what was answered; answers with the sum of all."""

    def first(self, features: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        return features, features

    def ask(self, features: Tensor, memory: tuple[Tensor, Tensor]) -> Tensor:
        return features + memory[1].sum(1, keepdim=True)

    def own(self, features: Tensor, answer: Tensor) -> tuple[Tensor, Tensor]:
        return features, answer


def test_every_frame_reads_what_was_answered_to_all_before_it() -> None:
    first, later = torch.tensor([[1.0]]), [torch.tensor([[v]]) for v in (10.0, 100.0, 1000.0)]
    answers = unroll(Counting(), first, torch.zeros(1, 4), later)
    assert [answer.item() for answer in answers] == [11.0, 100 + 1 + 11, 1000 + 1 + 11 + 112]


def test_clips_grow_by_a_frame_after_each_fifth() -> None:
    lengths = growing(2, 5, 1000)
    assert [lengths(step) for step in (0, 199, 200, 400, 599, 600, 999, 5000)] == [2, 2, 3, 4, 4, 5, 5, 5]
    assert growing(2, 2, 1000)(900) == 2


def test_a_clip_begins_with_the_first_crop_and_goes_on_in_order(drawn_pack: Pack) -> None:
    sample = Sampler(drawn_pack, PLAIN, 64, 0).sample()
    for frames in (2, 3, 5):
        crops, boxes, states = clipped(sample, frames, np.random.default_rng(frames))
        assert (len(crops), len(boxes), len(states)) == (frames,) * 3
        places = [next(i for i in range(5) if np.array_equal(sample.crops[i], crop)) for crop in crops.numpy()]
        assert places == sorted(places)
        assert places[0] == 0


def test_the_clips_of_a_batch_are_of_one_length(pack_folder: Path) -> None:
    clips = Clips(
        lambda seed: Sampler(Pack(pack_folder), PLAIN, 64, seed), lambda step: 2 + step, batch=3, first_step=1, seed=0
    )
    drawn = iter(clips)
    assert [len(next(drawn)[0]) for _ in range(9)] == [3] * 3 + [4] * 3 + [5] * 3


def test_doubtful_frames_are_drawn_as_unclear_where_they_are_asked_for(drawn_pack: Pack) -> None:
    def states(share: float) -> np.ndarray:
        config = SamplerConfig(video_share=1.0, occluder_share=0.0, elsewhere_share=0.0, doubtful_share=share)
        sampler = Sampler(drawn_pack, config, 64, 0)
        return np.stack([sampler.sample().states for _ in range(30)])

    assert (states(0.0) != IGNORE).all()
    some = states(1.0)
    assert (some == IGNORE).any()
    assert (some[:, 0] != IGNORE).all()
    assert ((some == IGNORE).sum(1) <= 2).all()


def task(pack_folder: Path, **changes: object) -> LiteTask:
    torch.manual_seed(2)
    config = LiteTrainConfig(network=SMALL, sampler=PLAIN, negative_share=0.0, **changes)  # type: ignore[arg-type]
    return LiteTask(LiteNetwork(SMALL), pack_folder, None, config, CPU)


def batch(seed: int = 0, frames: int = 3) -> list[Tensor]:
    random = torch.Generator().manual_seed(seed)
    crops = torch.randint(0, 256, (2, frames, 128, 128, 3), generator=random).to(torch.uint8)
    boxes = torch.tensor([32.0, 32, 96, 96]).expand(2, frames, 4).contiguous()
    return [crops, boxes, torch.ones(2, frames, dtype=torch.int64)]


def test_the_gradient_of_the_last_answer_reaches_the_first_own_label(pack_folder: Path) -> None:
    """The middle frame's answer is remembered as a soft label: the loss of the last frame alone changes its head."""
    made, written = task(pack_folder), []

    def own(features: Tensor, answer: Prediction) -> tuple[Tensor, Tensor]:
        sure = Prediction(answer.score_logit + 4.0, answer.displacement)  # above the floor, so that it is remembered
        for part in sure:
            part.retain_grad()
        written.append(sure)
        return LiteTask.own(made, features, sure)

    made.own = own  # type: ignore[method-assign]
    crops, boxes, states = batch()
    states[:, 1] = IGNORE  # nothing is asked of the frame that is remembered
    total, _ = made.loss_terms([crops, boxes, states])
    total.backward()
    (label,) = written
    assert label.score_logit.grad.abs().max() > 0
    assert label.displacement.grad.abs().max() > 0
    assert made.network.score.weight.grad.abs().max() > 0


def test_later_frames_weigh_more(pack_folder: Path) -> None:
    """Weights 1 and 2 over their mean: the same error costs twice as much in the third frame as in the second."""
    made = task(pack_folder)
    made.ask = lambda features, memory: Prediction(  # type: ignore[method-assign, assignment]
        torch.zeros(2, len(made.network.anchors)), torch.zeros(2, len(made.network.anchors), 4)
    )
    costs = []
    for counted in (1, 2):
        crops, boxes, states = batch()
        states[:] = IGNORE
        states[:, counted] = 1
        costs.append(made.loss_terms([crops, boxes, states])[0].item())
    assert costs[1] == pytest.approx(2 * costs[0], rel=1e-5)


def test_a_clip_asked_for_with_another_object_shows_nothing(pack_folder: Path) -> None:
    made = task(pack_folder)
    made.config = LiteTrainConfig(network=SMALL, sampler=PLAIN, negative_share=1.0)
    source, states = made._some_negative(torch.ones(3, 4, dtype=torch.int64))
    assert sorted(source.tolist()) == [0, 1, 2]
    assert (source != torch.arange(3)).all()
    assert (states == 0).all()


def test_features_are_made_once_and_drawn_as_clips(drawn_data: Path, pack_folder: Path, tmp_path: Path) -> None:
    def sampler(seed: int) -> Sampler:
        return Sampler(Pack(pack_folder), PLAIN, 64, seed)

    def drawn_by(seed: int) -> feature_cache.Draw:
        return partial(drawn, sampler(seed))

    def drawn(samples: Sampler) -> dict[str, np.ndarray]:
        sample = samples.sample()
        features = torch.from_numpy(sample.crops).permute(0, 3, 1, 2)[:, :, ::16, ::16].float() / 255
        return {"features": feature_cache.stored(features), "boxes": sample.boxes, "states": sample.states}

    feature_cache.SHARD, before = 4, feature_cache.SHARD
    try:
        feature_cache.build(tmp_path, 7, 1, 5, drawn_by)
        names = sorted(path.name for path in tmp_path.glob("*.npy"))
        assert len(names) == 2
        (tmp_path / names[0]).unlink()
        kept = (tmp_path / names[1]).read_bytes()
        feature_cache.build(tmp_path, 7, 1, 5, drawn_by)  # what is missing, and only that
        assert (tmp_path / names[1]).read_bytes() == kept
        assert (tmp_path / names[0]).exists()
        with suppress(KeyboardInterrupt), OutputFolder(tmp_path).new(names[1]) as file:  # killed in the midst of it
            file.write(kept[:1000])
            raise KeyboardInterrupt
        feature_cache.build(tmp_path, 7, 1, 5, drawn_by)
        assert (tmp_path / names[1]).read_bytes() == kept
    finally:
        feature_cache.SHARD = before
    expected = sampler(5).sample()
    features, boxes, states = next(
        iter(CachedClips(feature_cache.Cache(tmp_path), lambda step: 5, batch=3, first_step=0, seed=0))
    )
    assert (features.shape, boxes.shape, states.shape) == ((3, 5, 4, 4, 3), (3, 5, 4), (3, 5))
    shard = np.load(tmp_path / names[0])
    wanted = expected.crops[:, ::16, ::16].astype(np.float16) / np.float16(255)
    assert shard["features"][0] == pytest.approx(wanted, abs=1e-3)
    assert shard["boxes"][0] == pytest.approx(expected.boxes)


def trained(data: Path, out: Path, **changes: object) -> dict[str, Tensor]:
    short: dict[str, object] = {"steps": 2, "batch": 2, "warm_up": 0, "validate_minutes": 0.0, "workers": 1}
    small = {"sampler.similar_share": 0.0, "network.crop_size": 128, "network.shared_blocks": 1}
    given = {name: str(value) for name, value in {**short, **small, **changes}.items()}
    recipes.run("dmv_lite", data=data, out=out, device="cpu", threads=1, changes=given)
    return checkpoint.read(out / "dmv_lite.safetensors", "dmv_lite").tensors


def test_the_recipe_starts_from_another_trackers_encoder_and_leaves_it_as_it_is(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "SHARD", 2)
    start = registry.load("stmtrack_lite").shipped_weights
    assert start is not None
    weights = trained(drawn_data, tmp_path / "run", start_encoder=start, cached_samples=2, longest=3)
    stored = checkpoint.read(start, "stmtrack_lite").tensors
    for name in ("backbone.stem.weight", "neck.weight", "neck_block.widen.weight"):
        assert torch.equal(weights[name], stored[name])
    assert 0 < (weights["key.weight"] - stored["key.weight"]).abs().max() < 1e-2
    again = trained(drawn_data, tmp_path / "next", start_from=tmp_path / "run" / "last.pt")
    assert not torch.equal(again["backbone.blocks.12.project.weight"], weights["backbone.blocks.12.project.weight"])


def test_the_papers_rate_falls_and_its_clips_grow_after_each_fifth(pack_folder: Path) -> None:
    config = PaperTrainConfig(network=NARROW, steps=1000)
    made = PaperTask(PaperNetwork(NARROW), pack_folder, config, CPU)
    assert [made.rates(step)[0] for step in (0, 199, 200, 999)] == pytest.approx([1e-3, 1e-3, 0.95e-3, 0.95**4 * 1e-3])
    assert [made.lengths(step) for step in (0, 200, 999)] == [2, 3, 5]
    assert made.optimiser().defaults["momentum"] == 0.9


def papers(data: Path, out: Path, **changes: object) -> dict[str, Tensor]:
    short: dict[str, object] = {"steps": 1, "batch": 2, "precision": "fp32", "validate_minutes": 0.0, "workers": 1}
    small = {"network.crop_size": 128, "network.width": 32, "network.read.channels": 16, "network.read.heads": 2}
    given = {name: str(value) for name, value in {**short, **small, **changes}.items()}
    recipes.run("dmv", data=data, out=out, device="cpu", threads=1, changes=given)
    return checkpoint.read(out / "dmv.safetensors", "dmv").tensors


def test_the_papers_recipe_trains_a_published_backbone_that_is_cut_off_if_it_is_told_so(
    drawn_data: Path, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    shapes = resnet_files.expected("resnet18", "torchvision", 3)
    weights = {name: torch.randn(t.shape) * 0.02 for name, t in shapes.items()}
    weights |= {name: torch.ones(t.shape) for name, t in shapes.items() if name.endswith("running_var")}
    file = tmp_path / "resnet18.pth"
    torch.save(weights, file)
    with pytest.raises(CheckpointError, match="layer4"):
        papers(drawn_data, tmp_path / "refused", backbone_weights=file)
    trained_to = papers(drawn_data, tmp_path / "run", backbone_weights=file, random_stage=True, rate=1e-6)
    name = "layer1.0.conv1.weight"
    assert torch.allclose(trained_to[f"backbone.{name}"], weights[name], atol=1e-3)
    assert trained_to["backbone.layer4.0.conv1.weight"].abs().max() > 0


def test_a_backbone_that_sees_other_colours_is_refused(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caffe = backbones.Backbone("resnet50", "caffe", "bgr_caffe", "made by a test", {})
    monkeypatch.setattr("stm_tracker_ros.training.published.read", lambda arch, given: caffe)
    with pytest.raises(DataError, match="has input 'bgr_caffe'; needed is 'rgb_imagenet'"):
        papers(drawn_data, tmp_path, backbone_weights="folder", **{"network.backbone": "resnet50"})


def test_a_start_that_does_not_fit_and_features_without_one_are_refused(drawn_data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cached_samples is 8.*start_encoder"):
        trained(drawn_data, tmp_path / "run", cached_samples=8)
    with pytest.raises(ConfigError, match="renewed is true and cached_samples 0"):
        trained(drawn_data, tmp_path / "run", renewed="true")
    with pytest.raises(ConfigError, match="longest is 2; allowed is at least shortest = 3"):
        trained(drawn_data, tmp_path / "run", longest=2, shortest=3)
    masks = registry.load("dmb_lite").shipped_weights
    with pytest.raises(
        CheckpointError, match="for tracker 'dmb_lite'; needed are some for 'stmtrack_lite' or 'dmv_lite'"
    ):
        trained(drawn_data, tmp_path / "run", start_encoder=masks)
