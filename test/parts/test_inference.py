"""A captured, folded and fused step gives the answers of the plain one; lower precision stays where it belongs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.core.compute import Compute
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.parts import graph, inference, onednn, precision
from stm_tracker_ros.parts.inference import InferenceRuntime, Step, optimised

pytestmark = pytest.mark.torch
has_bf16 = pytest.mark.skipif(
    "bf16" not in precision.available(torch.device("cpu")), reason="NO BF16: this CPU has neither avx512_bf16 nor amx"
)


class Small(nn.Module):
    """One of everything that the runtime changes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 16, 3, 2, padding=1, bias=False), nn.BatchNorm2d(16)
        self.mix = nn.Conv2d(16, 16, (1, 7), padding=(0, 3), groups=4)
        self.narrow = nn.Conv2d(16, 16, 1)
        self.alone = nn.BatchNorm2d(16)
        for norm in (self.norm, self.alone):
            nn.init.uniform_(norm.running_mean, -1, 1)
            nn.init.uniform_(norm.running_var, 0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 2)

    def step(self, image: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        x = functional.relu(self.norm(self.first(image)), inplace=True)
        y = x + self.narrow(functional.relu6(self.mix(x)))
        z = self.alone(y)
        scores = torch.softmax(z.flatten(2).transpose(1, 2) @ y.flatten(2), -1)
        return torch.exp(self.narrow(z)) + shift, scores


def made() -> tuple[Small, Tensor, Tensor]:
    torch.manual_seed(0)
    network = Small().eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return network, picture(16, 16), torch.rand(1)


def picture(height: int, width: int, channels: int = 3) -> Tensor:
    return torch.rand(1, height, width, channels).permute(0, 3, 1, 2)


def operations(function: Callable[..., object], *examples: Tensor) -> list[str]:
    captured = graph.capture(function, examples)
    onednn.fuse(captured, examples)
    return [str(node.target) for node in captured.graph.nodes if node.op == "call_function"]


@pytest.mark.parametrize("size", [(16, 16), (24, 18)])
def test_it_answers_as_the_plain_step_also_for_shapes_to_come(size: tuple[int, int]) -> None:
    network, image, shift = made()
    fast = optimised(network, network.step, image, shift)
    image = picture(*size)
    for quick, plain in zip(fast(image, shift), network.step(image, shift), strict=True):
        torch.testing.assert_close(quick, plain, rtol=1e-5, atol=1e-5)


def test_the_norm_behind_a_convolution_is_gone_and_another_one_stays() -> None:
    network, image, shift = made()
    captured = graph.capture(network.step, (image, shift))
    norms = [node for node in captured.graph.nodes if node.target in graph.NORMS]
    assert len(norms) == 1
    torch.testing.assert_close(captured(image, shift)[0], network.step(image, shift)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kernel", "stride", "groups", "folded"), [(1, 1, 1, True), (3, 2, 1, True), (3, 1, 3, False)])
def test_pixels_laid_behind_each_other_for_a_convolution_are_left_in_their_places(
    kernel: int, stride: int, groups: int, folded: bool
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(12, 6, kernel, stride, padding=kernel // 2, groups=groups).requires_grad_(False)
    image = picture(16, 12)
    captured = graph.capture(lambda pixels: conv(functional.pixel_unshuffle(pixels, 2)), (image,))
    done = [str(node.target) for node in captured.graph.nodes if node.op == "call_function"]
    assert ("aten.pixel_unshuffle.default" in done) != folded
    torch.testing.assert_close(captured(image), conv(functional.pixel_unshuffle(image, 2)), rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not onednn.is_available(), reason="no oneDNN for this CPU")
def test_what_follows_a_convolution_is_done_in_it() -> None:
    network, image, shift = made()
    done = operations(network.step, image, shift)
    assert not [name for name in done if "relu" in name or "hardtanh" in name]
    assert [name for name in done if "_convolution_pointwise" in name]


@pytest.mark.skipif(not onednn.is_available(), reason="no oneDNN for this CPU")
@pytest.mark.parametrize(("side", "kind"), [(8, "addmm"), (40, "_convolution_pointwise")])
def test_a_pointwise_convolution_is_a_product_where_it_has_few_cells(side: int, kind: str) -> None:
    conv = nn.Conv2d(8, 16, 1).eval().requires_grad_(False)
    done = operations(lambda image: functional.relu6(conv(image)), picture(side, side, 8))
    assert [name for name in done if kind in name]
    assert bool([name for name in done if "hardtanh" in name]) == (kind == "addmm")


@pytest.mark.skipif(not onednn.is_available(), reason="no oneDNN for this CPU")
def test_a_sum_whose_other_part_is_used_again_stays_right() -> None:
    torch.manual_seed(1)
    conv = nn.Conv2d(8, 8, 3, padding=1).eval().requires_grad_(False)

    def step(image: Tensor) -> tuple[Tensor, Tensor]:
        return image + conv(image), image * 2

    image = torch.rand(1, 8, 8, 8).contiguous(memory_format=torch.channels_last)
    fast = optimised(conv, step, image)
    for quick, plain in zip(fast(image), step(image), strict=True):
        torch.testing.assert_close(quick, plain)
    torch.testing.assert_close(fast(image)[0], step(image)[0])


@has_bf16
@pytest.mark.skipif(not onednn.is_available(), reason="no oneDNN for this CPU")
@pytest.mark.parametrize("count", [1, 2])
def test_in_bf16_pointwise_convolutions_are_products_and_their_cells_stay_as_they_lie(count: int) -> None:
    torch.manual_seed(2)
    wide, narrow, norm = nn.Conv2d(8, 16, 1), nn.Conv2d(16, 8, 1, bias=False), nn.LayerNorm(16)
    nn.ModuleList([wide, narrow, norm]).eval().requires_grad_(False)

    def step(image: Tensor) -> tuple[Tensor, Tensor]:
        cells = norm(functional.relu6(wide(image)).permute(0, 2, 3, 1))
        return image + narrow(cells.permute(0, 3, 1, 2)), image * 2

    image = torch.cat([picture(12, 20, 8) for _ in range(count)]).to(torch.bfloat16)
    captured = graph.lowered(graph.capture(step, (image,)), (image,), torch.bfloat16)
    onednn.fuse(captured, (image,))
    done = [str(node.target) for node in captured.graph.nodes if node.op == "call_function"]
    assert [name for name in done if "pointwise" in name] == [
        "mkldnn._linear_pointwise.default",
        "mkldnn._linear_pointwise.binary",
    ]
    assert done.count("aten.permute.default") == 3, "in for the product, in for the sum, and out"
    with torch.inference_mode():
        answers = captured(image)
    for quick, plain in zip(answers, step(image.float()), strict=True):
        torch.testing.assert_close(quick.float(), plain, rtol=2e-2, atol=2e-2)
    assert torch.equal(answers[1].float(), image.float() * 2), "the summand is not written into"


@pytest.mark.skipif(not onednn.is_available(), reason="no oneDNN for this CPU")
def test_axes_that_are_exchanged_twice_and_not_back_are_left_so() -> None:
    torch.manual_seed(3)
    conv = nn.Conv2d(3, 4, 3).eval().requires_grad_(False)

    def step(image: Tensor) -> Tensor:
        return conv(image).permute(0, 2, 3, 1).permute(0, 2, 1, 3)

    image = picture(9, 14)
    torch.testing.assert_close(optimised(conv, step, image)(image), step(image), rtol=1e-5, atol=1e-5)


def test_weights_that_change_later_are_not_seen() -> None:
    network, image, shift = made()
    fast = optimised(network, network.step, image, shift)
    before = fast(image, shift)[0].clone()
    network.first.weight.mul_(2)
    torch.testing.assert_close(fast(image, shift)[0], before)


def test_nothing_is_captured_in_inference_mode() -> None:
    """There a bilinear enlargement would come apart into gathers; what the caller is in must not matter."""
    seen: list[bool] = []

    def step(x: Tensor) -> Tensor:
        seen.append(torch.is_inference_mode_enabled())
        return functional.interpolate(functional.relu(x, inplace=True), scale_factor=2.0, mode="bilinear")

    fast, x = Step(step, torch.float32), torch.rand(1, 4, 5, 5) - 0.5
    with torch.inference_mode():
        mine = x.clone()
        answer = fast(mine)
    graph_of_it = next(iter(fast._captured.values())).__self__  # type: ignore[attr-defined]
    done = [str(node.target) for node in graph_of_it.graph.nodes if node.op == "call_function"]
    assert seen == [False]
    assert [name.split(".")[1] for name in done] == ["relu_", "upsample_bilinear2d"]
    assert answer.is_inference()
    torch.testing.assert_close(answer, functional.interpolate(x.relu(), scale_factor=2.0, mode="bilinear"))


def test_captures_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "MOST_SHAPES", 3)
    step = Step(lambda x: x + 1, torch.float32)
    for size in range(1, 7):
        assert step(torch.zeros(size)).sum() == size
    assert len(step._captured) == 3


@has_bf16
def test_only_products_are_rounded() -> None:
    network, image, shift = made()
    captured = graph.lowered(graph.capture(network.step, (image, shift)), (image, shift), torch.bfloat16)
    kinds: dict[str, set[torch.dtype]] = {}

    class Watch(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> object:
            result = super().run_node(n)
            if isinstance(result, Tensor):
                kinds.setdefault(str(n.target), set()).add(result.dtype)
            return result

    Watch(captured).run(image, shift)
    assert kinds["aten.convolution.default"] == {torch.bfloat16}
    assert kinds["aten.bmm.default"] == {torch.bfloat16}
    assert kinds["aten._softmax.default"] == kinds["aten.exp.default"] == {torch.float32}


@has_bf16
def test_bf16_is_near_and_not_the_same() -> None:
    network, image, shift = made()
    near = optimised(network, network.step, image, shift, precision=torch.bfloat16)(image, shift)[0]
    plain = network.step(image, shift)[0]
    assert near.dtype == torch.float32
    assert 0 < (near - plain).abs().max() < 0.1 * plain.abs().max()


def test_a_plain_engine_runs_the_function_itself_in_the_common_layout() -> None:
    network, image, shift = made()
    runtime = InferenceRuntime.resolved(Compute(plain=True))
    assert runtime.optimised(network, network.step, image, shift) == network.step
    assert runtime.ready(network).first.weight.is_contiguous()


@pytest.mark.parametrize("flags", [frozenset(), frozenset({"avx512f"})])
def test_bf16_is_refused_where_the_cpu_would_emulate_it(flags: frozenset[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_flags", lambda: flags)
    cpu = torch.device("cpu")
    with pytest.raises(ConfigError, match=r"'bf16'; allowed on this CPU \(it has neither avx512_bf16.*auto, fp32$"):
        precision.choose("bf16", cpu)
    assert precision.choose("auto", cpu, ["bf16"]) == "fp32"


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16"])
def test_auto_takes_what_is_harmless_and_there(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_flags", lambda: frozenset({flag}))
    cpu = torch.device("cpu")
    assert precision.choose("auto", cpu) == "fp32"
    assert precision.choose("auto", cpu, ["fp16", "bf16"]) == "bf16"
    assert precision.choose("bf16", cpu) == "bf16"
    with pytest.raises(ConfigError, match="'fp16'.*auto, fp32, bf16"):
        precision.choose("fp16", cpu)


def test_unknown_precisions_and_a_plain_network_in_bf16_are_refused() -> None:
    with pytest.raises(ConfigError, match="'int8'; allowed are auto, fp32, bf16, fp16"):
        Compute(precision="int8")
    with pytest.raises(ConfigError, match="plain network is fp32"):
        Compute(precision="bf16", plain=True)
