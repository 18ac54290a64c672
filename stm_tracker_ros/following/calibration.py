"""How likely an answer is right: a logistic regression on what is known of it in its frame.

Right is a box that overlaps with the true one by half or more (IoU); whatever is answered is wrong while the target is
out of sight. The weights belong to a tracker's network: they are fitted on runs by `stm_tracker calibrate`, and stand
in its checkpoint. Without them the score is answered as it is trusted, and is no probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import ConfigError

Floats = NDArray[np.float64]


LEAST = 1e-3  # a score that is nearer to 0 or 1 tells no more


class Sight(NamedTuple):
    """What is known of an answer.

    score: in [0, 1], as it is trusted. unseen: nominal frames that the target has not been seen for, 0 = it is found.
    rival: score in [0, 1] of the best candidate beside the one that is followed, less the longer ago it was seen.
    """

    score: float
    unseen: float
    rival: float

    @classmethod
    def of(cls, score: float, unseen: float, rival: float) -> Sight:
        """Of scores as they are, cut to [0, 1]."""
        return cls(min(max(score, 0.0), 1.0), unseen, min(max(rival, 0.0), 1.0))


def as_scored(sight: Sight) -> float:
    """The score as it is trusted: of trackers without a calibration."""
    return sight.score


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """bias, and a weight for what `weighed` makes of each field of `Sight`, by name. Raises ConfigError for others."""

    bias: float
    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        if set(self.weights) != set(Sight._fields):
            raise ConfigError(f"weights are of {', '.join(self.weights)}; needed are {', '.join(Sight._fields)}")
        if not np.isfinite([self.bias, *self.weights.values()]).all():
            raise ConfigError("bias and weights are not all finite; allowed are finite numbers")

    @classmethod
    def of(cls, content: Any) -> Calibration:
        """What `content` was made of. Raises ConfigError for anything else."""
        try:
            given = {str(name): float(value) for name, value in content["weights"].items()}
            return cls(bias=float(content["bias"]), weights={"rival": 0.0, **given})  # not counted at first
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise ConfigError(f"no bias and weights: {error}") from None

    @property
    def content(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"bias": self.bias, "weights": dict(self.weights)}

    def probability(self, sight: Sight) -> float:
        """That an answer of which this is known is right."""
        return float(self.of_many(np.array(sight)))

    def of_many(self, sights: Floats) -> Floats:
        """As `probability`, of ... x fields."""
        return logistic(self.bias + weighed(sights) @ np.array([self.weights[name] for name in Sight._fields]))


def weighed(sights: Floats) -> Floats:
    """Of sights, ... x fields: the logarithms of the scores' odds and of 1 + the frames unseen."""
    score, unseen, rival = np.moveaxis(sights, -1, 0)
    return np.stack([_log_odds(score), np.log1p(unseen), _log_odds(rival)], -1)


def _log_odds(score: Floats) -> Floats:
    share = np.clip(score, LEAST, 1 - LEAST)
    return np.asarray(np.log(share / (1 - share)))


def logistic(values: Floats) -> Floats:
    """1 / (1 + exp(-values)), without overflow."""
    return np.asarray((1 + np.tanh(np.asarray(values) / 2)) / 2)
