"""Space-time memory read (Oh et al., ICCV 2019; STMTrack, section 3.3): every query cell looks at every memory cell."""

from __future__ import annotations

from collections.abc import Sequence

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


def read_slots(
    query_key: Tensor,
    keys: Tensor,
    values: Tensor,
    slots: Sequence[int],
    first_bias: float = 0.0,
    *,
    in_place: bool = True,
) -> Tensor:
    """`read` of some slots of a bank, on a CPU where they lie.

    query_key: Q x C; keys: slots x cells x C; values: slots x cells x V; slots: numbers of those to read, one or more;
    first_bias: added to the logits of the first one; in_place False: collect the slots first. Returns Q x V.
    """
    if not in_place or query_key.device.type == "cuda":  # a copy of some slots takes a GPU microseconds
        return _read_copied(query_key, keys, values, slots, first_bias)
    scaled = query_key * query_key.shape[-1] ** -0.5
    logits = torch.cat([scaled @ keys[slot].t() for slot in slots], -1)
    if first_bias:
        logits[:, : keys.shape[1]] += first_bias
    weights = torch.softmax(logits, -1).split(keys.shape[1], -1)
    found = (weights[0] @ values[slots[0]]).float()
    for weight, slot in zip(weights[1:], slots[1:], strict=True):
        found += weight @ values[slot]  # summed in fp32, whatever the bank's type
    return found.to(values.dtype)


def _read_copied(query_key: Tensor, keys: Tensor, values: Tensor, slots: Sequence[int], first_bias: float) -> Tensor:
    cells = keys.shape[1]
    bias = torch.zeros(1, len(slots) * cells, device=query_key.device)
    bias[:, :cells] = first_bias
    chosen = torch.tensor(slots, device=query_key.device)
    key, value = (part.index_select(0, chosen).flatten(0, 1)[None] for part in (keys, values))
    return read(query_key[None], key, value, bias if first_bias else None)[0]
