"""A network's step made fast for tracking; every tracker's steps go through here.

| device | what is done |
|---|---|
| any | captured once a set of shapes, batch norms folded, constants computed, products in the chosen precision |
| CPU (x86) | convolutions packed and fused by oneDNN, in channels-last memory |
| CUDA | the whole step replayed as one CUDA graph |

In fp32 the answers are those of the plain step up to float noise. Nothing is compiled on the user's machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from stm_tracker_ros.core.compute import Compute
from stm_tracker_ros.parts import device, graph, onednn
from stm_tracker_ros.parts.cuda_graph import CudaGraph
from stm_tracker_ros.parts.precision import TYPES, choose

WARM_UP_CALLS = 3
MOST_SHAPES = 64
# torch.fx exchanges functions of torch's own while it captures, and keeps that in globals: one capture at a time in a
# process. What other threads run meanwhile only passes through these functions, and comes out the same.
_CAPTURE = threading.RLock()
Shapes = tuple[tuple[torch.Size, torch.dtype], ...]
Network = TypeVar("Network", bound=nn.Module)


class Step:
    """A function of tensors, captured anew for every set of shapes and types that it meets; see `optimised`."""

    def __init__(self, function: Callable[..., Any], precision: torch.dtype) -> None:
        self._function, self._precision = function, precision
        self._captured: dict[Shapes, Callable[..., Any]] = {}

    def __call__(self, *arguments: Tensor) -> Any:
        """The step's answer; slow the first time that shapes are met."""
        shapes = tuple((argument.shape, argument.dtype) for argument in arguments)
        found = self._captured.get(shapes)
        if found is None:
            if len(self._captured) == MOST_SHAPES:
                self._captured.pop(next(iter(self._captured)))
            with _CAPTURE:
                found = self._captured[shapes] = self._capture(arguments)
        return found(*arguments)

    @torch.inference_mode(False)
    @torch.no_grad()
    def _capture(self, arguments: tuple[Tensor, ...]) -> Callable[..., Any]:
        """Never in inference mode, whatever the caller is in: there torch takes composed operations apart before they
        are seen, a bilinear enlargement into gathers. Its tensors may not be changed in place outside of it: copies.
        """
        arguments = tuple(argument.clone() if argument.is_inference() else argument for argument in arguments)
        step = graph.capture(self._function, arguments)
        if self._precision != torch.float32:
            step = graph.lowered(step, arguments, self._precision)
        graph.forget_sources()
        if arguments[0].device.type == "cuda":
            return CudaGraph(step, arguments)
        if onednn.is_available():
            onednn.fuse(step, arguments)
        return step.forward


def optimised(
    owner: nn.Module, function: Callable[..., Any], *examples: Tensor, precision: torch.dtype = torch.float32
) -> Callable[..., Any]:
    """`function`, which uses `owner`'s frozen weights and takes tensors only, as fast as this device allows.

    examples: arguments of the kinds to come, images in channels-last memory; it is captured and warmed up with them.
    Other shapes may come later: each set is captured when it first comes, so there should be few. What is no tensor
    operation (sizes, branches, numbers) is settled by the capture.
    precision: of convolutions and matrix products (`parts.precision.choose` names it); all else, such as softmax and
    exponentials, stays in fp32. What comes out of a product comes out in the precision: write `.float()` outside of
    the function where that matters, or let it end in an operation that is none.
    """
    if any(parameter.requires_grad for parameter in owner.parameters()):
        owner.requires_grad_(False)
    step = Step(function, precision)
    with torch.no_grad():
        for _ in range(WARM_UP_CALLS):
            step(*examples)
    return step


@dataclass(frozen=True, kw_only=True)
class InferenceRuntime:
    """On what, how exactly and how fast the steps of one tracker run; `resolved` makes it from the user's names."""

    device: torch.device = torch.device("cpu")
    precision: torch.dtype = torch.float32
    plain: bool = False

    @classmethod
    def resolved(cls, compute: Compute) -> InferenceRuntime:
        """The runtime that `compute` names; `auto` is fp32 here: what else is harmless stands in the registry.

        Raises DeviceError for a device that is absent, ConfigError for a precision that it cannot do.
        """
        where = device.resolve(compute.device)
        wanted = "fp32" if compute.plain else compute.precision
        return cls(device=where, precision=TYPES[choose(wanted, where)], plain=compute.plain)

    def ready(self, network: Network) -> Network:
        """The network on the device, its weights frozen and in the layout that the steps want."""
        network = network.to(self.device).eval().requires_grad_(False)
        layout = torch.contiguous_format if self.plain else torch.channels_last
        return network.to(memory_format=layout)  # type: ignore[no-any-return, call-overload]

    def optimised(self, owner: nn.Module, function: Callable[..., Any], *examples: Tensor) -> Callable[..., Any]:
        """As the function `optimised`, in this runtime's precision; `function` itself where it is plain."""
        return function if self.plain else optimised(owner, function, *examples, precision=self.precision)
