"""The networks of DMB: shapes, what reaches what, and the paper's sizes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.trackers.dmb.config import LiteNetworkConfig, PaperNetworkConfig
from stm_tracker_ros.trackers.dmb.lite_network import Features, LiteNetwork
from stm_tracker_ros.trackers.dmb.paper_network import PaperNetwork

pytestmark = pytest.mark.torch
SMALL = LiteNetworkConfig(crop_size=64, width=16, key_channels=8, blocks=1, middle_width=8, fine_width=8)
TINY = PaperNetworkConfig(crop_size=64, spatial_size=64, width=4, key_channels=8, value_channels=16, decoder_channels=8)


@pytest.fixture
def lite() -> LiteNetwork:
    torch.manual_seed(1)
    return LiteNetwork(SMALL).eval()


@pytest.fixture
def paper() -> PaperNetwork:
    torch.manual_seed(1)
    return PaperNetwork(TINY).eval()


def crops(count: int = 2) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 64, 64), dtype=torch.uint8)


def masks(count: int = 2) -> torch.Tensor:
    mask = torch.zeros(count, 1, 16, 16)
    mask[..., 4:12, 5:11] = 1
    return mask


def test_lite_shapes(lite: LiteNetwork) -> None:
    features = lite.encode(crops())
    assert [tuple(f.shape) for f in features] == [(2, 24, 16, 16), (2, 32, 8, 8), (2, 16, 4, 4)]
    keys, values = lite.memory(features.coarse, masks(), torch.zeros(2, 1, 1, 1))
    assert keys.shape == (2, 16, 8)
    assert values.shape == (2, 16, lite.value_channels)
    answer = lite.segment(features, keys, values, None, torch.zeros(2, 1, 4, 4))
    assert answer.mask_logit.shape == (2, 1, 16, 16)
    assert answer.score_logit.shape == (2,)


def test_lite_keys_know_no_label_and_values_tell_boxes_from_masks(lite: LiteNetwork) -> None:
    coarse = lite.encode(crops(1)).coarse
    mask, flag = masks(1), torch.zeros(1, 1, 1, 1)
    key, as_mask = lite.memory(coarse, mask, flag)
    other_key, empty = lite.memory(coarse, torch.zeros_like(mask), flag)
    as_box = lite.values(coarse, mask, flag + 1)
    assert torch.equal(key, other_key)
    assert not torch.allclose(as_mask, empty)
    assert not torch.allclose(as_mask, as_box)


def test_lite_reads_the_labels_themselves_beside_the_values(lite: LiteNetwork) -> None:
    """Where each cell finds itself, the plain part of what is read is the mask of the memory."""
    coarse = lite.encode(crops(1)).coarse
    mask = masks(1)
    plain = lite.values(coarse, mask, torch.zeros(1, 1, 1, 1))[..., SMALL.width :]
    again = nn.functional.pixel_shuffle(plain.transpose(1, 2).unflatten(2, (4, 4)), 4)
    assert torch.equal(again, mask)


def test_lite_spatial_map_enters_the_decoder(lite: LiteNetwork) -> None:
    features = lite.encode(crops(1))
    keys, values = lite.memory(features.coarse, masks(1), torch.zeros(1, 1, 1, 1))
    peak = torch.zeros(1, 1, 4, 4)
    flat = lite.segment(features, keys, values, None, peak).mask_logit
    peak[..., 1, 2] = 1
    assert not torch.allclose(lite.segment(features, keys, values, None, peak).mask_logit, flat)


def test_the_score_leaves_the_mask_alone(lite: LiteNetwork) -> None:
    features = Features(*(f.detach().requires_grad_() for f in lite.encode(crops(1))))
    keys, values = lite.memory(features.coarse, masks(1), torch.zeros(1, 1, 1, 1))
    lite.segment(features, keys, values, None, torch.zeros(1, 1, 4, 4)).score_logit.sum().backward()
    assert lite.out.weight.grad is None
    assert lite.score[0].weight.grad is not None  # type: ignore[union-attr]


def test_paper_shapes(paper: PaperNetwork) -> None:
    features = paper.encode(crops())
    assert [tuple(f.shape) for f in features] == [(2, 16, 16, 16), (2, 32, 8, 8), (2, 64, 4, 4), (2, 16, 4, 4)]
    keys, values = paper.memory(crops(), masks())
    assert keys.shape == (2, 16, 8)
    assert values.shape == (2, 16, 16)
    answer = paper.segment(features, keys, values, torch.zeros(2, 1, 4, 4))
    assert answer.mask_logit.shape == (2, 1, 16, 16)
    assert answer.score_logit.shape == (2,)


def test_paper_sizes_are_the_papers() -> None:
    network = PaperNetwork(PaperNetworkConfig())
    assert network.memory_key.weight.shape == (128, 1024, 3, 3)
    assert network.query_value.weight.shape == (512, 1024, 3, 3)
    assert network.reduce.weight.shape == (256, 1024, 3, 3)
    backbones = sum(
        p.numel() for backbone in (network.memory_backbone, network.query_backbone) for p in backbone.parameters()
    )
    assert backbones == 2 * 8_543_296 + 2 * 64 * 49  # ResNet-50 to its third stage, and two first convolutions


def test_soft_aggregation_doubles_the_logit(paper: PaperNetwork) -> None:
    plain = PaperNetwork(PaperNetworkConfig(**{**vars(TINY), "aggregates": False})).eval()
    plain.load_state_dict(paper.state_dict())
    patch, place = crops(1), torch.zeros(1, 1, 4, 4)
    first, second = (
        network.segment(network.encode(patch), *network.memory(patch, masks(1)), place) for network in (paper, plain)
    )
    assert torch.allclose(first.mask_logit, 2 * second.mask_logit)
    # p^2 / (p^2 + (1 - p)^2), as STM writes it
    p, sharper = torch.sigmoid(second.mask_logit), torch.sigmoid(first.mask_logit)
    assert torch.allclose(sharper, p**2 / (p**2 + (1 - p) ** 2), atol=1e-6)


def test_batch_norms_stay_in_training(paper: PaperNetwork) -> None:
    paper.train()
    assert paper.training
    assert not any(m.training for m in paper.modules() if isinstance(m, nn.BatchNorm2d))


def test_caffe_weights_see_blue_first(paper: PaperNetwork) -> None:
    caffe = PaperNetwork(PaperNetworkConfig(**{**vars(TINY), "layout": "caffe"}))
    patch = torch.tensor([104.0, 117.0, 124.0]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    assert caffe.normalise(patch).abs().max() < 0.4
    black = paper.normalise(torch.zeros(1, 3, 2, 2))
    assert black[0, 0, 0, 0].item() == pytest.approx(-0.485 / 0.229, abs=1e-5)  # red is the first


@pytest.mark.parametrize("config", [LiteNetworkConfig, PaperNetworkConfig])
def test_crops_are_multiples_of_16(config: type) -> None:
    with pytest.raises(ConfigError, match="multiple of 16"):
        config(crop_size=100)
