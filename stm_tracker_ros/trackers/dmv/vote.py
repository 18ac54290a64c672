"""The paper's read of the memory (section 3.2, supplement section 6): pick the best matches, let them vote.

| | `printed` | `weighted` (default) |
|---|---|---|
| what of the K picked values enters | as they are | times their share of the picked similarities and the constant one |
| gradient into the similarity | none: keys learn by the value encoder and the head alone | through the shares |

The shares are taken over what was picked, not over the whole memory: with 32 frames remembered a share of all would be
a tenth of what it was in training with four. Products are divided by the root of the keys' channels, which the linear
layer that makes the keys may undo.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.trackers.dmv.config import ReadConfig

FEW = 8  # candidates up to which a product in place takes less time than many small matrices (32: a fifth of it)


def similarity(query: Tensor, key: Tensor) -> Tensor:
    """Logarithm of exp(q . k) with the constant 1 of "no match" before all others: Eq. 1 without its divisor.

    query: B x Q x C; key: B x M x C. Returns B x Q x (1 + M).
    """
    products = (query * query.shape[-1] ** -0.5) @ key.transpose(1, 2)
    return functional.pad(products, (1, 0))


def pick(logits: Tensor, candidates: int) -> tuple[Tensor, Tensor]:
    """The K highest of each row, and their shares among these and the constant one.

    logits: B x Q x (1 + M), as `similarity` gives them. Returns columns and shares, B x Q x K each; K is less where
    there are not as many columns.
    """
    best = logits.topk(min(candidates, logits.shape[-1]), -1)
    constant = torch.zeros_like(best.values[..., :1]).masked_fill((best.indices == 0).any(-1, keepdim=True), -math.inf)
    total = torch.cat([constant, best.values], -1).logsumexp(-1, keepdim=True)
    return best.indices, torch.exp(best.values - total)


def picked(columns: Tensor, value: Tensor, nothing: Tensor) -> Tensor:
    """Values of the picked columns. columns: B x Q x K; value: B x M x V; nothing: V, of the column "no match".

    Returns B x Q x K x V.
    """
    batch, cells, channels = value.shape
    rows = columns.flatten(1) - 1 + cells * torch.arange(batch, device=columns.device)[:, None]
    found = value.flatten(0, 1).index_select(0, rows.flatten().clamp(min=0)).view(*columns.shape, channels)
    return torch.where(columns[..., None] == 0, nothing.to(value.dtype), found)


class Vote(nn.Module):
    """Candidates compare themselves with each other and the strongest answer wins: Fig. 7.

    One layer of attention between the K candidates of a cell, none to itself, between two linear layers.
    """

    itself: Tensor

    def __init__(self, channels_in: int, config: ReadConfig) -> None:
        """channels_in: of a value and a query together."""
        super().__init__()
        width, self.heads = config.channels, config.heads
        self.enter = nn.Linear(channels_in, width)
        self.query = nn.Linear(width, self.heads * width // 4)
        self.key = nn.Linear(width, self.heads * width // 4)
        self.value = nn.Linear(width, self.heads * width)
        self.leave = nn.Linear(self.heads * width, width)
        self.norm = nn.LayerNorm(width)
        itself = torch.zeros(config.candidates, config.candidates).fill_diagonal_(-math.inf)
        self.register_buffer("itself", itself, persistent=False)  # added to the logits

    def forward(self, x: Tensor) -> Tensor:
        """What `enter` makes of each candidate and the query, B x Q x K x width -> B x Q x width."""
        y: Tensor = self.norm(x + self.heard(x))
        return y.amax(-2)

    def heard(self, x: Tensor) -> Tensor:
        """What each of K candidates makes of the others, ... x K x width, the last linear layer included.

        That layer and the one that makes a head's values are one matrix, applied after the sum over candidates: the
        same, and less work.
        """
        count, width = x.shape[-2:]
        if count == 1:  # nobody else is there
            return self.leave.bias.expand_as(x)
        values = self.value.weight.view(self.heads, width, width)
        leaves = self.leave.weight.view(width, self.heads, width)
        said = torch.einsum("ohm,hmi->ohi", leaves, values).flatten(1)
        message = (self.shares(x).flatten(-3, -2) @ x).unflatten(-2, (count, self.heads)).flatten(-2)
        return functional.linear(message, said, self.leave.bias + self.leave.weight @ self.value.bias)

    def shares(self, x: Tensor) -> Tensor:
        """How much each candidate listens to each other one, ... x K x heads x K; nothing to itself."""
        count = x.shape[-2]
        query, key = (layer(x).unflatten(-1, (self.heads, -1)) for layer in (self.query, self.key))
        query = query * query.shape[-1] ** -0.5
        itself = self.itself[:count, :count]
        if count <= FEW:
            logits = (query[..., :, None, :, :] * key[..., None, :, :, :]).sum(-1) + itself[..., None]
            return torch.softmax(logits, -2).transpose(-1, -2)
        query, key = (part.transpose(-3, -2).flatten(0, -3) for part in (query, key))
        logits = torch.baddbmm(itself.to(query.dtype).expand(len(query), -1, -1), query, key.transpose(1, 2))
        shares = torch.softmax(logits, -1).view(*x.shape[:-2], self.heads, count, count)
        return shares.transpose(-3, -2)


class Alone(nn.Module):
    """Each candidate is looked at by itself, then the strongest answer wins (CPNet; "top-k + MLP" of Table 1)."""

    def __init__(self, channels_in: int, config: ReadConfig) -> None:
        super().__init__()
        width = config.channels
        inner = config.heads * width // 2  # about as many weights as the vote has
        self.enter = nn.Linear(channels_in, width)
        self.layers = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width), nn.LayerNorm(width))

    def forward(self, x: Tensor) -> Tensor:
        """As `Vote`."""
        y: Tensor = self.layers(x)
        return y.amax(-2)


class Mean(nn.Module):
    """The memory's mean beside the query (STM; "softmax" of Table 1)."""

    def __init__(self, channels_in: int, config: ReadConfig) -> None:
        super().__init__()
        self.enter = nn.Linear(channels_in, config.channels)

    def forward(self, x: Tensor) -> Tensor:
        """As `Vote`, of one value a cell."""
        return x.squeeze(-2)


JOINS: dict[str, type[Vote | Alone | Mean]] = {"vote": Vote, "mlp": Alone, "softmax": Mean}


class Read(nn.Module):
    """Memory and query -> what is known of every cell; the kind of `ReadConfig`."""

    def __init__(self, query_channels: int, value_channels: int, config: ReadConfig) -> None:
        super().__init__()
        self.config = config
        self.nothing = nn.Parameter(torch.zeros(value_channels))
        self.join = JOINS[config.kind](query_channels + value_channels, config)

    def kept(self, value: Tensor) -> Tensor:
        """What of values, ... x V, comes through the layer that they enter by: ... x `channels`.

        All that has to be remembered of them: that layer is linear, and picking and weighing are as well.
        """
        return functional.linear(value, self.join.enter.weight[:, : len(self.nothing)])

    def values_for(self, logits: Tensor, kept: Tensor) -> Tensor:
        """What the cells of a crop get out of the memory.

        logits: B x Q x (1 + M) (`similarity`); kept: of its values, B x M x `channels`. Returns the K candidates of
        each cell, B x Q x K x `channels`, or one mean of all with the kind `softmax`.
        """
        nothing = self.kept(self.nothing)
        if self.config.kind == "softmax":
            shares = torch.softmax(logits, -1).to(kept.dtype)
            return (shares[..., :1] * nothing + shares[..., 1:] @ kept)[..., None, :]
        columns, shares = pick(logits, self.config.candidates)
        found = picked(columns, kept, nothing)
        return found * shares[..., None].to(found.dtype) if self.config.values == "weighted" else found

    def forward(self, found: Tensor, query: Tensor) -> Tensor:
        """`values_for` the cells and their own features B x Q x C -> B x Q x `channels`."""
        of_query = functional.linear(query, self.join.enter.weight[:, len(self.nothing) :], self.join.enter.bias)
        joined: Tensor = self.join(found + of_query[..., None, :])
        return joined
