"""The traced and fused step gives the answers of the plain one, also for sizes that it was not traced with."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from stm_tracker_ros.parts.inference import optimised

pytestmark = pytest.mark.torch


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 4, 1)

    def step(self, image: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.relu(self.first(image))
        return self.second(x) + shift, x.mean()


@pytest.mark.parametrize("height", [16, 24])
def test_it_answers_as_the_plain_step(height: int) -> None:
    torch.manual_seed(0)
    network = Small().eval().requires_grad_(False)
    fast = optimised(network, network.step, torch.rand(1, 3, 16, 16), torch.rand(1))
    image, shift = torch.rand(1, 3, height, 16), torch.rand(1)
    for quick, plain in zip(fast(image, shift), network.step(image, shift), strict=True):
        torch.testing.assert_close(quick, plain)


def test_away_from_the_cpu_the_step_runs_as_it_is() -> None:
    network = Small()
    assert optimised(network, network.step, torch.empty(1, 3, 8, 8, device="meta")) == network.step
