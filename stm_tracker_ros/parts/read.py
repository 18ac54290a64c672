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
    shares = _shares(_logits(query_key, keys, slots), keys.shape[1], first_bias)
    return _joined((shares[0] @ values[slots[0]]).float(), shares, values, slots)


def read_slots_and_first(
    query_key: Tensor,
    keys: Tensor,
    values: Tensor,
    slots: Sequence[int],
    first_bias: float = 0.0,
    *,
    in_place: bool = True,
) -> tuple[Tensor, Tensor]:
    """As `read_slots`, and the read of the first slot alone, each Q x V.

    What the first one gives to all is what it gives alone, times its share of all weights: it is asked once. The other
    way round, from all to the first alone, would divide by a share that may be next to nothing.
    """
    if len(slots) == 1:
        alone = read_slots(query_key, keys, values, slots, in_place=in_place)
        return alone, alone
    if query_key.device.type == "cuda":
        first = _read_copied(query_key, keys, values, slots[:1], 0.0)
        return _read_copied(query_key, keys, values, slots, first_bias), first
    cells = keys.shape[1]
    if not in_place:
        key, value = (torch.cat([part[slot] for slot in slots]) for part in (keys, values))
        logits = (query_key * query_key.shape[-1] ** -0.5) @ key.t()
        first = torch.softmax(logits[:, :cells], -1) @ value[:cells]
        logits[:, :cells] += first_bias
        return torch.softmax(logits, -1) @ value, first
    logits = _logits(query_key, keys, slots)
    first = torch.softmax(logits[:, :cells], -1) @ values[slots[0]]
    shares = _shares(logits, cells, first_bias)
    from_first = shares[0].sum(-1, keepdim=True, dtype=torch.float32) * first
    return _joined(from_first, shares, values, slots), first


def _logits(query_key: Tensor, keys: Tensor, slots: Sequence[int]) -> Tensor:
    """Scaled products with the slots' keys, one slot beside the other: Q x (slots * cells)."""
    scaled, cells = query_key * query_key.shape[-1] ** -0.5, keys.shape[1]
    logits = scaled.new_empty(len(scaled), len(slots) * cells)
    for slot, part in zip(slots, logits.split(cells, -1), strict=True):
        torch.mm(scaled, keys[slot].t(), out=part)
    return logits


def _shares(logits: Tensor, cells: int, first_bias: float) -> tuple[Tensor, ...]:
    """Weights of the cells of each slot, Q x cells each; adds the bias to the logits of the first one."""
    if first_bias:
        logits[:, :cells] += first_bias
    return torch.softmax(logits, -1).split(cells, -1)


def _joined(found: Tensor, shares: Sequence[Tensor], values: Tensor, slots: Sequence[int]) -> Tensor:
    """What the first slot gave, Q x V, and what the others give; summed in fp32, whatever the bank's type."""
    for share, slot in zip(shares[1:], slots[1:], strict=True):
        found += share @ values[slot]
    return found.to(values.dtype)


def _read_copied(query_key: Tensor, keys: Tensor, values: Tensor, slots: Sequence[int], first_bias: float) -> Tensor:
    cells = keys.shape[1]
    bias = torch.zeros(1, len(slots) * cells, device=query_key.device)
    bias[:, :cells] = first_bias
    chosen = torch.tensor(slots, device=query_key.device)
    key, value = (part.index_select(0, chosen).flatten(0, 1)[None] for part in (keys, values))
    return read(query_key[None], key, value, bias if first_bias else None)[0]
