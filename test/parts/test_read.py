"""The memory read against its definition, cell by cell."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from stm_tracker_ros.parts.read import read

pytestmark = pytest.mark.torch


def draws(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_definition(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    result = torch.zeros(query.shape[0], query.shape[1], value.shape[2], dtype=query.dtype)
    for b in range(query.shape[0]):
        for q in range(query.shape[1]):
            logits = [float(query[b, q] @ key[b, m]) / math.sqrt(query.shape[2]) + float(bias[b, m]) for m in range(7)]
            weights = [math.exp(logit - max(logits)) for logit in logits]
            for m, weight in enumerate(weights):
                result[b, q] += weight / sum(weights) * value[b, m]
    return result


def test_it_is_the_softmax_over_all_memory_cells() -> None:
    query, key, value, bias = draws(2, 5, 4), draws(2, 7, 4, seed=1), draws(2, 7, 3, seed=2), draws(2, 7, seed=3)
    torch.testing.assert_close(read(query, key, value, bias), by_definition(query, key, value, bias))
    nothing = torch.zeros_like(bias)
    torch.testing.assert_close(read(query, key, value), by_definition(query, key, value, nothing))


def test_the_order_of_the_memory_does_not_matter() -> None:
    query, key, value = draws(1, 5, 4), draws(1, 7, 4, seed=1), draws(1, 7, 3, seed=2)
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    torch.testing.assert_close(read(query, key[:, order], value[:, order]), read(query, key, value))


def test_minus_infinity_leaves_a_cell_out() -> None:
    query, key, value = draws(1, 5, 4), draws(1, 7, 4, seed=1), draws(1, 7, 3, seed=2)
    bias = torch.zeros(1, 7, dtype=torch.float64)
    bias[0, 4:] = -math.inf
    torch.testing.assert_close(read(query, key, value, bias), read(query, key[:, :4], value[:, :4]))
