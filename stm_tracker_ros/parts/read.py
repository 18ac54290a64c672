"""Space-time memory read (Oh et al., ICCV 2019; STMTrack, section 3.3): every query cell looks at every memory cell."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def read(query_key: Tensor, memory_key: Tensor, memory_value: Tensor, bias: Tensor | None = None) -> Tensor:
    """Softmax over all memory cells of the scaled dot product, then the weighted sum of the values.

    query_key: B x Q x C; memory_key: B x M x C; memory_value: B x M x V; bias: B x M, added to the logits
    (-inf leaves a cell out). Returns B x Q x V.
    """
    if query_key.device.type == "cuda":  # one fused kernel; on a CPU the three steps are faster than its own
        mask = None if bias is None else bias[:, None, :].to(query_key.dtype)
        return functional.scaled_dot_product_attention(query_key, memory_key, memory_value, attn_mask=mask)
    logits = (query_key * query_key.shape[-1] ** -0.5) @ memory_key.transpose(1, 2)
    if bias is not None:
        logits = logits + bias[:, None, :]
    return torch.softmax(logits, -1) @ memory_value
