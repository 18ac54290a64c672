"""The backbone of the lite network: torchvision's file converts by folding, and the two maps have their strides."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.parts.backbones import mobilenet_v2
from stm_tracker_ros.parts.backbones.mobilenet_v2 import STAGES, ImageInput, MobileNetV2, with_input_in_stem

pytestmark = pytest.mark.torch


class Unfolded(nn.Module):
    """The same layers as torchvision names and orders them, batch norms apart."""

    def __init__(self) -> None:
        super().__init__()
        features: list[nn.Module] = [self.layer(3, 32, 3, 2)]
        channels = 32
        self.residual = [False]
        for expansion, channels_out, repeats, first_stride in STAGES:
            for index in range(repeats):
                stride = first_stride if index == 0 else 1
                features.append(self.block(channels, channels_out, stride, expansion))
                self.residual.append(stride == 1 and channels == channels_out)
                channels = channels_out
        self.features = nn.ModuleList(features)

    @staticmethod
    def layer(channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
        conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(channels_out), nn.ReLU6())

    def block(self, channels_in: int, channels_out: int, stride: int, expansion: int) -> nn.Module:
        hidden = channels_in * expansion
        layers = [self.layer(channels_in, hidden, 1)] if expansion > 1 else []
        layers += [self.layer(hidden, hidden, 3, stride, hidden), nn.Conv2d(hidden, channels_out, 1, bias=False)]
        block = nn.Module()
        block.conv = nn.Sequential(*layers, nn.BatchNorm2d(channels_out))
        return block

    def forward(self, x: Tensor) -> Tensor:
        for feature, residual in zip(self.features, self.residual, strict=True):
            y = feature.conv(x) if hasattr(feature, "conv") else feature(x)  # type: ignore[operator]
            x = x + y if residual else y
        return x


def unfolded() -> Unfolded:
    torch.manual_seed(0)
    network = Unfolded().eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
            module.running_mean = torch.randn_like(module.weight) * 0.1
            module.running_var = torch.rand_like(module.weight) + 0.5
    return network


def test_folding_keeps_the_answers() -> None:
    source, ours = unfolded(), MobileNetV2().eval().requires_grad_(False)
    ours.load_state_dict(mobilenet_v2.from_torchvision(source.state_dict()))
    image = torch.randn(1, 3, 64, 96)
    stride_8, stride_16 = ours(image)
    assert stride_8.shape == (1, 32, 8, 12)
    assert stride_16.shape == (1, 96, 4, 6)
    torch.testing.assert_close(stride_16, source(image), rtol=1e-4, atol=1e-4)


def test_another_file_is_refused_by_the_first_missing_name() -> None:
    state = unfolded().state_dict()
    del state["features.3.conv.1.1.running_var"]
    with pytest.raises(CheckpointError, match="features.3.conv.1.1.running_var.*torchvision's mobilenet_v2"):
        mobilenet_v2.from_torchvision(state)


class Seeing(nn.Module):
    """Input and backbone, named as the networks name them."""

    def __init__(self) -> None:
        super().__init__()
        self.input, self.backbone = ImageInput(32), MobileNetV2()

    def forward(self, patch_bgr: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.backbone(self.input(patch_bgr))
        return found


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_stem_takes_over_the_order_of_the_channels_and_their_deviation(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    network = Seeing().eval().requires_grad_(False).to(memory_format=layout)  # type: ignore[call-overload]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    folded = with_input_in_stem(network)
    picture = torch.randint(0, 256, (1, 32, 32, 3), dtype=torch.uint8).permute(0, 3, 1, 2)  # borders and all
    for ours, plain in zip(folded(picture), network(picture), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)
    assert folded.backbone.stem.weight.is_contiguous(memory_format=layout)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
