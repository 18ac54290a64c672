"""Which masked stills look like an object of the pack: hard negatives to be laid beside it and over it.

An object is described by the mean of a backbone's map within its outline, each channel in deviations from its mean
over the masked stills; what has the highest cosine looks alike. The table lies beside the pack that it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.parts.backbones.mobilenet_v2 import ImageInput
from stm_tracker_ros.parts.backbones.pyramid import Pyramid
from stm_tracker_ros.training.config import SamplerConfig
from stm_tracker_ros.training.pack import Pack, Still, Track
from stm_tracker_ros.training.pack import build as build_pack
from stm_tracker_ros.training.transforms import Picture, apply, crop_affine, ellipse_mask, warp

TABLE_NAME = "similar.npz"
KEPT = 24  # look-alikes of an object
SAME = 0.95  # from this cosine on it is the same object in another picture
SIZE, STRIDE = 128, 16  # side of the described crop, of a cell of its description: pixels
CONTEXT = 1.15  # side of the described crop over the object's longer side
BATCH = 64
Floats = NDArray[np.float32]
Colours = Callable[[Tensor], Tensor]
"""Crops B x 3 x SIZE x SIZE, BGR in 0..255 -> what a backbone is shown; None: those of ImageNet."""


class Similar(NamedTuple):
    """Numbers of the masked stills that look like each object, the most alike first: stills x N, tracks x N.

    They count the pack's stills that have a mask, in their order; -1 where there are fewer than N.
    """

    stills: NDArray[np.int64]
    tracks: NDArray[np.int64]


def load(folder: Path) -> Similar:
    """The table of a pack. Raises DataError if it has none."""
    path = folder / TABLE_NAME
    if not path.exists():
        raise DataError(f"{path} is missing; training.similar.build writes it")
    table = np.load(path, allow_pickle=False)
    return Similar(table["stills"], table["tracks"])


def known(folder: Path, config: SamplerConfig) -> Similar | None:
    """The table of a pack where samples are asked for that need it. Raises DataError if it is not there then."""
    return load(folder) if config.similar_share else None


def packed(
    data: Path,
    folder: Path,
    config: SamplerConfig,
    backbone: Pyramid,
    device: torch.device,
    colours: Colours | None = None,
) -> None:
    """The pack of a training in `folder`, and its table where samples are asked for that need it; see `build`.

    Takes minutes: to be called after all that may be refused.
    """
    pack = build_pack(data, folder)
    if config.similar_share:
        build(pack, folder, backbone, device, colours)


def build(pack: Pack, folder: Path, backbone: Pyramid, device: torch.device, colours: Colours | None = None) -> Similar:
    """Write the table of `pack` into `folder` unless it is there; a copy of `backbone` says what looks alike."""
    files = OutputFolder(folder)
    if not (folder / TABLE_NAME).exists() or files.is_unfinished(TABLE_NAME):
        masked = np.flatnonzero([still.mask >= 0 for still in pack.stills])
        described = _described(pack, deepcopy(backbone).to(device), device, colours or ImageInput(SIZE).to(device))
        stills, tracks = np.split(_alike(described, masked), [len(pack.stills)])
        with files.new(TABLE_NAME) as file:
            np.savez(file, stills=stills, tracks=tracks)
    return load(folder)


@torch.inference_mode()
def _described(pack: Pack, backbone: Pyramid, device: torch.device, colours: Colours) -> Floats:
    """Objects x channels: stills first, then tracks."""
    rows = []
    shown = chain((_still(pack, s) for s in pack.stills), (_track(pack, t) for t in pack.tracks))
    with tqdm(total=len(pack.stills) + len(pack.tracks), desc="look-alikes") as bar:
        while some := list(islice(shown, BATCH)):
            crops, outlines = (torch.from_numpy(np.stack(part)).to(device) for part in zip(*some, strict=True))
            features = functional.adaptive_avg_pool2d(backbone(colours(crops.permute(0, 3, 1, 2)))[-1], SIZE // STRIDE)
            weight = outlines[:, None]
            rows.append(((features * weight).sum((2, 3)) / weight.sum((2, 3))).cpu().numpy())
            bar.update(len(some))
    return np.concatenate(rows)


def _still(pack: Pack, still: Still) -> tuple[Picture, Floats]:
    low, high = still.hull.min(0), still.hull.max(0)
    return _crop(pack.image(still.image), low, high, pack.mask(still.mask) if still.mask >= 0 else None)


def _track(pack: Pack, track: Track) -> tuple[Picture, Floats]:
    """The object in the middle one of its frames."""
    middle = len(track.images) // 2
    low = track.boxes[middle, :2]
    return _crop(pack.image(int(track.images[middle])), low, low + track.boxes[middle, 2:], None)


def _crop(picture: Picture, low: Floats, high: Floats, mask: Picture | None) -> tuple[Picture, Floats]:
    """Crop SIZE x SIZE x 3 of an object, and how much of each cell its outline fills; a box counts as an ellipse."""
    center, side = (low + high) / 2, CONTEXT * float(max((high - low).max(), 1.0))
    affine = crop_affine(float(center[0]), float(center[1]), side, SIZE)
    placed = apply(affine, np.stack([low, high])).ravel()
    outline = ellipse_mask(placed, SIZE) if mask is None else warp(mask, affine, SIZE, (0.0,))
    cells = cv2.resize(outline, (SIZE // STRIDE, SIZE // STRIDE), interpolation=cv2.INTER_AREA)
    weights: Floats = np.asarray(cells, np.float32) / np.float32(255) + np.float32(1e-3)
    return warp(picture, affine, SIZE, None), weights


def _alike(described: Floats, masked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Objects x channels, numbers of those that are masked stills -> objects x KEPT, as in `Similar`."""
    known = described[masked]
    unit = (described - known.mean(0)) / (known.std(0) + 1e-6)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-6)
    rows = np.full((len(unit), KEPT), -1, np.int64)
    for row, direction in zip(rows, unit, strict=True):
        cosines = unit[masked] @ direction
        order = (-cosines).argsort()
        chosen = order[cosines[order] < SAME][:KEPT]
        row[: len(chosen)] = chosen
    return rows
