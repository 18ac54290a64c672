"""How the pictures of a sample vary: light, colour, blur, resolution, and which side is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.training.config import SamplerConfig
from stm_tracker_ros.training.transforms import Picture, colour, low_resolution, motion_blur

DRIFT_OF_COLOUR, DRIFT_OF_BRIGHTNESS = 0.05, 4.0  # from crop to crop: log of gain, grey levels
POOR_GAIN, POOR_BRIGHTNESS, POOR_SHARE = 0.25, 25.0, (0.1, 0.4)  # log of gain, grey levels, share of the resolution


class Crop(Protocol):
    """A crop with its box (corners in its pixels) and the mask of what it shows."""

    picture: Picture
    box: NDArray[np.float64]
    mask: Picture


def vary(crops: Sequence[Crop], size: int, config: SamplerConfig, draw: np.random.Generator) -> None:
    """Change the crops of a sample in place, all in the same way and each a little in its own; size: their side."""
    flip = draw.random() < 0.5
    grey = draw.random() < config.grey_share
    coarse = draw.uniform(0.12, 0.5) if draw.random() < config.low_resolution_share else 1.0
    gain, shift, gamma = np.exp(draw.normal(0, 0.12, 3)), draw.normal(0, 12), np.exp(draw.normal(0, 0.2))
    if config.poor_first_share and draw.random() < config.poor_first_share:
        crops[0].picture = _seen_badly(crops[0].picture, draw)
    for crop in crops:
        gain, shift = gain * np.exp(draw.normal(0, DRIFT_OF_COLOUR, 3)), shift + draw.normal(0, DRIFT_OF_BRIGHTNESS)
        picture = crop.picture
        if coarse < 1.0:
            picture = low_resolution(picture, coarse * draw.uniform(0.9, 1.1))
        if draw.random() < config.blur_share:
            picture = motion_blur(picture, int(draw.integers(3, 16)), draw.uniform(0, np.pi))
        picture = colour(picture, gain * np.exp(draw.normal(0, 0.04, 3)), shift + draw.normal(0, 5), gamma)
        if grey:
            picture = np.repeat(picture.mean(-1, keepdims=True), 3, -1).astype(np.uint8)
        if flip:
            picture = picture[:, ::-1]
            crop.box = np.array([size - crop.box[2], crop.box[1], size - crop.box[0], crop.box[3]])
            crop.mask = np.ascontiguousarray(crop.mask[:, ::-1])
        crop.picture = np.ascontiguousarray(picture)


def _seen_badly(picture: Picture, draw: np.random.Generator) -> Picture:
    """As from far away and in other light: what comes later shows the target better."""
    picture = low_resolution(picture, draw.uniform(*POOR_SHARE))
    gain = np.exp(draw.normal(0, POOR_GAIN, 3))
    return colour(picture, gain, draw.normal(0, POOR_BRIGHTNESS), np.exp(draw.normal(0, 0.2)))
