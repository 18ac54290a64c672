from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.parts.inference import optimised  # noqa: E402


def test_the_fast_step_answers_as_the_plain_one_also_at_other_sizes() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU6(), torch.nn.Conv2d(8, 4, 1))
    network.eval().requires_grad_(False)

    def step(image: torch.Tensor) -> torch.Tensor:
        return network(image) * 2

    fast = optimised(network, step, torch.randn(1, 3, 16, 16))
    for size in (16, 24):
        image = torch.randn(1, 3, size, size)
        assert torch.allclose(fast(image), step(image), atol=1e-5)
