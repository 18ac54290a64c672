"""The online filter against dense solutions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stm_tracker_ros.trackers.dmb.dcf import (
    Decay,
    Linearised,
    Parameters,
    Samples,
    conjugate_gradient,
    correlate,
    gauss_newton,
    objective,
    principal,
    project,
)

pytestmark = pytest.mark.torch
DECAY = Decay(filter=0.1, projection=0.1)


def some_samples(count: int, channels: int, cells: int = 12) -> Samples:
    """Features like those behind a ReLU, smooth over neighbours, with a blob of their own where the label is."""
    random = torch.Generator().manual_seed(3)
    noise = torch.randn(count, channels, cells, cells, generator=random, dtype=torch.float64)
    smooth = torch.nn.functional.avg_pool2d(noise, 3, 1, 1) * 3
    centers = 3 + torch.rand(count, 2, generator=random, dtype=torch.float64) * (cells - 6)
    labels = gaussians(centers, cells)
    pattern = torch.randn(channels, generator=random, dtype=torch.float64)
    features = torch.relu(smooth + 2 * labels[:, None] * pattern[:, None, None])
    weights = torch.rand(count, generator=random, dtype=torch.float64) + 0.1
    return Samples(features, labels, weights / weights.sum())


def gaussians(centers: Tensor, cells: int) -> Tensor:
    places = torch.arange(cells, dtype=torch.float64)
    y, x = (torch.exp(-((places - centers[:, axis, None]) ** 2) / 4.5) for axis in (0, 1))
    return y[:, :, None] * x[:, None, :]


def start(channels: int, kept: int, size: int) -> Parameters:
    random = torch.Generator().manual_seed(4)
    projection = torch.randn(kept, channels, generator=random, dtype=torch.float64) / channels**0.5
    return Parameters(torch.zeros(kept, size, size, dtype=torch.float64), projection)


def dense_filter(at: Parameters, samples: Samples, decay: Decay) -> Tensor:
    """The linear problem written out: one row a cell and sample, one column a number of the filter."""
    shape, count = at.filter.shape, at.filter.numel()
    projected = project(at.projection, samples.features)
    unit = torch.eye(count, dtype=torch.float64).view(count, *shape)
    rows = torch.stack([correlate(one, projected) for one in unit], -1) * samples.weights.sqrt()[:, None, None, None]
    matrix = torch.cat([rows.reshape(-1, count), decay.filter**0.5 * torch.eye(count, dtype=torch.float64)])
    wanted = (samples.labels * samples.weights.sqrt()[:, None, None]).reshape(-1)
    wanted = torch.cat([wanted, torch.zeros(count, dtype=torch.float64)])
    return torch.linalg.lstsq(matrix, wanted[:, None]).solution.view(shape)


@pytest.mark.parametrize("size", [1, 3, 4])
def test_a_filter_is_a_sum_over_cells_and_channels(size: int) -> None:
    random = torch.Generator().manual_seed(1)
    projected = torch.randn(1, 2, 5, 6, generator=random, dtype=torch.float64)
    weights = torch.randn(2, size, size, generator=random, dtype=torch.float64)
    response = correlate(weights, projected)
    assert response.shape == (1, 5, 6)
    for row in range(5):
        for column in range(6):
            total = 0.0
            for a in range(size):
                for b in range(size):
                    y, x = row + a - size // 2, column + b - size // 2
                    if 0 <= y < 5 and 0 <= x < 6:
                        total += float((projected[0, :, y, x] * weights[:, a, b]).sum())
            assert float(response[0, row, column]) == pytest.approx(total)


@pytest.mark.parametrize(("kept", "size", "count"), [(16, 4, 12), (31, 4, 27), (20, 5, 40), (8, 7, 5)])
def test_five_conjugate_gradients_come_within_a_hundredth_of_least_squares(kept: int, size: int, count: int) -> None:
    samples, at, decay = some_samples(count, 64), start(64, kept, size), Decay(filter=0.1, projection=0.0)
    assert at.filter.numel() <= 500
    found = gauss_newton(at, samples, decay, saturates=False, joint=False, inner_steps=5)
    best = at._replace(filter=dense_filter(at, samples, decay))
    reached, least = (objective(p, samples, decay, saturates=False) for p in (found, best))
    assert reached >= least
    assert reached <= 1.01 * least
    assert torch.equal(found.projection, at.projection)


@pytest.mark.parametrize("saturates", [False, True])
def test_a_joint_step_is_that_of_the_dense_normal_equations(saturates: bool) -> None:
    samples, at = some_samples(6, 12, cells=8), start(12, 4, 4)
    random = torch.Generator().manual_seed(5)
    at = at._replace(filter=torch.randn(4, 4, 4, generator=random, dtype=torch.float64) * 0.1)
    point = Linearised(at, samples, DECAY, saturates=saturates, joint=True)
    found = flat(conjugate_gradient(point.normal, point.descent(), 400))
    dense = flat_dense_step(at, samples, saturates)
    assert float((found - dense).norm() / dense.norm()) <= 1e-3


def flat(parameters: Parameters) -> Tensor:
    return torch.cat([part.flatten() for part in parameters])


def flat_dense_step(at: Parameters, samples: Samples, saturates: bool) -> Tensor:
    """Jacobian by automatic differentiation of the residuals, then the normal equations."""

    def residuals(filter_: Tensor, projection: Tensor) -> Tensor:
        response = correlate(filter_, project(projection, samples.features))
        if saturates:
            response = torch.nn.functional.elu(torch.nn.functional.leaky_relu(response, 20.0), 0.05)
        weighted = samples.weights.sqrt()[:, None, None] * (response - samples.labels)
        filter_part, projection_part = DECAY.filter**0.5 * filter_, DECAY.projection**0.5 * projection
        return torch.cat([weighted.flatten(), filter_part.flatten(), projection_part.flatten()])

    parts = torch.autograd.functional.jacobian(residuals, (at.filter, at.projection))
    jacobian = torch.cat([part.flatten(1) for part in parts], 1)
    return torch.linalg.lstsq(jacobian, -residuals(*at)[:, None]).solution[:, 0]


def test_learning_the_projection_as_well_fits_better() -> None:
    samples, at = some_samples(8, 24), start(24, 3, 4)
    alone, both = (
        gauss_newton(at, samples, DECAY, saturates=True, joint=joint, steps=6, inner_steps=20)
        for joint in (False, True)
    )
    values = [objective(p, samples, DECAY, saturates=True) for p in (at, alone, both)]
    assert values[2] < 0.9 * values[1] < values[0]


def test_the_answer_peaks_where_the_target_is() -> None:
    samples = some_samples(30, 32)
    seen = Samples(*(part[:20] for part in samples))
    at = Parameters(torch.zeros(8, 4, 4, dtype=torch.float64), principal(seen.features, 8))
    at = gauss_newton(at, seen, Decay(filter=0.01, projection=1e-4), saturates=True, joint=True, steps=6)
    response = correlate(at.filter, project(at.projection, samples.features[20:]))
    off = (response.flatten(1).argmax(1) - samples.labels[20:].flatten(1).argmax(1)).abs()
    assert int((off <= 13).sum()) >= 9


def test_principal_directions_are_orthonormal_and_hold_most() -> None:
    features = some_samples(4, 16).features
    kept = principal(features, 5)
    assert torch.allclose(kept @ kept.T, torch.eye(5, dtype=torch.float64), atol=1e-9)
    flat_features = features.transpose(0, 1).flatten(1)
    centred = flat_features - flat_features.mean(1, keepdim=True)
    values = torch.linalg.eigvalsh(centred @ centred.T)
    assert float((kept @ centred).square().sum()) == pytest.approx(float(values[-5:].sum()))


def test_nothing_to_solve_is_solved_by_nothing() -> None:
    samples, at = some_samples(2, 8), start(8, 2, 4)
    silent = samples._replace(labels=torch.zeros_like(samples.labels))
    point = Linearised(at, silent, DECAY, saturates=False, joint=False)
    assert not flat(conjugate_gradient(point.normal, point.descent(), 5)).any()
