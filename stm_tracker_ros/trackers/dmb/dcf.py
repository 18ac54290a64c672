"""The spatial memory: features -> where the target is, by a projection and a filter that are trained online.

Objective (paper, Eq. 6, with the projection of ATOM, Danelljan et al., CVPR 2019, section 3.2):

    sum over samples of weight * |activation(filter * (projection x)) - label|^2
        + filter_decay |filter|^2 + projection_decay |projection|^2

It is minimised by Gauss-Newton steps; the linear system of each is solved by conjugate gradients (Hestenes and
Stiefel, 1952), for which products with the Jacobian and its transpose are enough. Where the filter alone is learned,
they are preconditioned by the same problem without borders, so that five of them come close to the optimum.

Shapes: N samples, C channels of features, K projected channels, h x w cells, k x k filter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import torch
from torch import Tensor
from torch.nn import functional

FLAT_BELOW = 0.05  # how far a response may go below zero: further down it says nothing more (ATOM's "mlu")
SLOPE_EPS = 1e-12


class Parameters(NamedTuple):
    """filter: K x k x k; projection: K x C."""

    filter: Tensor
    projection: Tensor


class Samples(NamedTuple):
    """features: N x C x h x w; labels: N x h x w; weights: N."""

    features: Tensor
    labels: Tensor
    weights: Tensor


class Decay(NamedTuple):
    """Weights of the squared parameters in the objective."""

    filter: float
    projection: float


def project(projection: Tensor, features: Tensor) -> Tensor:
    """K x C on N x C x h x w -> N x K x h x w."""
    return functional.conv2d(features, projection[:, :, None, None])


def correlate(filter_: Tensor, projected: Tensor) -> Tensor:
    """K x k x k over N x K x h x w -> N x h x w, zeros around; an even filter leans to the top left.

    A product of matrices, and k x k maps laid over each other: a fifth of the time of a convolution with one answer.
    """
    return _overlaid(_shifts(filter_).T @ projected.flatten(2), projected.shape[-2:])


def principal(features: Tensor, channels: int) -> Tensor:
    """The directions in which features N x C x h x w vary most: channels x C, orthonormal."""
    flat = features.transpose(0, 1).flatten(1)
    centred = flat - flat.mean(1, keepdim=True)
    _, vectors = torch.linalg.eigh(centred @ centred.T)
    return vectors[:, -channels:].flip(1).T.contiguous()


def objective(at: Parameters, samples: Samples, decay: Decay, *, saturates: bool) -> float:
    """The value that is minimised."""
    point = Linearised(at, samples, decay, saturates=saturates, joint=True)
    squares = decay.filter * at.filter.square().sum() + decay.projection * at.projection.square().sum()
    return float(point.residual.square().sum() + squares)


class Linearised:
    """The residuals about one point: their Jacobian J as products, over the filter or over filter and projection.

    Projection and filter are one filter of C channels, which is C numbers for each of its k x k shifts.
    """

    def __init__(self, at: Parameters, samples: Samples, decay: Decay, *, saturates: bool, joint: bool) -> None:
        self.at, self.decay, self.joint = at, decay, joint
        self.cells, self.features = samples.features.shape[-2:], samples.features.flatten(2)
        self.projected = project(at.projection, samples.features)
        response = correlate(at.filter, self.projected)
        root = samples.weights.sqrt()[:, None, None]
        value, slope = _saturated(response) if saturates else (response, torch.ones_like(response))
        self.residual, self.slope = root * (value - samples.labels), root * slope

    def forward(self, step: Parameters) -> Tensor:
        """J step, N x h x w."""
        whole = self.at.projection.T @ _shifts(step.filter)
        if self.joint:
            whole = whole + step.projection.T @ _shifts(self.at.filter)
        return self.slope * _overlaid(whole.T @ self.features, self.cells)

    def back(self, residual: Tensor) -> Parameters:
        """J^T residual."""
        pulled = _laid_out(self.slope * residual, self.at.filter.shape[-1])
        whole = (pulled @ self.features.transpose(1, 2)).sum(0)  # k k x C
        by_filter = (whole @ self.at.projection.T).T.flip(1).view_as(self.at.filter)
        if not self.joint:
            return Parameters(by_filter, torch.zeros_like(self.at.projection))
        return Parameters(by_filter, _shifts(self.at.filter) @ whole)

    def normal(self, step: Parameters) -> Parameters:
        """(J^T J + decay) step."""
        product = self.back(self.forward(step))
        return Parameters(
            product.filter + self.decay.filter * step.filter,
            product.projection + self.decay.projection * step.projection,
        )

    def borderless(self) -> Borderless:
        """The filter's part of the problem as if the maps went on for ever; saturation counts by its mean."""
        heights = self.slope.square().flatten(1).mean(1).sqrt()
        return Borderless(self.projected * heights[:, None, None, None], self.at.filter.shape[-1], self.decay.filter)

    def descent(self) -> Parameters:
        """Minus half the gradient of the objective."""
        slope = self.back(self.residual)
        return Parameters(
            -slope.filter - self.decay.filter * self.at.filter,
            -slope.projection - self.decay.projection * self.at.projection * float(self.joint),
        )


class Borderless:
    """The inverse of the filter's normal matrix if no shift left the map: it then depends on differences of shifts
    only, and its entries are the correlations between the channels, by the Fourier transform.

    projected: N x K x h x w, weighted by the roots of the samples' weights.
    """

    def __init__(self, projected: Tensor, size: int, decay: float) -> None:
        channels = projected.shape[1]
        extent = [cv2.getOptimalDFTSize(side + size - 1) for side in projected.shape[2:]]
        waves = torch.fft.rfft2(projected, s=extent).permute(2, 3, 1, 0)
        lags = torch.fft.irfft2((waves.conj() @ waves.transpose(-1, -2)).permute(2, 3, 0, 1), s=extent)
        shift = torch.arange(size, device=projected.device)
        difference = shift[None, :] - shift[:, None]
        blocks = lags[:, :, difference[:, None, :, None], difference[None, :, None, :]]  # K x K x a1 x a2 x b1 x b2
        matrix = blocks.permute(0, 2, 3, 1, 4, 5).reshape(channels * size * size, -1)
        ridge = decay + SLOPE_EPS + 1e-6 * float(matrix.diagonal().mean())
        matrix = (matrix + matrix.T) / 2 + ridge * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
        self.triangle = torch.linalg.cholesky(matrix)

    def __call__(self, right: Parameters) -> Parameters:
        """The approximate solution of normal(x) = right; the projection's part is handed through."""
        solved = torch.cholesky_solve(right.filter.reshape(-1, 1), self.triangle)
        return Parameters(solved.view_as(right.filter), right.projection)


def gauss_newton(
    at: Parameters,
    samples: Samples,
    decay: Decay,
    *,
    saturates: bool,
    joint: bool,
    steps: int = 1,
    inner_steps: int = 10,
) -> Parameters:
    """`steps` Gauss-Newton steps of `inner_steps` conjugate gradients each; `joint`: the projection learns as well."""
    for _ in range(steps):
        point = Linearised(at, samples, decay, saturates=saturates, joint=joint)
        nearly_solved = None if joint else point.borderless()
        step = conjugate_gradient(point.normal, point.descent(), inner_steps, nearly_solved)
        at = Parameters(at.filter + step.filter, at.projection + step.projection)
    return at


def conjugate_gradient(
    product: Callable[[Parameters], Parameters],
    right: Parameters,
    steps: int,
    nearly_solved: Callable[[Parameters], Parameters] | None = None,
) -> Parameters:
    """Solve product(x) = right from x = 0, with at most that many products; stops where nothing is left to solve.

    nearly_solved: an approximate inverse of `product`, symmetric and positive (preconditioner).
    """
    x = Parameters(torch.zeros_like(right.filter), torch.zeros_like(right.projection))
    residual = right
    direction = better = nearly_solved(residual) if nearly_solved else residual
    square = _dot(residual, better)
    enough = square * SLOPE_EPS
    for _ in range(steps):
        if square <= enough:
            break
        image = product(direction)
        rate = square / _dot(direction, image)
        x, residual = _add(x, direction, rate), _add(residual, image, -rate)
        better = nearly_solved(residual) if nearly_solved else residual
        square, before = _dot(residual, better), square
        direction = _add(better, direction, square / before)
    return x


def _shifts(filter_: Tensor) -> Tensor:
    """K x k x k -> K x k k, in the order in which `_overlaid` and `_laid_out` count shifts."""
    return filter_.flatten(1).flip(1)


def _overlaid(shifted: Tensor, cells: Sequence[int]) -> Tensor:
    """What each cell says of the cells about it, N x k k x h w -> their sums, N x h x w."""
    size = math.isqrt(shifted.shape[1])
    start = size - 1 - size // 2
    everywhere = functional.fold(shifted, (cells[0] + size - 1, cells[1] + size - 1), size)[:, 0]
    return everywhere[:, start : start + cells[0], start : start + cells[1]]


def _laid_out(residual: Tensor, size: int) -> Tensor:
    """The transpose of `_overlaid`: N x h x w -> N x k k x h w, zeros around."""
    low = size // 2
    around = (size - 1 - low, low, size - 1 - low, low)
    return functional.unfold(functional.pad(residual[:, None], around), size)


def _saturated(response: Tensor) -> tuple[Tensor, Tensor]:
    """elu(response) with its floor at -FLAT_BELOW, and its slope: what is below zero is hardly told apart."""
    below = FLAT_BELOW * torch.exp(response.clamp(max=0) / FLAT_BELOW)
    return torch.where(response > 0, response, below - FLAT_BELOW), torch.where(response > 0, 1.0, below / FLAT_BELOW)


def _dot(a: Parameters, b: Parameters) -> float:
    return float((a.filter * b.filter).sum() + (a.projection * b.projection).sum())


def _add(a: Parameters, b: Parameters, rate: float) -> Parameters:
    return Parameters(a.filter + rate * b.filter, a.projection + rate * b.projection)
