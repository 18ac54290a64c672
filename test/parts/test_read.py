"""The memory read against its definition, cell by cell."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from stm_tracker_ros.parts.read import read, read_slots, read_slots_and_first

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


@pytest.mark.parametrize("first_bias", [0.0, 1.5])
@pytest.mark.parametrize("in_place", [True, False])
def test_slots_of_a_bank_are_read_as_if_they_lay_together(first_bias: float, in_place: bool) -> None:
    query, keys, values = draws(5, 4), draws(6, 3, 4, seed=1), draws(6, 3, 2, seed=2)
    slots = [4, 0, 3]
    bias = torch.zeros(1, 9, dtype=torch.float64)
    bias[:, :3] = first_bias
    expected = read(query[None], keys[slots].flatten(0, 1)[None], values[slots].flatten(0, 1)[None], bias)[0]
    found = read_slots(query, keys, values, slots, first_bias, in_place=in_place)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)  # slots are summed in fp32


@pytest.mark.parametrize("slots", [[4, 0, 3], [4]])
@pytest.mark.parametrize("first_bias", [0.0, -1.9])
@pytest.mark.parametrize("in_place", [True, False])
def test_the_first_slot_is_read_alone_as_well(slots: list[int], first_bias: float, in_place: bool) -> None:
    query, keys, values = draws(5, 4), draws(6, 3, 4, seed=1), draws(6, 3, 2, seed=2)
    found, first = read_slots_and_first(query, keys, values, slots, first_bias, in_place=in_place)
    together = read_slots(query, keys, values, slots, first_bias)
    torch.testing.assert_close(found, together, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(first, read_slots(query, keys, values, slots[:1]), rtol=1e-5, atol=1e-5)


def test_a_first_slot_that_counts_for_nothing_is_still_read_alone() -> None:
    """Its share of all weights is zero in fp32: nothing may be divided by it."""
    query, keys, values = (
        draws(*shape, seed=seed).float() for seed, shape in enumerate([(5, 4), (6, 3, 4), (6, 3, 2)])
    )
    found, first = read_slots_and_first(query, keys, values, [4, 0, 3], -1e4)
    torch.testing.assert_close(found, read_slots(query, keys, values, [0, 3]))
    torch.testing.assert_close(first, read_slots(query, keys, values, [4]))


def test_the_bank_is_not_copied_to_be_read() -> None:
    """Tensors as large as what is read: the logits and the weights, but none of keys or values."""
    query, keys, values = draws(2, 8), draws(9, 50, 8, seed=1), draws(9, 50, 8, seed=2)
    sizes: list[int] = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            result = func(*args, **(kwargs or {}))
            if isinstance(result, Tensor) and not func.is_view:
                sizes.append(result.numel())
            return result

    with Watch():
        read_slots(query, keys, values, list(range(9)))
    assert max(sizes) == 2 * 9 * 50  # logits; the keys of all slots have 9 * 50 * 8 numbers
