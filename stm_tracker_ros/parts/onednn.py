"""Convolutions of a captured graph as oneDNN runs them fastest on an x86 CPU.

Weights are packed once; the activation or the sum behind a convolution is done while its result is in the cache. With
one thread torch would send small convolutions elsewhere, to code that cannot do bf16. In fp32 small 1x1 convolutions of
few cells become matrix products: those have a third of the overhead, but write their result three times.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx

from stm_tracker_ros.parts.graph import aten, clean, constant, is_constant, value_of

RELUS = {aten.relu.default, aten.relu_.default}
CLAMPS = {aten.hardtanh.default, aten.hardtanh_.default}
SMALL_PRODUCT = 40e6  # multiplications, under which the overhead of a convolution counts
FEW_CELLS = 1000  # under which it counts more than that bias and activation go over the result once more each


class _Conv(NamedTuple):
    """Arguments of aten.convolution that matter here."""

    source: fx.Node
    weight: fx.Node
    bias: fx.Node | None
    stride: list[int]
    padding: list[int]
    dilation: list[int]
    groups: int


def is_available() -> bool:
    """Whether this torch and CPU have what is used here."""
    return torch.backends.mkldnn.is_available() and platform.machine() in ("x86_64", "AMD64")


def fuse(graph: fx.GraphModule, examples: Sequence[Tensor]) -> None:
    """Change the graph in place; examples: arguments in the layout to come, channels-last for images."""
    with torch.no_grad():
        _Shapes(graph).run(*examples)
    for node in list(graph.graph.nodes):
        conv = _conv(node)
        if conv is None:
            continue
        if _is_small_product(graph, node, conv):
            _as_product(graph, node, conv)
        else:
            _as_packed(graph, node, conv)
    clean(graph)


class _Shapes(fx.Interpreter):
    """Runs the graph and notes each result in its node."""

    def run_node(self, n: fx.Node) -> Any:
        """Run one node."""
        result = super().run_node(n)
        if isinstance(result, Tensor):
            n.meta["like"] = torch.empty_like(result, device="meta")
        return result


def _conv(node: fx.Node) -> _Conv | None:
    if node.target != aten.convolution.default or not is_constant(node.args[1]):
        return None
    source, weight, bias, stride, padding, dilation, transposed, _, groups = node.args
    if transposed or len(padding) != 2:  # type: ignore[arg-type]
        return None
    return _Conv(source, weight, bias, stride, padding, dilation, groups)  # type: ignore[arg-type]


def _is_small_product(graph: fx.GraphModule, node: fx.Node, conv: _Conv) -> bool:
    weight = value_of(graph, conv.weight)
    result = node.meta["like"]
    is_small = result.numel() * weight.shape[1] < SMALL_PRODUCT and result.shape[2:].numel() < FEW_CELLS
    plain = tuple(weight.shape[2:]) == (1, 1) and conv.stride == [1, 1] and conv.padding == [0, 0] and conv.groups == 1
    is_dense = result.shape[0] == 1 and conv.bias is not None
    return plain and is_dense and weight.dtype == torch.float32 and is_small


def _as_product(graph: fx.GraphModule, node: fx.Node, conv: _Conv) -> None:
    """B = 1, channels-last: cells x channels times channels x channels."""
    _, channels, height, width = node.meta["like"].shape
    weight = constant(graph, node, value_of(graph, conv.weight)[:, :, 0, 0].t().contiguous())
    call = graph.graph.call_function
    with graph.graph.inserting_before(node):
        cells = call(aten.permute.default, (conv.source, [0, 2, 3, 1]))
        rows = call(aten.reshape.default, (cells, [height * width, -1]))
        product = call(aten.addmm.default, (conv.bias, rows, weight))
        image = call(aten.view.default, (product, [1, height, width, channels]))
        result = call(aten.permute.default, (image, [0, 3, 1, 2]))
    result.meta = node.meta
    node.replace_all_uses_with(result)
    graph.graph.erase_node(node)


def _as_packed(graph: fx.GraphModule, node: fx.Node, conv: _Conv) -> None:
    shape = conv.source.meta["like"].shape
    dense = value_of(graph, conv.weight).contiguous().to_mkldnn()
    pack: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
    packed = pack(dense, conv.padding, conv.stride, conv.dilation, conv.groups, shape)
    weight = constant(graph, node, packed)
    place = (conv.padding, conv.stride, conv.dilation, conv.groups)
    last, other = node, _summand(node)
    with graph.graph.inserting_after(_only_user(node) if other is not None else node):
        if other is not None:
            last = _only_user(node)
            target: Any = torch.ops.mkldnn._convolution_pointwise.binary
            arguments: tuple[Any, ...] = (conv.source, other, weight, conv.bias, *place, "add", None, None, [], None)
        else:
            last, attribute, scalars = _activation(node)
            target = torch.ops.mkldnn._convolution_pointwise.default
            arguments = (conv.source, weight, conv.bias, *place, attribute, scalars, "")
        fused = graph.graph.call_function(target, arguments)
    fused.meta = node.meta
    last.replace_all_uses_with(fused)
    if last is not node:
        graph.graph.erase_node(last)
    graph.graph.erase_node(node)


def _only_user(node: fx.Node) -> fx.Node:
    return next(iter(node.users))


def _activation(node: fx.Node) -> tuple[fx.Node, str, list[float]]:
    """The node whose result is taken over, and what oneDNN calls what it does."""
    user = _only_user(node) if len(node.users) == 1 else node
    if user.target in RELUS:
        return user, "relu", []
    if user.target in CLAMPS and len(user.args) == 3:
        return user, "hardtanh", [float(user.args[1]), float(user.args[2])]  # type: ignore[arg-type]
    return node, "none", []


def _summand(node: fx.Node) -> fx.Node | None:
    """What is added to the convolution's result and nothing else is done with it; None if it is used otherwise."""
    user = _only_user(node) if len(node.users) == 1 else None
    if user is None or user.target != aten.add.Tensor or user.kwargs or len(user.args) != 2:
        return None
    other = user.args[0] if user.args[1] is node else user.args[1]
    if not isinstance(other, fx.Node) or other is node or "like" not in other.meta or is_constant(other):
        return None
    mine, its = node.meta["like"], other.meta["like"]
    same = mine.shape == its.shape and mine.dtype == its.dtype and mine.stride() == its.stride()
    return other if same else None
