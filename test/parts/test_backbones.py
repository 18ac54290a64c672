"""Backbones by name: what is described is what is built."""

from __future__ import annotations

import re

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.core.errors import ConfigError  # noqa: E402
from stm_tracker_ros.parts.backbones import ARCHITECTURES, PYRAMIDS, build, describe  # noqa: E402

SIDE = 129  # 8 n + 1, as Inception-v3 wants it; no pyramid minds
PADDED = [name for name in PYRAMIDS if name != "resnet50_dilated"]


@pytest.mark.parametrize("name", PADDED)
def test_maps_have_the_strides_and_channels_that_are_described(name: str) -> None:
    strides = tuple(describe(name).channels)
    backbone = build(name, strides).eval()
    maps = backbone(torch.randn(1, 3, 128, 64))
    assert backbone.channels == describe(name).channels
    assert [tuple(one.shape) for one in maps] == [(1, backbone.channels[s], 128 // s, 64 // s) for s in strides]


def test_the_dilated_backbone_has_a_cell_less_at_its_borders() -> None:
    backbone = build("resnet50_dilated", (4, 8)).eval()
    maps = backbone(torch.randn(1, 3, 127, 63))
    assert backbone.channels == describe("resnet50_dilated").channels
    assert [tuple(one.shape) for one in maps] == [(1, 256, 31, 15), (1, 1024, 15, 7)]


def test_a_backbone_of_one_stride_gives_its_map() -> None:
    (channels,) = describe("inception_v3").channels.values()
    found = build("inception_v3", (8,)).eval()(torch.randn(1, 3, SIDE, SIDE))
    assert found.shape == (1, channels, SIDE // 8 - 3, SIDE // 8 - 3)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_fourth_stage_changes_no_other_map_and_is_not_built_unasked(name: str) -> None:
    torch.manual_seed(0)
    cut = build(name, (4, 8, 16)).eval()
    torch.manual_seed(0)
    whole = build(name, (16, 32)).eval()
    more = whole.state_dict()
    assert [n for n in more if n not in cut.state_dict()] == [n for n in more if n.startswith("layer4.")]
    assert all(torch.equal(more[n], value) for n, value in cut.state_dict().items())
    image = torch.randn(1, 3, 64, 64)
    third, fourth = whole(image)
    assert torch.equal(third, cut(image)[-1])
    assert torch.equal(fourth, whole.layer4(third))
    assert (cut.layer4, len(whole.in_order()) - len(cut.in_order())) == (None, len(whole.layer4))


@pytest.mark.parametrize("name", PYRAMIDS)
def test_fewer_strides_are_the_same_maps_with_the_same_weights(name: str) -> None:
    strides = tuple(describe(name).channels)
    every, some = build(name, strides).eval(), build(name, strides[1:]).eval()
    some.load_state_dict(every.state_dict())
    image = torch.randn(1, 3, 64, 64)
    assert all(torch.equal(a, b) for a, b in zip(every(image)[1:], some(image), strict=True))
    assert some.channels == {stride: every.channels[stride] for stride in strides[1:]}


@pytest.mark.parametrize("name", PYRAMIDS)
def test_the_rest_of_the_blocks_goes_on_where_the_first_ones_ended(name: str) -> None:
    backbone = build(name, tuple(describe(name).channels)).eval()
    image, blocks = torch.randn(1, 3, 64, 64), backbone.in_order()
    *finer, x = backbone.up_to(image, len(blocks) - 1)
    whole = backbone(image)
    assert not torch.equal(x, whole[-1])
    assert torch.equal(blocks[-1](x), whole[-1])
    assert all(torch.equal(a, b) for a, b in zip(finer, whole[:-1], strict=True))


def test_an_unknown_backbone_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="unknown backbone 'resnet81'; did you mean 'resnet18'"):
        build("resnet81", (8, 16))


@pytest.mark.parametrize(
    ("name", "strides", "allowed"),
    [
        ("mobilenet_v2", (16, 8), "some of (4, 8, 16) in this order, the last 16"),
        ("mobilenet_v2", (16, 32), "some of (4, 8, 16) in this order, the last 16"),
        ("resnet50", (4, 8), "some of (4, 8, 16, 32) in this order, the last 16 or 32"),
        ("resnet18", (), "some of (4, 8, 16, 32) in this order, the last 16 or 32"),
        ("resnet50_dilated", (4,), "some of (4, 8) in this order, the last 8"),
        ("inception_v3", (16,), "some of (8,) in this order, the last 8"),
    ],
)
def test_strides_that_are_not_there_are_refused(name: str, strides: tuple[int, ...], allowed: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(f'strides are {strides}; allowed of {name} are {allowed}')}$"):
        build(name, strides)


def test_all_that_can_be_converted_can_be_built() -> None:
    assert set(ARCHITECTURES) == {"inception_v3", *PYRAMIDS}
