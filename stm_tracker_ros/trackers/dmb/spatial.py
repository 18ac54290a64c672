"""The spatial memory of one target: learned from the first frame's samples, then from what was found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stm_tracker_ros.trackers.dmb.config import SpatialConfig
from stm_tracker_ros.trackers.dmb.dcf import (
    Decay,
    Parameters,
    Samples,
    correlate,
    gauss_newton,
    principal,
    project,
)

Response = NDArray[np.float32]


class Place(NamedTuple):
    """A target in cells of the map, edge coordinates: centre and size (square root of its area)."""

    x: float
    y: float
    size: float


class SpatialMemory:
    """A projection and a filter, and the samples that the filter learns from; all sizes stay as they are made.

    features: N x C x h x w of the first frame and its variations, places: where the target is in each.
    """

    def __init__(self, config: SpatialConfig, features: Tensor, places: list[Place]) -> None:
        self.config = config
        self.decay = Decay(config.filter_decay, config.projection_decay)
        features = _level(features)
        count, _, self.height, self.width = features.shape
        labels = torch.stack([self._label(place, features) for place in places])
        weights = torch.full((count,), 1 / count, device=features.device)
        kept = principal(features, min(config.channels, features.shape[1]))
        flat = features.new_zeros(len(kept), config.kernel, config.kernel)
        self.parameters = gauss_newton(
            Parameters(flat, kept),
            Samples(features, labels, weights),
            self.decay,
            saturates=True,
            joint=True,
            steps=config.first_steps,
            inner_steps=config.first_inner_steps,
        )
        self.first = count  # the first samples are the first frame's
        self.filled = count
        room = max(config.samples, count + 1)
        self.projected = features.new_zeros(room, len(kept), self.height, self.width)
        self.labels = features.new_zeros(room, self.height, self.width)
        self.weights = features.new_zeros(room)
        self.projected[:count] = project(self.parameters.projection, features)
        self.labels[:count], self.weights[:count] = labels, weights

    def respond(self, features: Tensor) -> Tensor:
        """Features 1 x C x h x w -> map h x w, near 1 where the target's centre is."""
        response = correlate(self.parameters.filter, project(self.parameters.projection, _level(features)))[0]
        if self.config.window:
            down, across = (
                torch.hann_window(n + 2, periodic=False, device=response.device)[1:-1] for n in response.shape
            )
            response = response * down[:, None] * across
        return response

    def add(self, features: Tensor, place: Place, rate: float) -> None:
        """Take a sample 1 x C x h x w into memory with weight `rate`; the lightest goes if there is no room."""
        slot = self._free_slot()
        self.projected[slot] = project(self.parameters.projection, _level(features))[0]
        self.labels[slot] = self._label(place, features)
        self.weights[slot] = 0.0
        self.weights *= (1 - rate) / self.weights.sum()
        self.weights[slot] = rate
        share = float(self.weights[: self.first].sum())
        if 0 < share < self.config.first_share:
            self.weights[self.first :] *= (1 - self.config.first_share) / (1 - share)
            self.weights[: self.first] *= self.config.first_share / share

    def learn(self) -> None:
        """Improve the filter by some conjugate gradients over all samples."""
        filled = slice(0, self.filled)
        filter_, projection = self.parameters
        channels = torch.eye(len(projection), device=projection.device)  # the samples are projected already
        found = gauss_newton(
            Parameters(filter_, channels),
            Samples(self.projected[filled], self.labels[filled], self.weights[filled]),
            self.decay,
            saturates=True,
            joint=False,
            inner_steps=self.config.inner_steps,
        )
        self.parameters = Parameters(found.filter, projection)

    def _free_slot(self) -> int:
        if self.filled < len(self.weights):
            self.filled += 1
            return self.filled - 1
        return self.first + int(self.weights[self.first :].argmin())

    def _label(self, place: Place, like: Tensor) -> Tensor:
        sigma = max(self.config.label_width * place.size, 0.5)
        y = torch.arange(self.height, device=like.device) + 0.5 - place.y
        x = torch.arange(self.width, device=like.device) + 0.5 - place.x
        return torch.exp(-(y.square()[:, None] + x.square()[None]) / (2 * sigma**2))


def peak(response: Response) -> tuple[float, float, float]:
    """Height of the highest cell and its place x, y in cells, refined by parabolas through its neighbours."""
    row, column = np.unravel_index(int(response.argmax()), response.shape)
    x = column + 0.5 + _vertex(response[row], int(column))
    y = row + 0.5 + _vertex(response[:, column], int(row))
    return float(response[row, column]), float(x), float(y)


def second_peak(response: Response, x: float, y: float, reach: float) -> float:
    """Height of the highest cell more than `reach` cells away from x, y; 0 if there is none."""
    rows, columns = np.mgrid[: response.shape[0], : response.shape[1]] + 0.5
    away = np.maximum(np.abs(columns - x), np.abs(rows - y)) > reach
    return float(response[away].max()) if away.any() else 0.0


def _vertex(line: NDArray[np.float32], at: int) -> float:
    if not 0 < at < len(line) - 1:
        return 0.0
    left, middle, right = (float(v) for v in line[at - 1 : at + 2])
    bend = left - 2 * middle + right
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5))


def _level(features: Tensor) -> Tensor:
    """Each map divided by the root of its mean square, so that contrast does not count."""
    return features / features.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-6)
