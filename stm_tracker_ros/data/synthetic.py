"""Synthetic occlusions: real scenes in which a cut-out of another object covers the target fully, then uncovers it.

A stretch of a validation sequence is played (to and fro where it is short); a cut-out of the object of another
sequence comes from outside the picture, slides over the target in 8 frames, goes along with it for 15 to 45 fully
covered frames, and leaves on the far side. The truth of every frame is known: box, and how much of it is covered. The
scenes are never trained on; the cut-outs are of objects that trackers are trained to follow, which makes them tempting.
Everything is drawn from the seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Frame, Pixels
from stm_tracker_ros.data.absences.footage import read_stretch
from stm_tracker_ros.data.readers import stamp_of
from stm_tracker_ros.data.sequence import Sequence, read_sequences

OCCLUSION_SEEDS = tuple(range(10))
"""Chosen before any tuning; one scene each."""

SCENES = (
    "TinyTLP/Drone1",
    "TLD/pedestrian3",
    "DAVIS2017-train/schoolgirls_7",
    "TinyTLP/CarChase2",
    "VOT-TIR/horse",
    "DAVIS2016-train/scooter-gray",
    "TLD/pedestrian2",
    "DAVIS2017-train/schoolgirls_1",
    "DAVIS2016-train/tennis",
    "DAVIS2017-train/schoolgirls_5",
)
# Objects whose masks hold a large box: others would have to be blown up beyond the picture to cover a target.
OCCLUDERS = (
    "DAVIS2016-train/bear",
    "DAVIS2016-train/boat",
    "DAVIS2016-train/car-turn",
    "DAVIS2016-train/dance-jump",
    "DAVIS2016-train/elephant",
    "DAVIS2016-train/hike",
    "DAVIS2016-train/lucia",
    "DAVIS2016-train/mallard-water",
    "DAVIS2016-train/rhino",
    "DAVIS2016-train/train",
)

BEFORE_FRAMES, AFTER_FRAMES, SLIDE_FRAMES = 40, 40, 8
FULL_FRAMES = (15, 45)
COVER_MARGIN, FEATHER_PX = 1.08, 6.0
OPAQUE, ALL_COVERED, NONE_COVERED = 0.98, 0.999, 0.01
MAX_RETURN_DISTANCE = 1.0
MAX_OCCLUDER_WIDTH = 0.9
DRAWS = 400


class Cover(IntEnum):
    """How much of the target's box the occluder covers."""

    FREE = 0
    PARTLY = 1
    FULL = 2


@dataclass(frozen=True, kw_only=True)
class OcclusionSequence:
    """A synthetic occlusion.

    scene, occluder: the names of the sequences that the two come from.
    images: height x width x 3 uint8 BGR each.
    boxes: frames x 4 float64, the target's true box, also while it is covered.
    cover: frames of `Cover`; the frames of FULL follow each other.
    """

    seed: int
    scene: str
    occluder: str
    images: tuple[Pixels, ...]
    boxes: NDArray[np.float64]
    cover: NDArray[np.int64]

    @property
    def name(self) -> str:
        """ "source/sequence" in the manner of the sequences on disk."""
        return name_of(self.seed)

    @property
    def full(self) -> range:
        """The fully covered frames."""
        covered = np.flatnonzero(self.cover == Cover.FULL)
        return range(int(covered[0]), int(covered[-1]) + 1)

    def frames(self) -> Iterator[Frame]:
        """The images as a stream at the nominal rate."""
        return (Frame(image=image, stamp_ns=stamp_of(index)) for index, image in enumerate(self.images))


@dataclass(frozen=True, kw_only=True)
class _CutOut:
    """An object cut out of its picture: premultiplied BGR and alpha, float32, and the widest box inside it.

    anchor: centre of that box in pixels of the cut-out.
    """

    color: NDArray[np.float32]
    alpha: NDArray[np.float32]
    anchor: NDArray[np.float64]


def name_of(seed: int) -> str:
    """The name of the synthetic occlusion of that seed."""
    return f"occlusion/{seed:03d}"


def frame_count(data_root: Path | str, seed: int) -> int:
    """How many frames the synthetic occlusion of a seed has; quick, for it is not made. Raises DataError as below.

    0 where its scene cannot be read: making it says why.
    """
    scene = _known(Path(data_root))[_scene(seed)]
    return len(_choose_stretch(scene, _random(seed))[0]) if isinstance(scene, Sequence) else 0


def occlusion_sequences(data_root: Path | str, seeds: Iterable[int] = OCCLUSION_SEEDS) -> Iterator[OcclusionSequence]:
    """The synthetic occlusion of every seed, from `data_root`/train_video.

    Raises DataError if that is not at hand, or a sequence that is needed cannot be read: it is not replaced by another
    one, so that the occlusions of other seeds stay what they are.
    """
    known = _known(Path(data_root))
    for seed in seeds:
        yield _make(known, seed)


@lru_cache(maxsize=1)
def _known(data_root: Path) -> dict[str, Sequence | str]:
    """The sequences that occlusions are made of, by name; of one that cannot be read, why."""
    failed: dict[str, str] = {}
    return {s.name: s for s in read_sequences(data_root / "train_video", {*SCENES, *OCCLUDERS}, failed)} | failed


def _readable(known: dict[str, Sequence | str], name: str) -> Sequence:
    found = known[name]
    if isinstance(found, str):
        raise DataError(found)
    return found


def _scene(seed: int) -> str:
    return SCENES[seed % len(SCENES)]


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng([2026, seed])


def _make(known: dict[str, Sequence | str], seed: int) -> OcclusionSequence:
    rng, scene = _random(seed), _readable(known, _scene(seed))
    order, full_frames = _choose_stretch(scene, rng)
    images, boxes = _pictures(scene, order), scene.boxes[order]
    for _ in range(DRAWS):
        occluder = _readable(known, str(rng.choice([name for name in OCCLUDERS if name != scene.name])))
        cut_out = _cut(occluder, _box_to_cover(boxes, full_frames), rng)
        if cut_out.alpha.shape[1] > MAX_OCCLUDER_WIDTH * images[0].shape[1]:
            continue
        covered = _paste(images, boxes, cut_out, _offsets(boxes, cut_out, full_frames, rng))
        result = OcclusionSequence(
            seed=seed, scene=scene.name, occluder=occluder.name, images=covered[0], boxes=boxes, cover=covered[1]
        )
        if _is_as_promised(result):
            return result
    raise DataError(f"seed {seed} made no occlusion in {DRAWS} draws; allowed is another one")


def _choose_stretch(scene: Sequence, rng: np.random.Generator) -> tuple[NDArray[np.int64], int]:
    """Indices of the scene's frames in the order of play, and how many of them are covered.

    Drawn until the target is in view throughout and comes back near where it vanished.
    """
    to_and_fro = np.concatenate([np.arange(len(scene.boxes)), np.arange(len(scene.boxes) - 2, 0, -1)])
    for _ in range(DRAWS):
        full_frames = int(rng.integers(FULL_FRAMES[0] + 1, FULL_FRAMES[1] - 2))
        count = BEFORE_FRAMES + 2 * SLIDE_FRAMES + full_frames + AFTER_FRAMES
        order = to_and_fro[(int(rng.integers(0, len(scene.boxes))) + np.arange(count)) % len(to_and_fro)]
        if _is_followable(scene.boxes[order], full_frames):
            return order, full_frames
    raise DataError(f"{scene.name} has no stretch of frames with the target in view throughout")


def _is_followable(boxes: NDArray[np.float64], full_frames: int) -> bool:
    if not np.isfinite(boxes).all():
        return False
    # The first and last covered frame depend on the shape of the cut-out: all that they may be are checked.
    begin, end = BEFORE_FRAMES + SLIDE_FRAMES, BEFORE_FRAMES + SLIDE_FRAMES + full_frames
    centers = boxes[:, :2] + boxes[:, 2:] / 2
    distances = np.linalg.norm(centers[begin - 3 : begin + 1, None] - centers[end - 1 : end + 3], axis=-1)
    return bool(distances.max() <= MAX_RETURN_DISTANCE * float(np.sqrt(boxes[begin, 2:].prod())))


def _pictures(scene: Sequence, order: NDArray[np.int64]) -> list[Pixels]:
    stretch = read_stretch(scene, int(order.min()), int(order.max()))
    return [stretch[index] for index in order.tolist()]


def _box_to_cover(boxes: NDArray[np.float64], full_frames: int) -> NDArray[np.float64]:
    """Width and height that hold every box of the covered frames, with a margin and room for the feathered edge."""
    first = BEFORE_FRAMES + SLIDE_FRAMES - 2
    size: NDArray[np.float64] = boxes[first : first + full_frames + 4, 2:].max(0) * COVER_MARGIN + FEATHER_PX
    return size


def _cut(occluder: Sequence, size: NDArray[np.float64], rng: np.random.Generator) -> _CutOut:
    """A picture of the occluder, scaled until a box of that size fits inside its mask."""
    index = int(rng.integers(0, len(occluder.boxes)))
    picture = read_stretch(occluder, index, index)[index]
    whole = _largest_part(occluder.mask(index))
    x, y, width, height = cv2.boundingRect(whole)
    mask = whole[y : y + height, x : x + width]
    scale = 1.0 / _widest_place(mask, size)[0]
    new_size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    color = cv2.resize(picture[y : y + height, x : x + width], new_size, interpolation=method)
    # A border of nothing gives the feathered edge room; eroded first, it does not show the old background.
    hard = cv2.copyMakeBorder(cv2.resize(mask, new_size, interpolation=method), 4, 4, 4, 4, cv2.BORDER_CONSTANT)
    eroded = np.asarray(cv2.erode(((hard > 127) * 255).astype(np.uint8), np.ones((3, 3), np.uint8)), np.uint8)
    alpha = np.asarray(cv2.GaussianBlur(eroded, (0, 0), 1.0), np.float32) / np.float32(255)
    bordered = np.asarray(cv2.copyMakeBorder(color, 4, 4, 4, 4, cv2.BORDER_REPLICATE), np.float32)
    return _CutOut(color=bordered * alpha[..., None], alpha=alpha, anchor=_widest_place(eroded, size)[1])


def _largest_part(mask: Pixels) -> Pixels:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    part: Pixels = ((labels == largest) * 255).astype(np.uint8)
    return part


def _widest_place(mask: Pixels, size: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """How many times a box of that size fits into the mask, and the centre where it does."""
    # Stretched so that the box is a square, the chessboard distance to the edge is the half side that fits.
    stretch = float(size[1] / size[0])
    width = max(1, round(mask.shape[1] * stretch))
    square = cv2.resize(mask, (width, mask.shape[0]), interpolation=cv2.INTER_NEAREST)
    distance = cv2.distanceTransform(cv2.copyMakeBorder(square, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_C, 3)
    row, column = np.unravel_index(int(distance.argmax()), distance.shape)
    fits = max(2 * float(distance.max()) - 1, 1e-6) / float(size[1])
    return fits, np.array([(column - 0.5) * mask.shape[1] / width, row - 0.5])


def _offsets(
    boxes: NDArray[np.float64], cut_out: _CutOut, full_frames: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Where the cut-out's anchor is, frame by frame, seen from the target's centre: frames x 2 in pixels."""
    angle, heading = rng.uniform(-0.5, 0.5), rng.choice([-1.0, 1.0])
    steps = np.arange(len(boxes), dtype=np.float64)
    begin, end = BEFORE_FRAMES + SLIDE_FRAMES, BEFORE_FRAMES + SLIDE_FRAMES + full_frames
    slide_frames = np.minimum(steps - begin, 0) + np.maximum(steps - end + 1, 0)
    # The anchor need not be the middle of the cut-out: the longer arm decides when the two part.
    width = cut_out.alpha.shape[1]
    reach_px = float(boxes[:, 2].max()) / 2 + max(float(cut_out.anchor[0]), width - float(cut_out.anchor[0]))
    direction = heading * np.array([1.0, np.tan(angle)])
    offsets: NDArray[np.float64] = slide_frames[:, None] * (reach_px / SLIDE_FRAMES) * direction
    return offsets


def _paste(
    images: list[Pixels], boxes: NDArray[np.float64], cut_out: _CutOut, offsets: NDArray[np.float64]
) -> tuple[tuple[Pixels, ...], NDArray[np.int64]]:
    height, width = images[0].shape[:2]
    is_grey = bool((np.ptp(images[0].astype(np.int16), axis=2) <= 8).all())
    color = cut_out.color if not is_grey else np.repeat(cut_out.color.mean(2, keepdims=True), 3, axis=2)
    results, cover = [], []
    for image, box, offset in zip(images, boxes, offsets, strict=True):
        shift = box[:2] + box[2:] / 2 + offset - cut_out.anchor
        matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
        alpha = cv2.warpAffine(cut_out.alpha, matrix, (width, height))
        moved = cv2.warpAffine(color, matrix, (width, height))
        mixed = image * (1 - alpha[..., None]) + moved
        results.append(np.clip(np.rint(mixed), 0, 255).astype(np.uint8))
        cover.append(_measured_cover(np.asarray(alpha), box))
    return tuple(results), np.array(cover)


def _measured_cover(alpha: NDArray[np.floating], box: NDArray[np.float64]) -> Cover:
    low, high = np.floor(box[:2]).astype(int).clip(0), np.ceil(box[:2] + box[2:]).astype(int)
    inside = alpha[low[1] : high[1], low[0] : high[0]]
    if float((inside >= OPAQUE).mean()) >= ALL_COVERED:
        return Cover.FULL
    return Cover.FREE if float(inside.mean()) <= NONE_COVERED else Cover.PARTLY


def _is_as_promised(result: OcclusionSequence) -> bool:
    covered = np.flatnonzero(result.cover == Cover.FULL)
    if not FULL_FRAMES[0] <= len(covered) <= FULL_FRAMES[1] or covered[-1] - covered[0] + 1 != len(covered):
        return False
    free = result.cover == Cover.FREE
    return bool(free[: BEFORE_FRAMES - 10].all() and free[-(AFTER_FRAMES - 10) :].all())
