"""A network's step as a graph of tensor operations, and what can be done to it without changing its answers.

Captured with real tensors (torch.fx), so that what is in Python, sizes and branches included, is settled once. Nothing
is compiled; the graph runs as Python that calls one operation after the other.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

aten = torch.ops.aten
# All take input, weight, bias, mean and variance first and the smallest variance last.
NORMS = {
    getattr(aten, name).default
    for name in ("native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit_no_training")
    if hasattr(aten, name)
}
PRODUCTS = {getattr(aten, name).default for name in ("convolution", "bmm", "mm", "addmm", "baddbmm")}
LAYER_NORM = aten.native_layer_norm.default
# What moves, clips, averages or adds, or keeps more digits inside: may run in the precision of the products.
LIGHT = {
    operator.getitem,
    aten.relu.default, aten.relu_.default, aten.hardtanh.default, aten.hardtanh_.default,
    aten.add.Tensor, aten.add_.Tensor, aten.cat.default, aten.avg_pool2d.default,
    aten.max_pool2d_with_indices.default, LAYER_NORM, aten.constant_pad_nd.default,
    aten.pixel_unshuffle.default, aten.permute.default, aten.transpose.int, aten.t.default, aten.view.default,
    aten._unsafe_view.default, aten.unsqueeze.default, aten.squeeze.dim, aten.expand.default, aten.slice.Tensor,
    aten.select.int, aten.split.Tensor, aten.clone.default, aten.detach.default, aten.alias.default,
}  # fmt: skip


def capture(function: Callable[..., Any], examples: Sequence[Tensor]) -> fx.GraphModule:
    """What `function` does for arguments of the examples' shapes; norms and shuffles folded, constants computed."""
    wide = [example.float() if example.is_floating_point() else example for example in examples]
    graph = _traced(function, wide)
    _fold_norms(graph)
    _fold_unshuffles(graph)
    _fold_constants(graph)
    return graph


def forget_sources() -> None:
    """Drop the text that torch keeps of every graph ever made, for tracebacks: loading a tracker leaves .2 MB of it."""
    sources = getattr(getattr(fx.graph_module, "_loader", None), "eval_cache", {})
    sources.clear()


def lowered(graph: fx.GraphModule, examples: Sequence[Tensor], dtype: torch.dtype) -> fx.GraphModule:
    """The graph with its products, and what is light between them, in `dtype`; all other operations stay in fp32.

    Softmax, exponentials and the decoding of boxes are never rounded. Arguments may be of `dtype` themselves; what the
    last operation makes is what comes out.
    """
    low = {node for node, value in zip(_inputs(graph), examples, strict=True) if value.dtype == dtype}
    uniform_norms = examples[0].device.type == "cuda"  # whose layer norms want weights of their input's type
    for node in list(graph.graph.nodes):
        if node.op != "call_function":
            continue
        with graph.graph.inserting_before(node):
            if node.target in PRODUCTS or (uniform_norms and node.target == LAYER_NORM and node.args[0] in low):
                _cast(graph, node, node.all_input_nodes, dtype)
            elif node.target not in LIGHT:
                _cast(graph, node, [source for source in node.all_input_nodes if source in low], torch.float32)
        if node.target in PRODUCTS or (node.target in LIGHT and low.intersection(node.all_input_nodes)):
            low.add(node)
    graph.recompile()
    again = _traced(graph, examples)
    _fold_constants(again)
    return again


def constant(graph: fx.GraphModule, node: fx.Node, value: Tensor) -> fx.Node:
    """A new constant of the graph, to be used from `node` on."""
    name = f"constant_{len(graph._buffers)}"
    while hasattr(graph, name):
        name += "_"
    graph.register_buffer(name, value, persistent=False)
    with graph.graph.inserting_before(node):
        return graph.graph.get_attr(name)


def value_of(graph: fx.GraphModule, node: fx.Node) -> Tensor:
    """The value of a constant."""
    value: Tensor = getattr(graph, str(node.target))
    return value


def is_constant(thing: Any) -> bool:
    """Whether this argument of a node is a constant of the graph."""
    return isinstance(thing, fx.Node) and thing.op == "get_attr"


def clean(graph: fx.GraphModule) -> None:
    """Drop what nothing uses, and write the code anew."""
    graph.graph.eliminate_dead_code()
    used = {node.target for node in graph.graph.nodes if node.op == "get_attr"}
    held = [*graph._parameters, *graph._buffers, *(k for k, v in vars(graph).items() if isinstance(v, Tensor))]
    for name in held:
        if name not in used:
            delattr(graph, name)
    graph.recompile()


def _traced(function: Callable[..., Any], examples: Sequence[Tensor]) -> fx.GraphModule:
    with torch.no_grad():
        graph: fx.GraphModule = make_fx(lambda *arguments: function(*arguments))(*examples)
    return graph


def _inputs(graph: fx.GraphModule) -> list[fx.Node]:
    return [node for node in graph.graph.nodes if node.op == "placeholder"]


def _cast(graph: fx.GraphModule, node: fx.Node, sources: Sequence[fx.Node], dtype: torch.dtype) -> None:
    for source in sources:
        node.replace_input_with(source, graph.graph.call_function(aten.to.dtype, (source, dtype)))


def _fold_norms(graph: fx.GraphModule) -> None:
    """Batch norms behind a convolution become part of its weights; w' = w g / sqrt(v + eps), b' likewise."""
    for node in list(graph.graph.nodes):
        if node.target not in NORMS or node.args[0].target != aten.convolution.default or len(node.args[0].users) > 1:
            continue
        conv = node.args[0]
        gain, shift, mean, variance = (value_of(graph, argument).double() for argument in node.args[1:5])
        weight = value_of(graph, conv.args[1])
        bias = value_of(graph, conv.args[2]).double() if conv.args[2] is not None else torch.zeros_like(mean)
        scale = gain / torch.sqrt(variance + node.args[-1])
        folded_weight = constant(graph, conv, (weight * scale.view(-1, 1, 1, 1)).to(weight))
        folded_bias = constant(graph, conv, ((bias - mean) * scale + shift).to(weight.dtype))
        conv.args = (conv.args[0], folded_weight, folded_bias, *conv.args[3:])
        for user in list(node.users):
            if user.args[1] == 0:  # the others are the statistics, which nothing reads
                user.replace_all_uses_with(conv)
    clean(graph)


def _fold_unshuffles(graph: fx.GraphModule) -> None:
    """A convolution of r x r pixels laid behind each other is one of the pixels, r times as large and in steps of r."""
    for node in list(graph.graph.nodes):
        if node.target != aten.convolution.default or node.args[0].target != aten.pixel_unshuffle.default:
            continue
        _, weight, bias, stride, padding, dilation, transposed, border, groups = node.args
        if transposed or groups != 1 or dilation != [1, 1] or not is_constant(weight):
            continue
        pixels, r = node.args[0].args
        given = value_of(graph, weight)
        apart = given.unflatten(1, (-1, r, r)).permute(0, 1, 4, 2, 5, 3)
        larger = constant(graph, node, apart.flatten(4, 5).flatten(2, 3).contiguous())
        steps, edges = ([side * r for side in sides] for sides in (stride, padding))
        node.args = (pixels, larger, bias, steps, edges, dilation, transposed, border, groups)
    clean(graph)


def _fold_constants(graph: fx.GraphModule) -> None:
    """Whatever depends on constants alone is computed now."""
    for node in list(graph.graph.nodes):
        sources = node.all_input_nodes
        if node.op != "call_function" or not sources or not all(is_constant(source) for source in sources):
            continue
        arguments = fx.node.map_arg(node.args, lambda source: value_of(graph, source))
        with torch.no_grad():
            result = node.target(*arguments, **node.kwargs)
        if isinstance(result, Tensor):
            node.replace_all_uses_with(constant(graph, node, result))
    clean(graph)
