"""SVC-Corr against plain loops, as the paper lays it out and as the lite network does; what its kinds differ in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from stm_tracker_ros.parts.layers import CellNorm
from stm_tracker_ros.trackers.siamstm.correlation import KINDS, ChannelTransform, Correlation, Template, depthwise

pytestmark = pytest.mark.torch

CHANNELS = 6
Maps = np.ndarray  # channels x rows x columns


def made(kind: str, *, embeds: bool, kernel: int, padding: int = 0) -> Correlation:
    torch.manual_seed(3)
    norm = nn.BatchNorm2d if embeds else CellNorm
    module = Correlation(CHANNELS, kernel, kind, norm, embeds=embeds, padding=padding).double()
    for one in module.modules():
        if isinstance(one, nn.BatchNorm2d):
            nn.init.uniform_(one.weight, 0.5, 1.5)
            nn.init.normal_(one.bias)
            one.running_mean.normal_()
            one.running_var.uniform_(0.5, 2.0)
    return module.eval()


def padded(x: Maps, by: int) -> Maps:
    return np.pad(x, ((0, 0), (by, by), (by, by)))


def conv(x: Maps, layer: nn.Conv2d) -> Maps:
    """Plain loops over rows, columns and outputs."""
    weight, x = layer.weight.detach().numpy(), padded(x, layer.padding[0])
    side = weight.shape[2]
    rows, columns = x.shape[1] - side + 1, x.shape[2] - side + 1
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().numpy()
    out = np.zeros((len(weight), rows, columns))
    for o in range(len(weight)):
        for r in range(rows):
            for c in range(columns):
                out[o, r, c] = (weight[o] * x[:, r : r + side, c : c + side]).sum() + bias[o]
    return out


def normed(x: Maps, layer: nn.Module) -> Maps:
    if isinstance(layer, nn.BatchNorm2d):
        mean, var, gain, shift = (
            part.detach().numpy()[:, None, None]
            for part in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
        )
        return (x - mean) / np.sqrt(var + layer.eps) * gain + shift
    return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)  # a layer norm as it begins


def embedded(x: Maps, layers: nn.Module) -> Maps:
    if isinstance(layers, nn.Identity):
        return x
    first, norm, _ = layers  # type: ignore[misc]
    return np.maximum(normed(conv(x, first), norm), 0)


def descriptors(x: Maps, transform: ChannelTransform, window: int, padding: int) -> Maps:
    """Eq. 2, window by window; zeros around count for neither maximum nor mean."""
    x = embedded(x, transform.conv)
    wide = np.pad(x, ((0, 0), (padding, padding), (padding, padding)), constant_values=np.nan)
    rows, columns = wide.shape[1] - window + 1, wide.shape[2] - window + 1
    most, mean = np.zeros((CHANNELS, rows, columns)), np.zeros((CHANNELS, rows, columns))
    for r in range(rows):
        for c in range(columns):
            seen = wide[:, r : r + window, c : c + window].reshape(CHANNELS, -1)
            most[:, r, c], mean[:, r, c] = np.nanmax(seen, 1), np.nanmean(seen, 1)

    def connected(y: Maps) -> Maps:
        return conv(np.maximum(conv(y, transform.down), 0), transform.up)

    return connected(most) + connected(mean)


def plain(module: Correlation, template: Maps, search: Maps, kernel: int) -> Maps:
    """Eq. 2 to 4 in loops."""
    window, padding = module.window, module.padding
    z, x = embedded(template, module.template_conv), padded(embedded(search, module.search_conv), padding)
    side = z.shape[1]
    rows, columns = x.shape[1] - side + 1, x.shape[2] - side + 1
    found = np.zeros((CHANNELS, rows, columns))
    for k in range(CHANNELS):
        for r in range(rows):
            for c in range(columns):
                found[k, r, c] = (z[k] * x[k, r : r + side, c : c + side]).mean()
    if module.kind == "dw":
        return found
    of_template = descriptors(template, module.template_transform, window, 0)
    assert of_template.shape == (CHANNELS, 1, 1)
    if module.kind == "svc":
        of_search = descriptors(search, module.search_transform, window, padding)
    else:
        whole = embedded(search, module.search_transform.conv).shape[1]
        of_search = descriptors(search, module.search_transform, whole, 0)
    return found + conv(of_template + of_search, module.join)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("embeds", "kernel", "search", "padding", "answer"),
    [(True, 7, 13, 0, 7), (False, 4, 8, 2, 9), (False, 7, 13, 0, 7)],
)
def test_it_is_what_plain_loops_give(
    kind: str, embeds: bool, kernel: int, search: int, padding: int, answer: int
) -> None:
    module = made(kind, embeds=embeds, kernel=kernel, padding=padding)
    z, x = torch.randn(2, CHANNELS, kernel, kernel).double(), torch.randn(2, CHANNELS, search, search).double()
    found = module(module.template(z), x)
    assert found.shape == (2, CHANNELS, answer, answer)
    for index in range(2):
        expected = plain(module, z[index].numpy(), x[index].numpy(), kernel)
        np.testing.assert_allclose(found[index].detach().numpy(), expected, atol=1e-9)


def test_the_papers_sizes() -> None:
    """Template 7 x 7, search 31 x 31: 25 x 25, with and without the convolutions of SiamRPN++."""
    for embeds, kept in ((True, 5), (False, 7)):
        module = made("svc", embeds=embeds, kernel=7)
        template = module.template(torch.randn(1, CHANNELS, 7, 7).double())
        assert template.kernel.shape[2:] == (kept, kept)
        assert module(template, torch.randn(1, CHANNELS, 31, 31).double()).shape[2:] == (25, 25)


@pytest.mark.parametrize(("kind", "is_variant"), [("svc", True), ("channel", False)])
def test_the_weights_differ_from_place_to_place_or_not(kind: str, is_variant: bool) -> None:
    module = made(kind, embeds=False, kernel=4, padding=2)
    template = module.template(torch.randn(1, CHANNELS, 4, 4).double())
    nothing = Template(torch.zeros_like(template.kernel), template.descriptor)
    weights = module(nothing, torch.randn(1, CHANNELS, 8, 8).double())[0].flatten(1)
    assert bool((weights.std(1) > 1e-6).all()) == is_variant


def test_each_crop_meets_its_own_template() -> None:
    z, x = torch.randn(3, CHANNELS, 3, 3), torch.randn(3, CHANNELS, 9, 9)
    alone = torch.cat([depthwise(x[i : i + 1], z[i : i + 1], 1) for i in range(3)])
    assert torch.allclose(depthwise(x, z, 1), alone, atol=1e-6)
    assert not torch.allclose(depthwise(x, z.flip(0), 1), alone, atol=1e-2)
