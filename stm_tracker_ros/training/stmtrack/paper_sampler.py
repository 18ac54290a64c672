"""Training samples of STMTrack as its authors draw them: some memory frames and a query of one object.

| authors' code | here | why |
|---|---|---|
| sources weighed as their data sets | settings, see `config.SourceWeights` | other data is at hand |
| both sequences of a negative pair from one data set | from one source | likewise |
| area filter that never fires (its test is a tuple) | off, a setting | small targets are wanted here |
| crops sampled half a pixel and more off, scaled by 289 / (n + 1) | exact | the tracker's crops are exact |
| bilinear samples, however small the crop gets | averaged first below half size | aliasing |

No other augmentation than size and place of the crop, drawn anew for each frame: no flip, colour or blur.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.training.pack import Pack, Still, Track
from stm_tracker_ros.training.stmtrack.config import PaperSamplerConfig, SourceWeights
from stm_tracker_ros.training.transforms import Affine, Picture, apply, crop_affine, warp

SMALLEST_AREA, LARGEST_AREA = 0.001, 0.6  # of the image, for `filter_area`
MOST_TRIES = 1000
Floats = NDArray[np.float64]


@dataclass
class Sample:
    """The memory frames, then the query.

    crops: F x size x size x 3 uint8 BGR; boxes: F x 4 corners in crop pixels (edges); negative: the query shows
    another object than the memory.
    """

    crops: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    negative: bool


@dataclass
class Shot:
    """One frame to be cut: blob number of its picture and its object's corners x0, y0, x1, y1 in pixels."""

    image: int
    box: Floats


class PaperSampler:
    """Draws samples from a pack; seed and number say which, so that any of them can be drawn again."""

    def __init__(self, pack: Pack, config: PaperSamplerConfig, crop_size: int, seed: int) -> None:
        self.pack, self.config, self.size, self.seed = pack, config, crop_size, seed
        self.sources = _sources(pack)
        self.shares = _shares(self.sources, config.weights, 2 if config.negative_share else 1)

    def sample(self, number: int) -> Sample:
        """The sample of that number. Raises DataError if the pack holds next to nothing that may be used."""
        draw = np.random.default_rng((self.seed, number))
        negative = bool(draw.random() < self.config.negative_share)
        for _ in range(MOST_TRIES):
            shots = self._shots(draw, negative)
            pictures = [self.pack.image(shot.image) for shot in shots]
            if all(self.usable(shot.box, picture) for shot, picture in zip(shots, pictures, strict=True)):
                cuts = [self._cut(draw, shot.box, picture) for shot, picture in zip(shots, pictures, strict=True)]
                crops, boxes = zip(*cuts, strict=True)
                return Sample(np.stack(crops), np.asarray(boxes, np.float32), negative)
        raise DataError(f"{MOST_TRIES} draws in a row hit boxes that are too long, too small or too large")

    def usable(self, box: Floats, picture: Picture) -> bool:
        """Whether this box may be trained on."""
        width, height = box[2:] - box[:2]
        share = width * height / (picture.shape[0] * picture.shape[1])
        if self.config.filter_area and not SMALLEST_AREA < share < LARGEST_AREA:
            return False
        return bool(max(width / height, height / width) < self.config.longest)

    def _shots(self, draw: np.random.Generator, negative: bool) -> list[Shot]:
        """Memory frames and query; for a negative the query shows another object of the same source."""
        objects = self.sources[draw.choice(list(self.shares), p=list(self.shares.values()))]
        first = int(draw.integers(len(objects)))
        shots = self._of_object(draw, objects[first])
        if negative:
            other = (first + int(draw.integers(1, len(objects)))) % len(objects)
            shots[-1] = self._of_object(draw, objects[other])[-1]
        return shots

    def _of_object(self, draw: np.random.Generator, item: Still | Track) -> list[Shot]:
        count = self.config.memory_frames + 1
        if isinstance(item, Still):
            return [Shot(item.image, _extent(item))] * count
        picks = pick_frames(draw, item.numbers, self.config.window, count)
        x, y, width, height = item.boxes[picks].astype(np.float64).T
        boxes = np.stack([x, y, x + width, y + height], 1)
        return [Shot(int(item.images[pick]), box) for pick, box in zip(picks, boxes, strict=True)]

    def _cut(self, draw: np.random.Generator, box: Floats, picture: Picture) -> tuple[Picture, Floats]:
        """Crop of the picture and the box in it."""
        affine = self.place(draw, box, picture.shape[1], picture.shape[0])
        blue, green, red = picture.reshape(-1, 3).mean(0)
        crop = warp(picture, affine, self.size, (float(blue), float(green), float(red)))
        return crop, apply(affine, box.reshape(2, 2).astype(np.float32)).ravel()

    def place(self, draw: np.random.Generator, box: Floats, width: int, height: int) -> Affine:
        """Picture -> crop: resized and shifted at random, then moved so that it shows no more outside than it must."""
        config = self.config
        target = float(np.sqrt(np.prod(box[2:] - box[:2])))
        side = ceil(target * config.search_scale * draw.uniform(1 / (1 + config.resize), 1 + config.resize))
        center = (box[:2] + box[2:]) / 2 + draw.uniform(-config.shift, config.shift, 2) * side
        room = np.array([width, height], np.float64) - side
        corner = np.clip(center - side / 2, np.minimum(room, 0), np.maximum(room, 0))
        x, y = corner + side / 2
        return crop_affine(float(x), float(y), side, self.size)


def pick_frames(draw: np.random.Generator, numbers: NDArray[np.int64], window: int, count: int) -> NDArray[np.int64]:
    """Indexes of `count` frames at most `window` from one random frame, in random order.

    numbers: the frames' numbers in their video. Frames repeat only where there are fewer of them.
    """
    middle = draw.integers(len(numbers))
    near = np.flatnonzero(np.abs(numbers - numbers[middle]) <= window)
    return draw.choice(near, count, replace=len(near) < count)


def _extent(still: Still) -> Floats:
    """Edges of a still's object; the hull of a mask runs through the centres of its pixels."""
    margin = 0.5 if still.mask >= 0 else 0.0
    return np.concatenate([still.hull.min(0) - margin, still.hull.max(0) + margin]).astype(np.float64)


def _sources(pack: Pack) -> dict[str, list[Still] | list[Track]]:
    """The pack's objects by source; videos hold one annotated `target`, clips numbered objects."""
    annotated = [track.name.endswith("/target") for track in pack.tracks]
    return {
        "videos": [track for track, is_target in zip(pack.tracks, annotated, strict=True) if is_target],
        "clips": [track for track, is_target in zip(pack.tracks, annotated, strict=True) if not is_target],
        "masked": [still for still in pack.stills if still.mask >= 0],
        "boxed": [still for still in pack.stills if still.mask < 0],
    }


def _shares(sources: dict[str, list[Still] | list[Track]], weights: SourceWeights, fewest: int) -> dict[str, float]:
    """Probability of each source. Raises DataError for one that is wanted and has fewer objects than `fewest`."""
    given = {field.name: float(getattr(weights, field.name)) for field in fields(weights)}
    for name, weight in given.items():
        if weight and len(sources[name]) < fewest:
            raise DataError(
                f"source {name!r} has {len(sources[name])} object(s); needed are {fewest}: "
                f"set sampler.weights.{name}=0 to train without it"
            )
    total = sum(given.values())
    return {name: weight / total for name, weight in given.items()}
