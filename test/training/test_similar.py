"""Which objects look alike, and that the sampler lays them beside and over the target."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.core.errors import DataError  # noqa: E402
from stm_tracker_ros.parts.backbones.mobilenet_v2 import MobileNetV2  # noqa: E402
from stm_tracker_ros.training import similar  # noqa: E402
from stm_tracker_ros.training.config import SamplerConfig  # noqa: E402
from stm_tracker_ros.training.dmb.config import ClipConfig  # noqa: E402
from stm_tracker_ros.training.dmb.sampler import ClipSampler  # noqa: E402
from stm_tracker_ros.training.pack import Pack  # noqa: E402
from stm_tracker_ros.training.sampler import Sampler  # noqa: E402

CPU = torch.device("cpu")


def test_the_most_alike_come_first_and_an_object_is_not_like_itself() -> None:
    generator = np.random.default_rng(1)
    kinds = generator.normal(0, 5, (3, 16))
    described = np.repeat(kinds, 4, 0) + generator.normal(0, 1.5, (12, 16))
    described[5] = described[4] * 1.0001  # the same object in another picture
    rows = similar._alike(described.astype(np.float32), np.arange(8))  # the last four are no masked stills
    assert rows.shape == (12, similar.KEPT)
    assert set(rows[0][:3]) == {1, 2, 3}
    assert 0 not in rows[0]
    assert set(rows[4][:2]) == {6, 7}
    assert not {4, 5} & {*rows[4]}
    assert (rows < 8).all()
    assert {*rows[9]} <= {*range(8), -1}  # described as well, never named
    assert (rows[0][7:] == -1).all()


def test_the_table_of_a_pack_is_made_once(pack_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = Pack(pack_folder)
    torch.manual_seed(3)
    made = similar.build(pack, tmp_path, MobileNetV2(), CPU)
    assert made.stills.shape == (len(pack.stills), similar.KEPT)
    assert made.tracks.shape == (len(pack.tracks), similar.KEPT)
    assert [row[row >= 0].tolist() for row in made.stills[:2]] == [[1], [0]]
    monkeypatch.delattr(similar, "_described")
    again = similar.build(pack, tmp_path, MobileNetV2(), CPU)
    assert (again.stills == made.stills).all()


def test_a_backbone_of_other_colours_and_cells_describes_too(pack_folder: Path) -> None:
    """Of what it is shown the mean within the outline, whatever the size of its cells."""
    pack, shown = Pack(pack_folder), []

    def halved(crops: torch.Tensor) -> torch.Tensor:
        shown.append(crops)
        return crops.float() / 2

    def pooled(side: int) -> Any:
        return lambda given: [torch.nn.functional.avg_pool2d(given, side)]

    described = {side: similar._described(pack, pooled(side), CPU, halved) for side in (8, 16)}
    assert shown[0].dtype == torch.uint8
    assert shown[0].shape[1:] == (3, similar.SIZE, similar.SIZE)
    assert described[8] == pytest.approx(described[16], rel=1e-4)
    first, outline = similar._still(pack, pack.stills[0])
    cells = first.reshape(8, 16, 8, 16, 3).mean((1, 3)) / 2
    wanted = (cells * outline[..., None]).sum((0, 1)) / outline.sum()
    assert described[8][0] == pytest.approx(wanted, rel=1e-3)


def test_the_backbone_that_is_asked_stays_where_it_is(pack_folder: Path, tmp_path: Path) -> None:
    """It is a network's that features are made with on the CPU afterwards, in forks that cannot use CUDA."""
    for name in ("blobs.bin", "index.npz"):
        (tmp_path / name).symlink_to(pack_folder / name)
    backbone = MobileNetV2()
    with pytest.raises(NotImplementedError, match="meta"):
        similar.build(Pack(tmp_path), tmp_path, backbone, torch.device("meta"))
    assert {parameter.device for parameter in backbone.parameters()} == {CPU}


def test_a_pack_without_a_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"similar\.npz is missing"):
        similar.load(tmp_path)


def test_asked_for_look_alikes_need_a_table(drawn_pack: Pack) -> None:
    with pytest.raises(DataError, match=r"similar_share is 0\.5"):
        Sampler(drawn_pack, SamplerConfig(similar_share=0.5), 64, 1)


@pytest.mark.parametrize("video_share", [0.0, 1.0])
def test_look_alikes_are_laid_beside_and_over_the_target(drawn_pack: Pack, video_share: float) -> None:
    """Only what the table names is taken, whatever the target is; without the setting other objects are."""
    named = np.full((3, similar.KEPT), -1)
    named[:, 0] = 1
    table = similar.Similar(np.repeat(named[:1], len(drawn_pack.stills), 0), np.repeat(named[:1], 2, 0))
    config = SamplerConfig(similar_share=1.0, distractor_share=1.0, occluder_share=1.0, video_share=video_share)
    assert _taken(Sampler(drawn_pack, config, 64, 4, table)) == {1}
    assert _taken(Sampler(drawn_pack, dataclasses.replace(config, similar_share=0.0), 64, 4, table)) == {0, 1}


@pytest.mark.parametrize(("filmed_share", "boxed_share"), [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)])
def test_in_clips_of_dmb_as_well(drawn_pack: Pack, filmed: Path, filmed_share: float, boxed_share: float) -> None:
    """As above; what hides a boxed target whole is any object."""
    named = np.full((1, similar.KEPT), -1)
    named[:, 0] = 1
    table = similar.Similar(np.repeat(named, len(drawn_pack.stills), 0), np.repeat(named, 2, 0))
    for share, expected in ((1.0, {1}), (0.0, {0, 1})):
        config = SamplerConfig(similar_share=share, distractor_share=1.0, occluder_share=0.0)
        clips = ClipConfig(filmed_share=filmed_share, boxed_share=boxed_share, sampler=config)
        sampler = ClipSampler(drawn_pack, filmed, clips, 64, 4, table)
        assert _taken(sampler, sampler.clip) == expected


def _taken(sampler: Sampler, sample: Callable[[], Any] | None = None) -> set[int]:
    """Numbers of the masked stills that were cut out in some samples."""
    taken = set[int]()
    cut_out = sampler._cut_out

    def listening(still):
        taken.add(next(number for number, masked in enumerate(sampler.masked) if masked is still))
        return cut_out(still)

    sampler._cut_out = listening  # type: ignore[method-assign]
    for _ in range(12):
        (sample or sampler.sample)()
    return taken
