"""MobileNetV2 (Sandler et al., CVPR 2018) up to stride 16, batch norms folded into the convolutions.

Layer names and order are torchvision's `features[0..13]`, so that its published ImageNet file converts by folding.
Input: RGB, ImageNet mean and standard deviation. Output: strides 4 (24 channels), 8 (32) and 16 (96).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.parts.backbones import DESCRIPTIONS
from stm_tracker_ros.parts.backbones.pyramid import Pyramid
from stm_tracker_ros.parts.layout import layout_of

IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
IMAGENET_STD_RGB = (0.229, 0.224, 0.225)
# expansion, output channels, repeats, stride of the first: Table 2 of the paper, up to the last block of stride 16
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1))
ENDS = {4: 3, 8: 6, 16: 13}  # stride -> blocks up to the last one of it


def _conv(channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups)


class ImageInput(nn.Module):
    """Pictures as the published weights expect them; for crops of one size."""

    mean: Tensor
    std: Tensor

    def __init__(self, crop_size: int) -> None:
        super().__init__()
        # as large as a crop: to spread three numbers over channels-last pixels takes a CPU ten times as long
        for name, rgb in (("mean", IMAGENET_MEAN_RGB), ("std", IMAGENET_STD_RGB)):
            plane = (torch.tensor(rgb).view(1, 3, 1, 1) * 255).expand(1, 3, crop_size, crop_size).clone()
            self.register_buffer(name, plane, persistent=False)

    def forward(self, patch_bgr: Tensor) -> Tensor:
        """B x 3 x size x size BGR in 0..255, any type -> RGB by mean and deviation, fp32."""
        rgb = torch.cat([patch_bgr[:, 2:], patch_bgr[:, 1:2], patch_bgr[:, :1]], 1)
        return (rgb - self.mean) / self.std


class MeanLess(nn.Module):
    """What is left of `ImageInput` where the stem's weights have taken over the rest: BGR less its mean.

    The mean stays: the stem's zeros around a picture stand for it.
    """

    mean: Tensor

    def __init__(self, image_input: ImageInput) -> None:
        super().__init__()
        # one row of pixels: spread over three numbers each, channels-last pixels take a CPU ten times as long
        mean = image_input.mean[0, :, 0].flip(0).t().flatten()
        self.register_buffer("mean", mean.clone(), persistent=False)

    def forward(self, patch_bgr: Tensor) -> Tensor:
        """B x 3 x size x size BGR in 0..255, any type -> the same less the mean, fp32."""
        rows = patch_bgr.permute(0, 2, 3, 1).flatten(2)
        return (rows - self.mean).unflatten(2, (-1, 3)).permute(0, 3, 1, 2)


Network = TypeVar("Network", bound=nn.Module)


def with_input_in_stem(network: Network) -> Network:
    """A copy of a network for tracking: order of the channels and deviation are in the weights of its stem.

    It has an `ImageInput` named `input` and a `Pyramid` named `backbone`; its answers are the same up to float noise.
    """
    folded: Any = copy.deepcopy(network)
    stem, deviation = folded.backbone.stem, folded.input.std[:, :, 0, 0].double()
    weight = (stem.weight.double() / deviation[:, :, None, None]).flip(1).to(stem.weight)
    stem.weight = nn.Parameter(weight.contiguous(memory_format=layout_of(stem.weight)), requires_grad=False)
    folded.input = MeanLess(folded.input)
    return folded  # type: ignore[no-any-return]


class InvertedResidual(nn.Module):
    """Expand, filter depth-wise, project; identity around it where shapes allow."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels_in * expansion
        self.expand = _conv(channels_in, hidden, 1) if expansion > 1 else None
        self.depthwise = _conv(hidden, hidden, 3, stride, groups=hidden)
        self.project = _conv(hidden, channels_out, 1)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the next block's input."""
        y = x if self.expand is None else nn.functional.relu6(self.expand(x), inplace=True)
        y = self.project(nn.functional.relu6(self.depthwise(y), inplace=True))
        return x + y if self.residual else y


class MobileNetV2(Pyramid):
    """13 blocks behind the first convolution; see the module for input and output."""

    def __init__(self, strides: tuple[int, ...] = (8, 16)) -> None:
        super().__init__(strides, DESCRIPTIONS["mobilenet_v2"].channels, ENDS)
        self.stem = _conv(3, 32, 3, 2)
        blocks: list[nn.Module] = []
        channels = 32
        for expansion, channels_out, repeats, first_stride in STAGES:
            for index in range(repeats):
                stride = first_stride if index == 0 else 1
                blocks.append(InvertedResidual(channels, channels_out, stride, expansion))
                channels = channels_out
        self.blocks = nn.ModuleList(blocks)

    def in_order(self) -> list[nn.Module]:
        """All blocks, the first one first."""
        return list(self.blocks)

    def first(self, image: Tensor) -> Tensor:
        """The first convolution with its ReLU6."""
        return nn.functional.relu6(self.stem(image), inplace=True)


def from_torchvision(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's `mobilenet_v2` state dict -> ours, norms folded. Raises CheckpointError for a missing name or
    norms that do not fit their convolution.
    """
    result = dict(_folded(state, "features.0.0", "features.0.1", "stem"))
    index = 0
    for expansion, _, repeats, _ in STAGES:
        for _ in range(repeats):
            source, target = f"features.{index + 1}.conv", f"blocks.{index}"
            parts = ["depthwise"] if expansion == 1 else ["expand", "depthwise"]
            for position, part in enumerate(parts):
                result |= _folded(state, f"{source}.{position}.0", f"{source}.{position}.1", f"{target}.{part}")
            last = len(parts)
            result |= _folded(state, f"{source}.{last}", f"{source}.{last + 1}", f"{target}.project")
            index += 1
    return result


def _folded(state: Mapping[str, Tensor], conv: str, norm: str, name: str, eps: float = 1e-5) -> dict[str, Tensor]:
    try:
        weight, gamma, beta = state[f"{conv}.weight"], state[f"{norm}.weight"], state[f"{norm}.bias"]
        mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
    except KeyError as missing:
        raise CheckpointError(f"{missing} is not in the file; allowed is torchvision's mobilenet_v2") from None
    if weight.dim() != 4:
        raise CheckpointError(f"'{conv}.weight' has shape {tuple(weight.shape)}; needed are four axes")
    for part, vector in (("weight", gamma), ("bias", beta), ("running_mean", mean), ("running_var", variance)):
        if vector.shape != weight.shape[:1]:
            shapes = f"{tuple(vector.shape)}; needed is {tuple(weight.shape[:1])}, as {conv}.weight has it"
            raise CheckpointError(f"'{norm}.{part}' has shape {shapes}")
    scale = gamma / torch.sqrt(variance + eps)
    return {f"{name}.weight": weight * scale[:, None, None, None], f"{name}.bias": beta - mean * scale}
