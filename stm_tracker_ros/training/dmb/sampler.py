"""Clips of three crops with masks: stills that move and bend, and videos with real motion.

Videos without masks are drawn too; there a filled box is all the truth there is. What an occluder hides is no part of
the mask, and a target that is hidden whole has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from stm_tracker_ros.training.appearance import vary
from stm_tracker_ros.training.dmb.config import ClipConfig
from stm_tracker_ros.training.loading import worker_seed
from stm_tracker_ros.training.pack import Pack, Track
from stm_tracker_ros.training.sampler import ABSENT, PRESENT, Sampler, _center, _Crop, _mean, _size
from stm_tracker_ros.training.similar import Similar, known
from stm_tracker_ros.training.transforms import (
    Affine,
    Picture,
    apply,
    box_mask,
    compose,
    feather,
    motion_affine,
    paste,
    warp,
)

CLIP = 3
MASK_SHARE = 2  # pixels of the crop that one pixel of the truth spans, a side
BEND_POINTS = 4
SIZE_SPREAD, ASPECT_SPREAD, ANGLE_SPREAD = 0.2, 0.07, np.deg2rad(10)  # of a still from crop to crop


@dataclass
class Clip:
    """Three crops of one object, in the order of time or against it.

    crops: 3 x size x size x 3 uint8 BGR; masks: 3 x size / 2 x size / 2 uint8, 255 = target, edges in between;
    boxes: 3 x 4 corners in crop pixels, of the whole object; is_mask: false where the masks are filled boxes.
    """

    crops: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    is_mask: bool


class ClipSampler(Sampler):
    """Draws clips; the same seed gives the same clips.

    videos: the folder `train_video`; what has masks there is found by the names of the pack's tracks.
    """

    def __init__(
        self, pack: Pack, videos: Path, config: ClipConfig, crop_size: int, seed: int, similar: Similar | None = None
    ) -> None:
        self.shares = config
        super().__init__(pack, config.sampler, crop_size, seed, similar)
        folders = {path.parent.name: path for path in videos.glob("*/*/mask")}
        names = [track.name.split("/")[0] for track in pack.tracks]
        self.filmed = {number: folders[name] for number, name in enumerate(names) if name in folders}
        plain = self.track_weights.copy()
        plain[list(self.filmed)] = 0.0
        self.plain_weights = plain / plain.sum() if plain.any() else self.track_weights

    def _video_shares(self) -> dict[str, float]:
        return {"clips.filmed_share": self.shares.filmed_share, "clips.boxed_share": self.shares.boxed_share}

    def clip(self) -> Clip:
        """One clip."""
        kind, shares = self.random.random(), self.shares
        is_mask = True
        if kind < shares.filmed_share and self.filmed:
            crops = self._from_filmed()
        elif kind < shares.filmed_share + shares.boxed_share:
            crops, is_mask = self._from_boxed(), False
        else:
            crops = self._from_object()
        if self.random.random() < self.config.distractor_share:
            self._add_distractor(crops)
        if self.random.random() < self.config.occluder_share:
            self._add_occluders(crops) if is_mask else self._hide_one(crops)
        vary(crops, self.size, self.config, self.random)
        masks = np.stack([_truth(crop, self.size) for crop in crops])
        boxes = np.asarray([crop.box for crop in crops], np.float32)
        return Clip(np.stack([crop.picture for crop in crops]), masks, boxes, is_mask)

    def _hide_one(self, crops: list[_Crop]) -> None:
        """Cover a boxed target whole: how much of it a smaller cover would leave is not known."""
        hidden = crops[int(self.random.integers(1, CLIP))]
        if hidden.state != PRESENT:
            return
        size = _size(hidden.box) * self.random.uniform(1.4, 2.4)
        layer, shape = self._laid(self._cut_out(self._pick(self.masked)), _center(hidden.box), size)
        shape = np.maximum(shape, box_mask(hidden.box, self.size, margin=4.0))
        hidden.picture, hidden.state = paste(hidden.picture, layer, feather(shape)), ABSENT

    def _ordered(self, track: Track) -> NDArray[np.int64]:
        """Three frames of a track within a window."""
        span = self.random.choice(self.config.spans)
        start = self.random.integers(len(track.images))
        near = np.flatnonzero(np.abs(track.numbers - track.numbers[start]) <= span)
        picks = np.sort(self.random.choice(near, CLIP, replace=len(near) < CLIP))
        return picks[::-1] if self.random.random() < 0.5 else picks

    def _from_filmed(self) -> list[_Crop]:
        number = int(self.random.choice(list(self.filmed)))
        track, folder = self.pack.tracks[number], self.filmed[number]
        crops: list[_Crop] = []
        fill: tuple[float, ...] | None = None
        for index in self._ordered(track):
            picture = self.pack.image(int(track.images[index]))
            fill = fill or _mean(picture)
            path = folder / f"{int(track.numbers[index]) + 1:06d}.png"
            mask = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)
            box = _corners(track, int(index))
            place = self._place(box)
            placed = apply(place, box.reshape(2, 2).astype(np.float32)).ravel()
            crops.append(_Crop(warp(picture, place, self.size, fill), placed, warp(mask, place, self.size, (0.0,))))
        return self._with_alike(crops, track=number)

    def _from_boxed(self) -> list[_Crop]:
        """Of a video without masks; a crop after the first may look elsewhere."""
        number = int(self.random.choice(len(self.pack.tracks), p=self.plain_weights))
        track = self.pack.tracks[number]
        crops: list[_Crop] = []
        fill: tuple[float, ...] | None = None
        for index in self._ordered(track):
            picture, box = self.pack.image(int(track.images[index])), _corners(track, int(index))
            fill = fill or _mean(picture)
            may_miss = bool(crops) and self.random.random() < self.config.elsewhere_share
            away = self._elsewhere(picture, box) if may_miss else None
            crops.append(away or self._cut(picture, box, fill))
        return self._with_alike(crops, track=number)

    def _from_object(self) -> list[_Crop]:
        """Of a still with a mask, moved, bent, and often pasted on other pictures."""
        number = int(self.masked_numbers[self.random.integers(len(self.masked_numbers))])
        still = self.pack.stills[number]
        picture, mask = self.pack.image(still.image), self.pack.mask(still.mask)
        pasted = self.random.random() < self.config.paste_share
        background = self.pack.image(self._pick(self.pack.stills).image) if pasted else None
        fill = _mean(picture)
        middle = (still.hull.min(0) + still.hull.max(0)) / 2
        crops = []
        for _ in range(CLIP):
            motion = self._motion(middle)
            moved = apply(motion, still.hull)
            whole = compose(self._place(np.concatenate([moved.min(0), moved.max(0)])), motion)
            hull = apply(whole, still.hull)
            crop, shape = warp(picture, whole, self.size, fill), warp(mask, whole, self.size, (0.0,))
            if self.random.random() < self.shares.bend_share:
                crop, shape = self._bend(crop, shape, float(np.ptp(hull, 0).mean()))
            if background is not None:
                crop = paste(self._backdrop(background), crop, feather(shape))
            crops.append(_Crop(crop, np.concatenate([hull.min(0), hull.max(0)]), shape))
        return self._with_alike(crops, still=number)

    def _motion(self, middle: NDArray[np.float32]) -> Affine:
        draw = self.random
        size, aspect = np.exp(draw.normal(0, SIZE_SPREAD)), np.exp(draw.normal(0, ASPECT_SPREAD))
        angle = draw.normal(0, ANGLE_SPREAD)
        return motion_affine(float(middle[0]), float(middle[1]), size * aspect, size / aspect, angle)

    def _bend(self, crop: Picture, shape: Picture, size: float) -> tuple[Picture, Picture]:
        """Move every pixel by a smooth field of up to some percents of the object's size."""
        strength = size * self.shares.bend * self.random.uniform(0.3, 1.0)
        coarse = self.random.normal(0, strength, (BEND_POINTS, BEND_POINTS, 2)).astype(np.float32)
        field = np.asarray(cv2.resize(coarse, (self.size, self.size), interpolation=cv2.INTER_CUBIC))
        rows, columns = np.mgrid[: self.size, : self.size].astype(np.float32)
        across, down = columns + field[..., 0], rows + field[..., 1]
        bent = cv2.remap(crop, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        moved = cv2.remap(shape, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(bent, np.uint8), np.asarray(moved, np.uint8)


class Clips(IterableDataset[Any]):
    """Endless clips for a loader, drawn in its worker processes: crops, masks, boxes, is_mask as tensors."""

    def __init__(self, pack: Path, videos: Path, config: ClipConfig, crop_size: int, seed: int) -> None:
        self.pack, self.videos, self.config, self.crop_size, self.seed = pack, videos, config, crop_size, seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        seed, alike = worker_seed(self.seed), known(self.pack, self.config.sampler)
        sampler = ClipSampler(Pack(self.pack), self.videos, self.config, self.crop_size, seed, alike)
        while True:
            clip = sampler.clip()
            arrays = (torch.from_numpy(array) for array in (clip.crops, clip.masks, clip.boxes))
            yield (*arrays, torch.tensor(clip.is_mask))


def _corners(track: Track, index: int) -> NDArray[np.float64]:
    x, y, width, height = track.boxes[index].astype(np.float64)
    return np.array([x, y, x + width, y + height])


def _truth(crop: _Crop, size: int) -> Picture:
    small = size // MASK_SHARE
    if crop.state == ABSENT:
        return np.zeros((small, small), np.uint8)
    return np.asarray(cv2.resize(crop.mask, (small, small), interpolation=cv2.INTER_AREA), np.uint8)
