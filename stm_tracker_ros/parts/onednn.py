"""Convolutions of a captured graph as oneDNN runs them fastest on an x86 CPU.

Weights are packed once; the activation or the sum behind a convolution is done while its result is in the cache. With
one thread torch would send small convolutions elsewhere, to code that cannot do bf16. In fp32 small 1x1 convolutions of
few cells become matrix products: those have a third of the overhead, but write their result three times. In bf16 all
1x1 convolutions are called as oneDNN's products.
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
CHANNELS_LAST, CHANNELS_SECOND = [0, 2, 3, 1], [0, 3, 1, 2]  # axes of an image to those of cells, and back


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
        is_product = _is_product(graph, conv)
        if is_product and _is_small(graph, node, conv):
            _as_product(graph, node, conv)
        elif is_product and value_of(graph, conv.weight).dtype == torch.bfloat16:
            _as_linear(graph, node, conv)
        else:
            _as_packed(graph, node, conv)
    _drop_ways_and_back(graph)
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


def _is_product(graph: fx.GraphModule, conv: _Conv) -> bool:
    """Whether it multiplies two matrices: cells x channels and channels x channels."""
    kernel = value_of(graph, conv.weight).shape[2:]
    return kernel.numel() == 1 and conv.stride == [1, 1] and conv.padding == [0, 0] and conv.groups == 1


def _is_small(graph: fx.GraphModule, node: fx.Node, conv: _Conv) -> bool:
    weight = value_of(graph, conv.weight)
    result = node.meta["like"]
    is_small = result.numel() * weight.shape[1] < SMALL_PRODUCT and result.shape[2:].numel() < FEW_CELLS
    return is_small and result.shape[0] == 1 and conv.bias is not None and weight.dtype == torch.float32


def _as_product(graph: fx.GraphModule, node: fx.Node, conv: _Conv) -> None:
    """B = 1, channels-last: cells x channels times channels x channels."""
    _, channels, height, width = node.meta["like"].shape
    weight = constant(graph, node, value_of(graph, conv.weight)[:, :, 0, 0].t().contiguous())
    call = graph.graph.call_function
    with graph.graph.inserting_before(node):
        cells = call(aten.permute.default, (conv.source, CHANNELS_LAST))
        rows = call(aten.reshape.default, (cells, [height * width, -1]))
        product = call(aten.addmm.default, (conv.bias, rows, weight))
        image = call(aten.view.default, (product, [1, height, width, channels]))
        result = call(aten.permute.default, (image, CHANNELS_SECOND))
    _put(graph, result, node, node)


def _as_linear(graph: fx.GraphModule, node: fx.Node, conv: _Conv) -> None:
    """In bf16: called as the product that it is, it takes 10 us less; a last bit may be another one here and there."""
    weight = value_of(graph, conv.weight).flatten(1).contiguous()
    cells = node.meta["like"][:, 0].numel()
    packed = constant(graph, node, torch.ops.mkldnn._reorder_linear_weight(weight, cells))
    last, other, activation = _behind(node)
    operation: Any = torch.ops.mkldnn._linear_pointwise
    call = graph.graph.call_function
    with graph.graph.inserting_before(last):
        rows = call(aten.permute.default, (conv.source, CHANNELS_LAST))
        if other is None:
            product = call(operation.default, (rows, packed, conv.bias, *activation, ""))
        else:
            summand = call(aten.permute.default, (other, CHANNELS_LAST))
            product = call(operation.binary, (rows, summand, packed, conv.bias, "add"))
        image = call(aten.permute.default, (product, CHANNELS_SECOND))
    _put(graph, image, node, last)


def _as_packed(graph: fx.GraphModule, node: fx.Node, conv: _Conv) -> None:
    shape = conv.source.meta["like"].shape
    dense = value_of(graph, conv.weight).contiguous().to_mkldnn()
    pack: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
    packed = constant(graph, node, pack(dense, conv.padding, conv.stride, conv.dilation, conv.groups, shape))
    place = (conv.padding, conv.stride, conv.dilation, conv.groups)
    last, other, activation = _behind(node)
    operation: Any = torch.ops.mkldnn._convolution_pointwise
    call = graph.graph.call_function
    with graph.graph.inserting_before(last):
        if other is None:
            image = call(operation.default, (conv.source, packed, conv.bias, *place, *activation, ""))
        else:
            arguments = (conv.source, other, packed, conv.bias, *place)
            image = call(operation.binary, (*arguments, "add", None, None, [], None))
    _put(graph, image, node, last)


def _put(graph: fx.GraphModule, image: fx.Node, node: fx.Node, last: fx.Node) -> None:
    """`image` in the place of the convolution `node` and what is behind it up to `last`."""
    image.meta = node.meta
    last.replace_all_uses_with(image)
    if last is not node:
        graph.graph.erase_node(last)
    graph.graph.erase_node(node)


def _drop_ways_and_back(graph: fx.GraphModule) -> None:
    """Axes exchanged and exchanged back are where they were."""
    for node in graph.graph.nodes:
        if node.target != aten.permute.default or node.args[0].target != aten.permute.default:
            continue
        (source, first), second = node.args[0].args, node.args[1]
        if [first[axis] for axis in second] == list(range(len(first))):
            node.replace_all_uses_with(source)


def _only_user(node: fx.Node) -> fx.Node:
    return next(iter(node.users))


def _behind(node: fx.Node) -> tuple[fx.Node, fx.Node | None, tuple[str, list[float]]]:
    """The node whose result is taken over; what is added, or None; the activation as oneDNN calls it, its numbers."""
    other = _summand(node)
    if other is not None:
        return _only_user(node), other, ("none", [])
    user = _only_user(node) if len(node.users) == 1 else node
    if user.target in RELUS:
        return user, None, ("relu", [])
    if user.target in CLAMPS and len(user.args) == 3:
        return user, None, ("hardtanh", [float(user.args[1]), float(user.args[2])])  # type: ignore[arg-type]
    return node, None, ("none", [])


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
