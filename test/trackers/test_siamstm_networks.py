"""The networks of SiamSTM: shapes, what lies where, and the mask branch's windows."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.trackers import registry
from stm_tracker_ros.trackers.siamstm.config import LiteNetworkConfig, PaperNetworkConfig
from stm_tracker_ros.trackers.siamstm.lite_network import ENCODER, LiteNetwork
from stm_tracker_ros.trackers.siamstm.mask import FINE, MIDDLE, SIDE, MaskBranch, window
from stm_tracker_ros.trackers.siamstm.paper_network import PaperNetwork
from stm_tracker_ros.trackers.siamstm.small import spread
from stm_tracker_ros.training.start import load_part

pytestmark = pytest.mark.torch
SMALL = {"crop_size": 96, "width": 32, "channels": 16, "kernel": 2, "mask_width": 8}
BOX = torch.tensor([[40.0, 38.0, 60.0, 58.0]])


@pytest.fixture
def lite() -> LiteNetwork:
    torch.manual_seed(1)
    return LiteNetwork(LiteNetworkConfig(**SMALL)).eval()  # type: ignore[arg-type]


def crops(count: int = 2) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 96, 96), dtype=torch.uint8)


@pytest.mark.parametrize("head", ["center", "fcos"])
@pytest.mark.parametrize("correlation", ["svc", "dw", "channel"])
def test_lite_shapes(correlation: str, head: str) -> None:
    network = LiteNetwork(LiteNetworkConfig(**SMALL, correlation=correlation, head=head)).eval()  # type: ignore[arg-type]
    features = network.encode(crops())
    assert [tuple(part.shape) for part in features] == [(2, 24, 24, 24), (2, 32, 12, 12), (2, 16, 6, 6)]
    correlated = network.correlate(network.template(features.coarse, BOX.repeat(2, 1)), features.coarse)
    assert correlated.shape == (2, 16, 7, 7)
    prediction = network.answer(correlated)
    assert (prediction.score.shape, prediction.box.shape) == ((2, 49), (2, 49, 4))
    windows = network.windows(correlated, features, [0, 3], [6, 3])
    assert [tuple(part.shape) for part in windows] == [(2, 16), (2, 32, MIDDLE, MIDDLE), (2, 24, FINE, FINE)]
    assert network.mask(*windows, torch.tensor([[30.0, 30, 90, 90]] * 2)).shape == (2, FINE, FINE)


def test_the_template_is_the_middle_of_its_crop(lite: LiteNetwork) -> None:
    coarse = torch.randn(1, 16, 6, 6)
    around = coarse.clone()
    around[..., :2], around[:, :, 4:] = 0, 0
    assert torch.equal(lite.template(coarse, BOX).kernel, lite.template(around, BOX).kernel)
    assert torch.equal(lite.template(coarse, BOX).kernel, coarse[:, :, 2:4, 2:4])


def test_a_template_answers_highest_where_it_lies() -> None:
    """With the correlation alone: cell i is of the point 16 i."""
    network = LiteNetwork(LiteNetworkConfig(**SMALL, correlation="dw"))  # type: ignore[arg-type]
    search = torch.zeros(1, 16, 6, 6)
    search[..., 1:3, 4:6] = torch.randn(1, 16, 2, 2)
    centred = torch.zeros(1, 16, 6, 6)
    centred[..., 2:4, 2:4] = search[..., 1:3, 4:6]
    found = network.correlation(network.template(centred, BOX), search)[0].sum(0)
    assert divmod(int(found.argmax()), 7) == (2, 5)
    assert network.head.points[2 * 7 + 5].tolist() == [80, 32]  # between cells 4 and 5, 1 and 2


def test_a_label_says_nothing_to_begin_with(lite: LiteNetwork) -> None:
    """So that weights without one go on with one."""
    coarse = torch.randn(1, 16, 6, 6)
    kept = lite.template(coarse, BOX)
    lite.label = None
    assert all(torch.equal(one, other) for one, other in zip(kept, lite.template(coarse, BOX), strict=True))


def test_a_template_is_weighted_where_its_box_lies(lite: LiteNetwork) -> None:
    coarse = torch.randn(1, 16, 6, 6)
    assert lite.label is not None
    nn.init.ones_(lite.label.gain.weight)  # of sixteen quarters that are covered
    box = torch.tensor([[32.0, 40.0, 48.0, 48.0]])  # the lower half of the first cell of the middle
    kernel = lite.template(coarse, box).kernel
    assert torch.allclose(kernel[..., 0, 0], 9 * coarse[:, :, 2, 2])
    assert torch.equal(kernel[..., 1, :], coarse[:, :, 3, 2:4])
    assert torch.equal(kernel[..., 0, 1], coarse[:, :, 2, 3])


def test_a_descriptor_knows_the_sides_of_its_box(lite: LiteNetwork) -> None:
    """Their logarithms over the usual side, wherever the box lies."""
    coarse = torch.randn(1, 16, 6, 6)
    assert lite.label is not None
    before = lite.template(coarse, BOX).descriptor
    nn.init.eye_(lite.label.sides.weight)
    box = torch.tensor([[3.0, 5.0, 3.0 + 56 * 2, 5.0 + 28]])
    change = (lite.template(coarse, box).descriptor - before)[0, :, 0, 0]
    assert change.tolist() == pytest.approx([math.log(2), -math.log(2)] + [0.0] * 14, abs=1e-5)


@pytest.mark.parametrize(("wrong", "words"), [({"crop_size": 176}, "multiple of 32"), ({"kernel": 5}, "even number")])
def test_what_has_no_middle_is_refused(wrong: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        LiteNetworkConfig(**wrong)  # type: ignore[arg-type]


def test_a_crop_of_another_size_is_answered_about_the_same_points() -> None:
    """The middle of the crop is a cell's point, and a target there is found there by the same weights."""
    with pytest.raises(ConfigError, match="crop_size is 200; allowed is 127 and a multiple of 16"):
        PaperNetworkConfig(crop_size=200)
    torch.manual_seed(0)
    usual = spread(PaperNetwork(PaperNetworkConfig(width=4, channels=16, mask_width=8))).eval()
    smaller = PaperNetwork(PaperNetworkConfig(width=4, channels=16, mask_width=8, crop_size=207)).eval()
    smaller.load_state_dict(usual.state_dict())
    image = torch.rand(1, 3, 255, 255) * 255
    template = usual.template(usual.encode(image[..., 64:-64, 64:-64]).coarse, BOX)
    answers = []
    for network, crop in ((usual, image), (smaller, image[..., 24:-24, 24:-24])):
        points = network.head.points.view(network.cells, network.cells, 2)
        assert points[network.cells // 2, network.cells // 2].tolist() == [network.crop_size / 2] * 2
        heatmap = network.answer(network.correlate(template, network.encode(crop).coarse)).logit
        answers.append(heatmap.view(network.cells, network.cells))
    inner = answers[0][3:-3, 3:-3]
    assert answers[1].shape == inner.shape == (19, 19)
    middle = slice(7, 12)  # as far from the borders as any
    spreads = inner.std()
    assert (answers[1] - inner)[middle, middle].abs().max() < 0.1 * spreads


def test_windows_are_parts_of_their_maps_and_zero_beyond() -> None:
    maps = torch.rand(3, 2, 10, 12) + 1
    found = window(maps, [2, -3, 8], [4, 9, -20], 5)
    assert torch.equal(found[0], maps[0, :, 2:7, 4:9])
    assert torch.equal(found[1, :, 3:, :3], maps[1, :, :2, 9:])
    assert float(found[1, :, :3].abs().sum() + found[1, :, :, 3:].abs().sum()) == 0
    assert float(found[2].abs().sum()) == 0


def test_the_masks_window_lies_about_its_cell(lite: LiteNetwork) -> None:
    """A mark in the maps at some pixels of the crop is found at the same pixels of the window."""
    fine, middle = torch.zeros(1, 1, 24, 24), torch.zeros(1, 1, 12, 12)
    fine[..., 40 // 4, 60 // 4], middle[..., 40 // 8, 60 // 8] = 1, 1
    features = lite.encode(crops(1))._replace(fine=fine, middle=middle)
    row, column = 3, 4
    _, at_8, at_4 = lite.windows(torch.zeros(1, 16, 7, 7), features, [row], [column])
    for found, stride in ((at_8, 8), (at_4, 4)):
        assert found.nonzero().tolist() == [
            [0, 0, int(40 - lite.window_edge(row)) // stride, int(60 - lite.window_edge(column)) // stride]
        ]
    assert lite.window_edge(column) + SIDE / 2 == lite.head.points[column, 0]


def test_the_mask_depends_on_vector_features_and_box() -> None:
    torch.manual_seed(0)
    branch = MaskBranch(6, 5, 4, 8)
    given = [torch.randn(1, 6), torch.randn(1, 5, MIDDLE, MIDDLE), torch.randn(1, 4, FINE, FINE)]
    given.append(torch.tensor([[20.0, 30.0, 80.0, 90.0]]))
    first = branch(*given)
    for index in range(4):
        other = [part + 7.0 if i == index else part for i, part in enumerate(given)]
        assert not torch.allclose(branch(*other), first)


def test_the_lite_trackers_have_one_encoder() -> None:
    """Backbone and neck of the shipped stmtrack_lite fit, and nothing else of it is taken."""
    network = LiteNetwork(LiteNetworkConfig())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    weights = registry.load("stmtrack_lite").shipped_weights
    assert weights is not None
    load_part(network, weights, ("stmtrack_lite",), ENCODER)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) != name.startswith(ENCODER), name


@pytest.fixture(scope="module")
def paper() -> PaperNetwork:
    torch.manual_seed(1)
    return PaperNetwork(PaperNetworkConfig(width=4, channels=16, mask_width=8)).eval()


def large(count: int = 1) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 255, 255), dtype=torch.uint8)


def test_paper_shapes(paper: PaperNetwork) -> None:
    crop = large(2)
    features = paper.encode(crop)
    assert [tuple(part.shape) for part in features] == [(2, 16, 63, 63), (2, 16, 31, 31), (2, 16, 31, 31)]
    first = paper.encode(crop[:, :, 64:-64, 64:-64]).coarse
    assert first.shape == (2, 16, 15, 15)
    template = paper.template(first, BOX)
    assert template.kernel.shape == (2, 16, 5, 5)  # the middle 7 x 7, behind a 3x3 convolution
    correlated = paper.correlate(template, features.coarse)
    assert correlated.shape == (2, 16, 25, 25)
    prediction = paper.answer(correlated)
    assert (prediction.score.shape, prediction.box.shape) == ((2, 625), (2, 625, 4))
    windows = paper.windows(correlated, features, [0, 12], [24, 12])
    assert paper.mask(*windows, torch.tensor([[30.0, 30, 90, 90]] * 2)).shape == (2, FINE, FINE)


def test_the_papers_sizes() -> None:
    network = PaperNetwork(PaperNetworkConfig())
    assert network.adjust[0].weight.shape == (256, 1024, 1, 1)  # type: ignore[union-attr]
    assert network.head.points[312].tolist() == [127.5, 127.5]  # the middle answer is of the middle of the crop
    assert [branch[-1].weight.shape[:2] for branch in (network.head.what, *network.head.where)] == [  # type: ignore
        (1, 256),
        (2, 256),
        (2, 256),
    ]


def test_what_the_paper_network_sees_moves_with_its_crop(paper: PaperNetwork) -> None:
    """Eight pixels are a cell: of features, answers and the mask's window alike."""
    crop = large()
    moved = crop.roll((8, 16), (2, 3))
    template = paper.template(paper.encode(crop[:, :, 64:-64, 64:-64]).coarse, BOX)
    here, there = (paper.correlate(template, paper.encode(one).coarse) for one in (crop, moved))
    # features whose windows lie wholly inside both crops
    close = 1e-2 * here.abs().max().item()
    assert torch.allclose(here[..., 11:13, 11:13], there[..., 12:14, 13:15], atol=close)
    assert not torch.allclose(here[..., 11:13, 11:13], there[..., 11:13, 11:13], atol=close)


@pytest.mark.parametrize("place", [0, 12, 24])
def test_the_papers_mask_window_lies_about_its_answer(paper: PaperNetwork, place: int) -> None:
    """Within the two pixels by which an even number of cells must miss the middle of one."""
    assert paper.window_edge(place) + SIDE / 2 == pytest.approx(float(paper.head.points[place, 0]), abs=2)
    fine = torch.zeros(1, 1, 63, 63)
    cell = 2 * (place + 3) + 1  # has the answer's point for its centre, 3.5 + 4 cell
    fine[..., cell, cell] = 1
    features = paper.encode(large())._replace(fine=fine)
    _, _, found = paper.windows(torch.zeros(1, 16, 25, 25), features, [place], [place])
    row, column = found[0, 0].nonzero()[0].tolist()
    assert row == column
    assert paper.window_edge(place) + 4 * (row + 0.5) == float(paper.head.points[place, 0])
