"""Memory layouts of images: a network's input should lie as its weights do, or each convolution turns it round."""

from __future__ import annotations

import torch
from torch import Tensor


def layout_of(weight: Tensor) -> torch.memory_format:
    """The layout of a convolution's weights, which must have several channels and a kernel larger than 1 x 1."""
    is_last = weight.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if is_last else torch.contiguous_format
