"""Training samples: five crops of one object in the order of time, as a tracker would have cut them.

Half of them come from stills that are made to move (affine motion, cut-outs pasted on other pictures), half from
videos with real motion. Cut-outs of other objects are laid beside the target as distractors and over it as
occluders; what is hidden is labelled so. If asked for: the target's double in other colours or another object that
looks like it as distractor or occluder, posts before it, a surface that turns, a first frame that is seen badly, and
crops about another object of the same video, as of a tracker that has taken it for its target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.training.appearance import vary
from stm_tracker_ros.training.config import SamplerConfig
from stm_tracker_ros.training.pack import Frames, Pack, Still, Track
from stm_tracker_ros.training.similar import Similar
from stm_tracker_ros.training.sources import refuse_missing
from stm_tracker_ros.training.transforms import (
    Affine,
    Picture,
    apply,
    box_mask,
    colour,
    compose,
    crop_affine,
    ellipse_mask,
    feather,
    motion_affine,
    other_box,
    paste,
    turned,
    warp,
)

PRESENT, ABSENT, IGNORE = 1, 0, -1
FRAMES = 5
WALK = (0.14, 0.05, np.deg2rad(7))  # of a still from crop to crop: log of size, log of aspect, angle
TURN = np.deg2rad(25)  # of a round still from crop to crop
PACE = (0.5, 2.5)  # of a sample, times the walk
ABSENT_BELOW, PRESENT_FROM = 0.12, 0.4  # visible share of the target
LOOKALIKE_COLOUR, LOOKALIKE_ASPECT = 0.25, 0.12  # how the target's double differs: log of each gain, log of width
POST_WIDTH, POST_LEAN = (0.15, 0.7), np.deg2rad(4)  # over the target's width; usual angle to the vertical


@dataclass
class Sample:
    """Crops of one object; the first one always shows it.

    crops: 5 x size x size x 3 uint8 BGR; boxes: 5 x 4 corners in crop pixels; states: PRESENT, ABSENT or IGNORE.
    """

    crops: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    states: NDArray[np.int64]


@dataclass
class _Crop:
    picture: Picture
    box: NDArray[np.float64]
    mask: Picture
    state: int = PRESENT
    outlined: bool = True  # false where the mask is a filled box
    alike: Sequence[int] = ()  # numbers of the masked stills that look like the object


@dataclass
class _CutOut:
    """An object to be laid into crops: its picture, its mask, and the corners of its box in them."""

    picture: Picture
    mask: Picture
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class Sampler:
    """Draws samples from a pack; the same seed gives the same samples.

    similar: which objects look alike; needed where the configuration asks for them.
    """

    def __init__(
        self, pack: Pack, config: SamplerConfig, crop_size: int, seed: int, similar: Similar | None = None
    ) -> None:
        self.pack, self.config, self.size, self.similar = pack, config, crop_size, similar
        if config.similar_share and similar is None:
            raise DataError(f"sampler.similar_share is {config.similar_share:g}; which objects look alike is not known")
        self.random = np.random.default_rng(seed)
        self._meant = np.eye(4)
        self.masked_numbers = np.flatnonzero([still.mask >= 0 for still in pack.stills])
        self.masked = [pack.stills[number] for number in self.masked_numbers]
        refuse_missing(pack, config, self._video_shares())
        weights = np.array([min(len(t.images), 400) for t in pack.tracks], np.float64) ** 0.5
        self.track_weights = weights / weights.sum()
        videos = [track.name.split("/")[0] for track in pack.tracks]
        self.siblings = [
            [other for i, other in enumerate(pack.tracks) if videos[i] == video and other is not track]
            for track, video in zip(pack.tracks, videos, strict=True)
        ]

    def sample(self) -> Sample:
        """One sample."""
        crops = self._crops()
        boxes = np.asarray([c.box for c in crops], np.float32)
        states = np.asarray([c.state for c in crops], np.int64)
        return Sample(np.stack([c.picture for c in crops]), boxes, states)

    @property
    def is_of_other_boxes(self) -> bool:
        """Whether the boxes of the last sample are not the object's own."""
        return not np.array_equal(self._meant, np.eye(4))

    def _video_shares(self) -> dict[str, float]:
        """The settings that ask for videos."""
        return {"sampler.video_share": self.config.video_share}

    def _crops(self) -> list[_Crop]:
        """The crops of one sample, all that is done to them done."""
        video = self.random.random() < self.config.video_share
        self._meant = self._meaning()
        crops = self._from_track() if video else self._from_still()
        if self.random.random() < self.config.distractor_share:
            self._add_distractor(crops)
        if self.random.random() < self.config.occluder_share:
            self._add_occluders(crops)
        vary(crops, self.size, self.config, self.random)
        return crops

    def _meaning(self) -> NDArray[np.float64]:
        """4 x 4, what the corners of a sample's boxes are multiplied with: all are larger alike, or of another part."""
        share = self.config.other_box_share
        if not share or self.random.random() >= share:  # unasked-for, seeds draw what they always drew
            return np.eye(4)
        return other_box(self.random)

    def _place(self, box: NDArray[np.float64]) -> Affine:
        """Crop about a guess of the box `x0, y0, x1, y1`, off in place and scale as a tracker's last answer is."""
        draw, config = self.random, self.config
        width, height = np.maximum(box[2:] - box[:2], 2.0)
        side = config.search_scale * np.sqrt(width * height) * np.exp(draw.uniform(-1, 1) * config.scale_jitter)
        wide = draw.random() < config.wide_shift_share
        reach = config.wide_shift if wide else config.shift
        shift = draw.uniform(-reach, reach, 2) * side
        center = (box[:2] + box[2:]) / 2 + shift
        return crop_affine(center[0], center[1], side, self.size)

    def _from_track(self) -> list[_Crop]:
        chosen = self.random.choice(len(self.pack.tracks), p=self.track_weights)
        track = self.pack.tracks[chosen]
        picks = self._pick_frames(track)
        fill: tuple[float, ...] | None = None
        crops: list[_Crop] = []
        for frames, index in self._with_doubtful(track, picks):
            picture = self.pack.image(int(frames.images[index]))
            fill = fill or _mean(picture)
            x, y, width, height = frames.boxes[index].astype(np.float64)
            corners = self._meant @ [x, y, x + width, y + height]
            if frames is track.doubtful:
                crops.append(self._cut(picture, corners, fill))
                crops[-1].state = IGNORE
                continue
            kind, away = self.random.random() if crops else 1.0, None
            if kind < self.config.elsewhere_share:
                away = self._elsewhere(picture, corners)
            elif kind < self.config.elsewhere_share + self.config.sibling_share:
                away = self._at_sibling(picture, corners, int(track.numbers[index]), self.siblings[chosen])
            crops.append(away or self._cut(picture, corners, fill))
        return self._with_alike(crops, track=int(chosen))

    def _pick_frames(self, track: Track) -> NDArray[np.int64]:
        span = self.random.choice(self.config.spans)
        middle = self.random.integers(len(track.images))
        near = np.flatnonzero(np.abs(track.numbers - track.numbers[middle]) <= span)
        picks = np.sort(self.random.choice(near, FRAMES, replace=len(near) < FRAMES))
        return picks[::-1] if self.random.random() < 0.5 else picks

    def _with_doubtful(self, track: Track, picks: NDArray[np.int64]) -> list[tuple[Frames, int]]:
        """The picks of a track; if asked for and drawn, with one or two doubtful frames in place of later ones."""
        chosen: list[tuple[Frames, int]] = [(track, int(pick)) for pick in picks]
        share = self.config.doubtful_share  # unasked-for, seeds draw what they always drew
        low, high = sorted((track.numbers[picks[0]], track.numbers[picks[-1]]))
        between = (track.doubtful.numbers > low) & (track.doubtful.numbers < high)
        if not share or not between.any() or self.random.random() >= share:
            return chosen
        places = self.random.choice(np.arange(1, FRAMES), 2, replace=False)
        for place, index in zip(places, self.random.choice(np.flatnonzero(between), 2), strict=True):
            chosen[place] = (track.doubtful, int(index))
        backward = track.numbers[picks[0]] > track.numbers[picks[-1]]
        return sorted(chosen, key=lambda one: int(one[0].numbers[one[1]]), reverse=bool(backward))

    def _cut(self, picture: Picture, box: NDArray[np.float64], fill: tuple[float, ...]) -> _Crop:
        affine = self._place(box)
        placed = apply(affine, box.reshape(2, 2).astype(np.float32)).ravel()
        crop = warp(picture, affine, self.size, fill)
        return _Crop(crop, placed, box_mask(placed, self.size), outlined=False)

    def _elsewhere(self, picture: Picture, box: NDArray[np.float64]) -> _Crop | None:
        """A crop of the same frame that does not show the target, if there is room for one."""
        height, width = picture.shape[:2]
        target = np.maximum(box[2:] - box[:2], 2.0)
        side = self.config.search_scale * np.sqrt(target.prod())
        center = self.random.uniform([0, 0], [width, height])
        if (np.abs(center - (box[:2] + box[2:]) / 2) < (side + target) / 2).all():
            return None
        crop = warp(picture, crop_affine(center[0], center[1], side, self.size), self.size, _mean(picture))
        nowhere = np.array([-9.0, -9.0, -1.0, -1.0])
        return _Crop(crop, nowhere, np.zeros((self.size, self.size), np.uint8), ABSENT)

    def _at_sibling(
        self, picture: Picture, box: NDArray[np.float64], number: int, siblings: list[Track]
    ) -> _Crop | None:
        """A crop of the same frame about another object, as large as one about the target; None if there is none."""
        shown = [other.boxes[other.numbers == number] for other in siblings]
        boxes = np.concatenate([*shown, np.empty((0, 4), np.float32)]).astype(np.float64)
        if not len(boxes):
            return None
        x, y, width, height = boxes[self.random.integers(len(boxes))]
        middle, half = np.array([x + width / 2, y + height / 2]), (box[2:] - box[:2]) / 2
        affine = self._place(np.concatenate([middle - half, middle + half]))
        placed = apply(affine, box.reshape(2, 2).astype(np.float32)).ravel()
        seen = np.clip(placed, 0, self.size)
        share = float((seen[2:] - seen[:2]).prod() / max((placed[2:] - placed[:2]).prod(), 1.0))
        crop = warp(picture, affine, self.size, _mean(picture))
        return _Crop(crop, placed, box_mask(placed, self.size), _state(share), outlined=False)

    def _from_still(self) -> list[_Crop]:
        pasted = self.random.random() < self.config.paste_share
        numbers = self.masked_numbers if pasted else np.arange(len(self.pack.stills))
        number = numbers[self.random.integers(len(numbers))]
        still = self.pack.stills[number]
        picture, fill = self.pack.image(still.image), None
        mask = self.pack.mask(still.mask) if still.mask >= 0 else None
        background = self.pack.image(self._pick(self.pack.stills).image) if pasted else None
        low, high = still.hull.min(0), still.hull.max(0)
        crops = []
        angles = self._angles() if mask is not None else np.zeros(FRAMES)
        for motion, angle in zip(self._motions((low + high) / 2, upright=still.mask < 0), angles, strict=True):
            moved = apply(motion, still.hull)
            place = self._place(self._meant @ np.concatenate([moved.min(0), moved.max(0)]))
            whole = compose(place, motion)
            box = apply(whole, still.hull)
            fill = fill or _mean(picture)
            surface = turned(picture, mask, angle) if mask is not None and angle else picture
            crop = warp(surface, whole, self.size, fill)
            shape = _polygon_mask(box, self.size) if mask is None else warp(mask, whole, self.size, (0.0,))
            if background is not None:
                crop = paste(self._backdrop(background), crop, feather(shape))
            corners = self._meant @ np.concatenate([box.min(0), box.max(0)])
            crops.append(_Crop(crop, corners, shape, outlined=mask is not None))
        return self._with_alike(crops, still=int(number))

    def _with_alike(self, crops: list[_Crop], *, track: int = -1, still: int = -1) -> list[_Crop]:
        """The crops, of a track or a still of that number, with what looks like their object."""
        if self.similar:
            row = self.similar.tracks[track] if track >= 0 else self.similar.stills[still]
            crops[0].alike = [int(number) for number in row if number >= 0]
        return crops

    def _pick(self, stills: list[Still]) -> Still:
        return stills[self.random.integers(len(stills))]

    def _motions(self, center: NDArray[np.float32], upright: bool) -> Iterator[Affine]:
        """A random walk: the later the crop, the less it looks like the first."""
        walk = self.random.uniform(*PACE) * np.asarray(WALK)
        size, aspect, angle = np.cumsum(self.random.normal(0, walk, (FRAMES, 3)), 0).T
        for wider, higher, turn in zip(np.exp(size + aspect), np.exp(size - aspect), angle, strict=True):
            yield motion_affine(float(center[0]), float(center[1]), wider, higher, 0.0 if upright else turn)

    def _angles(self) -> NDArray[np.float64]:
        """How far the surface of a still has turned in each crop; zeros unless it is asked for and drawn."""
        share = self.config.turn_share
        turns = share > 0 and self.random.random() < share  # unasked-for, seeds draw what they always drew
        return np.cumsum(self.random.normal(0, TURN, FRAMES)) if turns else np.zeros(FRAMES)

    def _backdrop(self, picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        side = min(height, width) * self.random.uniform(0.5, 1.0)
        center = self.random.uniform([0.3 * width, 0.3 * height], [0.7 * width, 0.7 * height])
        return warp(picture, crop_affine(center[0], center[1], side, self.size), self.size, None)

    def _add_distractor(self, crops: list[_Crop]) -> None:
        other = self._other_object(crops[0])
        angle, relative = self.random.uniform(0, 2 * np.pi), self.random.uniform(0.7, 1.4)
        for crop in crops:
            if crop.state == ABSENT:
                continue
            angle += self.random.normal(0, 0.5)
            size = _size(crop.box)
            reach = self.random.uniform(0.9, 1.6) * size
            center = _center(crop.box) + reach * np.array([np.cos(angle), np.sin(angle)])
            layer, shape = self._laid(other, center, size * relative)
            behind = feather(np.where(crop.mask > 127, 0, shape).astype(np.uint8))
            crop.picture = paste(crop.picture, layer, behind)

    def _add_occluders(self, crops: list[_Crop]) -> None:
        posts = self.random.random() < self.config.post_share
        cover = self._posts() if posts else partial(self._covering, self._other_object(crops[0]))
        for crop in crops[1:]:
            if crop.state == ABSENT or self.random.random() > self.config.occluded_frame_share:
                continue
            layer, shape = cover(crop)
            crop.picture = paste(crop.picture, layer, feather(shape))
            area = int(np.count_nonzero(crop.mask > 127))
            seen = int(np.count_nonzero((crop.mask > 127) & (shape < 128))) / max(area, 1)
            crop.state = crop.state if seen >= PRESENT_FROM else _state(seen)
            crop.mask = np.where(shape > 127, 0, crop.mask).astype(np.uint8)

    def _other_object(self, first: _Crop) -> _CutOut:
        if first.alike and self.random.random() < self.config.similar_share:
            return self._cut_out(self.masked[self.random.choice(first.alike)])
        double = self.random.random() < self.config.lookalike_share
        return self._double(first) if double else self._cut_out(self._pick(self.masked))

    def _double(self, first: _Crop) -> _CutOut:
        """The target as the first crop shows it, in other colours, wider or narrower, perhaps mirrored."""
        gain = np.exp(self.random.normal(0, LOOKALIKE_COLOUR, 3))
        picture = colour(first.picture, gain, self.random.normal(0, 10), np.exp(self.random.normal(0, 0.2)))
        mask, box = first.mask if first.outlined else ellipse_mask(first.box, self.size), first.box
        if self.random.random() < 0.5:
            picture, mask = np.ascontiguousarray(picture[:, ::-1]), np.ascontiguousarray(mask[:, ::-1])
            box = np.array([self.size - box[2], box[1], self.size - box[0], box[3]])
        wider = np.exp(self.random.normal(0, LOOKALIKE_ASPECT))
        stretch = np.array([[wider, 0.0, 0.0], [0.0, 1.0, 0.0]])
        picture, mask = warp(picture, stretch, self.size, None), warp(mask, stretch, self.size, (0.0,))
        return _CutOut(picture, mask, box[:2] * (wider, 1.0), box[2:] * (wider, 1.0))

    def _cut_out(self, still: Still) -> _CutOut:
        low, high = still.hull.min(0).astype(np.float64), still.hull.max(0).astype(np.float64)
        return _CutOut(self.pack.image(still.image), self.pack.mask(still.mask), low, high)

    def _covering(self, other: _CutOut, crop: _Crop) -> tuple[Picture, Picture]:
        """An object over a part of the target, or over all of it, and its mask."""
        full = self.random.random() < self.config.full_cover_share
        offset = self.random.uniform(-0.15, 0.15, 2) if full else self.random.uniform(-0.8, 0.8, 2)
        relative = self.random.uniform(1.4, 2.4) if full else self.random.uniform(0.6, 1.3)
        size = _size(crop.box)
        layer, shape = self._laid(other, _center(crop.box) + offset * size, size * relative)
        return layer, self._cover(shape, crop) if full else shape

    def _posts(self) -> Callable[[_Crop], tuple[Picture, Picture]]:
        """Makes posts of one surface before targets, each with its mask."""
        surface = self._backdrop(self.pack.image(self._pick(self.pack.stills).image))
        return lambda crop: (surface, self._post(crop))

    def _post(self, crop: _Crop) -> Picture:
        """Mask of a post before the target, from the upper edge to the lower one."""
        width = float(crop.box[2] - crop.box[0])
        x = _center(crop.box)[0] + self.random.uniform(-0.6, 0.6) * width
        thick = max(self.random.uniform(*POST_WIDTH) * width, 3.0) / 2
        lean = np.tan(self.random.normal(0, POST_LEAN)) * self.size / 2
        top, bottom = [(x - thick - lean, 0), (x + thick - lean, 0)], [(x + thick + lean, 1), (x - thick + lean, 1)]
        shape = np.zeros((self.size, self.size), np.uint8)
        corners = (np.asarray(top + bottom) * (1, self.size)).round().astype(np.int32)
        cv2.fillConvexPoly(shape, corners, 255)
        return shape

    def _cover(self, shape: Picture, crop: _Crop) -> Picture:
        """Half of the full covers hide the whole box, whatever the shape of the cut-out."""
        if self.random.random() < 0.5:
            return np.maximum(shape, box_mask(crop.box, self.size, margin=4.0))
        return shape

    def _laid(self, other: _CutOut, center: NDArray[np.float64], size: float) -> tuple[Picture, Picture]:
        """The object, `size` large (square root of its box) at `center` of a crop, and its mask."""
        scale = size / np.sqrt(np.prod(np.maximum(other.high - other.low, 1.0)))
        middle = (other.low + other.high) / 2
        affine = np.array([[scale, 0.0, center[0] - scale * middle[0]], [0.0, scale, center[1] - scale * middle[1]]])
        return warp(other.picture, affine, self.size, None), warp(other.mask, affine, self.size, (0.0,))


def _state(seen: float) -> int:
    """The state of a target of which a share is seen."""
    return PRESENT if seen >= PRESENT_FROM else ABSENT if seen < ABSENT_BELOW else IGNORE


def _mean(picture: Picture) -> tuple[float, ...]:
    return tuple(float(v) for v in picture[::4, ::4].reshape(-1, 3).mean(0))


def _center(box: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((box[:2] + box[2:]) / 2)


def _size(box: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.prod(np.maximum(box[2:] - box[:2], 1.0))))


def _polygon_mask(points: NDArray[np.float64], size: int) -> Picture:
    return box_mask(np.concatenate([points.min(0), points.max(0)]), size)
