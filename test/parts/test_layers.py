from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.parts.layers import Block, CellNorm, by_cell, by_map  # noqa: E402


def test_a_map_by_cells_and_back() -> None:
    x = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).view(2, 3, 4, 4)
    cells = by_cell(x)
    assert torch.equal(cells[1, 5], x[1, :, 1, 1])
    assert torch.equal(by_map(cells, 4), x)


def test_every_cell_is_normalised_by_itself() -> None:
    x = torch.randn(1, 8, 3, 3)
    y = CellNorm(8)(x)
    assert torch.allclose(y.mean(1), torch.zeros(1, 3, 3), atol=1e-6)
    x[0, :, 0, 0] *= 50
    assert torch.allclose(CellNorm(8)(x)[0, :, 1:, 1:], y[0, :, 1:, 1:])


def test_a_new_block_adds_nothing_but_a_bias() -> None:
    x = torch.randn(1, 8, 4, 4)
    change = Block(8)(x) - x
    assert torch.allclose(change, change[:, :, :1, :1].expand_as(change), atol=1e-6)
