"""Space-time memory read (Oh et al., ICCV 2019; STMTrack, section 3.3): every query cell looks at every memory cell."""

from __future__ import annotations

import torch
from torch import Tensor


def read(query_key: Tensor, memory_key: Tensor, memory_value: Tensor, bias: Tensor | None = None) -> Tensor:
    """Softmax over all memory cells of the scaled dot product, then the weighted sum of the values.

    query_key: B x Q x C; memory_key: B x M x C; memory_value: B x M x V; bias: B x M, added to the logits
    (-inf leaves a cell out). Returns B x Q x V.
    """
    mask = None if bias is None else bias[:, None, :].to(query_key.dtype)
    return torch.nn.functional.scaled_dot_product_attention(query_key, memory_key, memory_value, attn_mask=mask)
