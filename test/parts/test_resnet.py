from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from stm_tracker_ros.parts.backbones import resnet_files  # noqa: E402
from stm_tracker_ros.parts.backbones.resnet import DilatedResNet50, MaskedResNet50, ResNet18, ResNet50  # noqa: E402


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


@pytest.mark.parametrize(("side", "fine", "coarse"), [(127, 31, 15), (255, 63, 31)])
def test_the_dilated_one_has_the_cells_of_siamrpn(side: int, fine: int, coarse: int) -> None:
    network = DilatedResNet50(4, strides=(4, 8)).eval()
    maps = network(torch.zeros(1, 3, side, side))
    assert [tuple(one.shape[1:]) for one in maps] == [(16, fine, fine), (64, coarse, coarse)]


def test_the_dilated_one_has_the_published_names_and_shapes() -> None:
    published = resnet_files.expected("resnet50_dilated", "siamrpn", 3)
    given = DilatedResNet50().state_dict()
    assert {n: t.shape for n, t in given.items()} == {n: t.shape for n, t in published.items()}


def siamrpn(state: dict[str, Tensor], image: Tensor) -> Tensor:
    """SiamRPN++'s backbone written out: kernels from `state`, every stride, padding and dilation in words."""

    def conv(x: Tensor, name: str, norm: str, stride: int = 1, padding: int = 0, dilation: int = 1) -> Tensor:
        x = functional.conv2d(x, state[f"{name}.weight"], None, stride, padding, dilation)
        mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        return functional.batch_norm(x, mean, variance, state[f"{norm}.weight"], state[f"{norm}.bias"])

    x = functional.max_pool2d(functional.relu(conv(image, "conv1", "bn1", stride=2)), 3, 2, 1)
    for layer, blocks in (("layer1", 3), ("layer2", 4), ("layer3", 6)):
        for number in range(blocks):
            halves, opens = (layer, number) == ("layer2", 0), number == 0
            middle = {"stride": 2} if halves else {"padding": 1}
            if layer == "layer3" and not opens:
                middle = {"padding": 2, "dilation": 2}
            name = f"{layer}.{number}"
            y = functional.relu(conv(x, f"{name}.conv1", f"{name}.bn1"))
            y = functional.relu(conv(y, f"{name}.conv2", f"{name}.bn2", **middle))
            y = conv(y, f"{name}.conv3", f"{name}.bn3")
            around = {} if layer == "layer1" else middle
            shortcut = conv(x, f"{name}.downsample.0", f"{name}.downsample.1", **around) if opens else x
            x = functional.relu(y + shortcut)
    return x


def test_the_dilated_one_is_siamrpns() -> None:
    torch.manual_seed(0)
    network = DilatedResNet50(4).eval().requires_grad_(False)
    for name, value in network.state_dict().items():
        if "bn" in name or "downsample.1" in name:
            value.copy_(torch.rand_like(value.float()) + 0.5)
    image = torch.rand(2, 3, 71, 87) * 255
    (answer,) = network(image)
    expected = siamrpn(network.state_dict(), image)
    assert answer.shape == (2, 64, 8, 10)
    assert 0.01 < answer.std() < 1e6
    torch.testing.assert_close(answer, expected)


def test_the_dilated_ones_cells_lie_evenly_in_the_crop() -> None:
    """Mirrored kernels give a mirrored map of a mirrored crop, so cell i lies at 8 i + 7.5."""
    torch.manual_seed(0)
    network = DilatedResNet50(4).eval().requires_grad_(False)
    image = torch.rand(1, 3, 127, 127)
    (answer,) = network(image)
    for weight in network.parameters():
        if weight.dim() == 4:
            weight.copy_(weight.flip(3))
    torch.testing.assert_close(network(image.flip(3))[0], answer.flip(3))
    assert not torch.allclose(answer, answer.flip(3))
