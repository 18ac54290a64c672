"""A network's step made fast for tracking: traced and frozen, in channels-last memory.

On a CPU this takes the Python out of the step and runs the convolutions in the layout that the norms and the read
want as well, so that nothing is copied from one layout to another. The answers are the same up to float noise.
Elsewhere the step runs as it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

WARM_UP_CALLS = 3


class _Step(nn.Module):
    def __init__(self, owner: nn.Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.owner, self.function = owner, function

    def forward(self, *arguments: Tensor) -> Any:
        return self.function(*arguments)


def optimised(owner: nn.Module, function: Callable[..., Any], *examples: Tensor) -> Callable[..., Any]:
    """`function`, which uses `owner`'s frozen weights and takes tensors only, as fast as this device allows.

    examples: arguments of the kinds to come; sizes may differ later where the function does not branch on them.
    """
    if examples[0].device.type != "cpu":
        return function
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every constant, TorchScript of its age
        traced = torch.jit.trace(_Step(owner, function).eval(), examples, check_trace=False)
        fast: Callable[..., Any] = torch.jit.freeze(traced)
        for _ in range(WARM_UP_CALLS):
            fast(*examples)
    return fast
