from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.parts.backbones import resnet_files  # noqa: E402
from stm_tracker_ros.parts.backbones.resnet import MaskedResNet50, ResNet18, ResNet50  # noqa: E402


@pytest.mark.parametrize("caffe", [False, True])
def test_strides_and_channels(caffe: bool) -> None:
    image = torch.randn(1, 3, 64, 96)
    outputs = ResNet50(8, stride_in_first_conv=caffe).eval()(image)
    assert [tuple(output.shape[1:]) for output in outputs] == [(32, 16, 24), (64, 8, 12), (128, 4, 6)]


def test_resnet_50_has_its_number_of_weights_up_to_its_third_stage() -> None:
    # torchvision's resnet50 has 25 557 032, of which fc 2 049 000 and layer4 14 964 736
    assert sum(p.numel() for p in ResNet50().parameters()) == 25_557_032 - 2_049_000 - 14_964_736


def test_resnet_18_has_its_number_of_weights_and_names_up_to_its_third_stage() -> None:
    # torchvision's resnet18 has 11 689 512, of which fc 513 000 and layer4 8 393 728
    assert sum(p.numel() for p in ResNet18().parameters()) == 11_689_512 - 513_000 - 8_393_728
    published = resnet_files.expected("resnet18", "torchvision", 3)
    assert {n: t.shape for n, t in ResNet18().state_dict().items()} == {n: t.shape for n, t in published.items()}


def test_the_fourth_stage_has_the_published_names_and_number_of_weights() -> None:
    assert sum(p.numel() for p in ResNet18((16, 32)).parameters()) == 11_689_512 - 513_000
    assert sum(p.numel() for p in ResNet50(strides=(16, 32)).parameters()) == 25_557_032 - 2_049_000
    for arch, network in (("resnet18", ResNet18((32,))), ("resnet50", ResNet50(strides=(32,)))):
        published = resnet_files.expected(arch, "torchvision", 4)
        assert {n: t.shape for n, t in network.state_dict().items()} == {n: t.shape for n, t in published.items()}


def test_norms_keep_their_statistics_in_training() -> None:
    network = ResNet18((16, 32)).train()
    norms = (network.bn1, network.layer4[1].bn2)
    before = [norm.running_mean.clone() for norm in norms]
    network(torch.randn(2, 3, 64, 64))
    assert all(torch.equal(old, norm.running_mean) for old, norm in zip(before, norms, strict=True))


def test_where_the_stride_is_changes_the_answer_but_no_weight() -> None:
    first, second = ResNet50(4), ResNet50(4, stride_in_first_conv=True)
    second.load_state_dict(first.state_dict())
    image = torch.randn(1, 3, 64, 64)
    assert not torch.allclose(first.eval()(image)[1], second.eval()(image)[1])


def test_masks_are_added_to_the_first_convolution() -> None:
    torch.manual_seed(0)
    network = MaskedResNet50(4).eval()
    image, mask = torch.randn(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    mask[..., 16:40, 20:44] = 1
    first = network.conv1(image) + network.conv1_foreground(mask) + network.conv1_background(1 - mask)
    assert torch.allclose(network(image, mask)[2], network.through(network.pooled(first))[2])
    assert torch.allclose(network(image)[2], network(image, torch.zeros_like(mask))[2])
    assert not torch.allclose(network(image, mask)[2], network(image)[2])
