"""What all kinds share: the recordings that allow a virtual camera, the timeline, and the promises that are checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.boxes import centers
from stm_tracker_ros.data.absences.footage import LONGEST_STRETCH
from stm_tracker_ros.data.absences.made import AbsenceSequence
from stm_tracker_ros.data.absences.plan import AFTER_FRAMES, BEFORE_FRAMES, Conditions, Place
from stm_tracker_ros.data.sequence import Sequence

Values = NDArray[np.float64]

LEAST_SIZES = 3.0
"""How many targets, by the square root of the areas, a picture spans at least before it is zoomed."""
LARGEST_SIDE, SHORTEST_STRETCH = 0.6, 40
NEAR_SIZES, FAR_SIZES = (0.5, 2.0), 2.0
SAME_SIZES = 0.35
INSIDE_PX = 1.0


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The moments at which a camera begins to leave, is away, begins to come back, is back; and how many there are."""

    leaves: int
    away: int
    comes: int
    settled: int
    count: int


def timeline(conditions: Conditions, leaving: int, coming: int) -> Timeline:
    """The timeline with so many frames of leaving and coming (0: in one frame)."""
    away = BEFORE_FRAMES + leaving
    comes = away + conditions.away_frames
    if conditions.place is Place.NOWHERE:
        return Timeline(leaves=BEFORE_FRAMES, away=away, comes=comes, settled=comes, count=comes)
    settled = comes + coming
    return Timeline(leaves=BEFORE_FRAMES, away=away, comes=comes, settled=settled, count=settled + AFTER_FRAMES)


def has_room(scene: Sequence, frame_size: Values) -> bool:
    """Whether a picture of half the recording's width and height holds the target with its surroundings for long."""
    return int(_is_usable(scene.boxes, frame_size, np.round(frame_size / 2)).sum()) >= SHORTEST_STRETCH


def draw_stretch(
    scene: Sequence, frame_size: Values, largest: Values, rng: np.random.Generator
) -> tuple[int, int] | None:
    """First and last frame of a stretch that shows the target wholly and no larger than such a picture allows.

    frame_size, largest: width and height of the recording and of the smallest picture. None where there is none.
    """
    usable = _is_usable(scene.boxes, frame_size, largest)
    start = int(rng.integers(0, len(usable)))
    if not usable[start]:
        return None
    low, high, length = start, start, int(rng.integers(SHORTEST_STRETCH, LONGEST_STRETCH + 1))
    while high + 1 < len(usable) and usable[high + 1] and high - low + 1 < length:
        high += 1
    while low > 0 and usable[low - 1] and high - low + 1 < length:
        low -= 1
    return (low, high) if high - low + 1 >= SHORTEST_STRETCH else None


def _is_usable(boxes: Values, frame_size: Values, largest: Values) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        inside = (boxes[:, :2] >= INSIDE_PX).all(1) & (boxes[:, :2] + boxes[:, 2:] <= frame_size - INSIDE_PX).all(1)
        small = np.sqrt(boxes[:, 2:].prod(1)) * LEAST_SIZES <= np.sqrt(largest.prod())
        slim = (boxes[:, 2:] <= LARGEST_SIDE * largest).all(1)
    return np.asarray(np.isfinite(boxes).all(1) & inside & small & slim)


def is_as_promised(made: AbsenceSequence) -> bool:
    """Whether what was drawn is what its conditions say: in sight, away and back, once, for long enough, and there."""
    absent, shares = np.flatnonzero(made.absent), made.shares
    if len(absent) < made.conditions.away_frames or absent[-1] - absent[0] + 1 != len(absent):
        return False
    if (shares[:BEFORE_FRAMES] < 1).any():
        return False
    if made.conditions.place is Place.NOWHERE:
        return bool(absent[-1] == len(shares) - 1)
    return bool((shares[-AFTER_FRAMES:] == 1).all()) and _place_is_kept(made)


def _place_is_kept(made: AbsenceSequence) -> bool:
    place = made.conditions.place
    if place is Place.BORDER:
        returned = made.returned
        return returned is not None and bool(made.shares[returned] < 1)
    sizes = distance_in_sizes(made)
    if place is Place.SAME:
        return sizes <= SAME_SIZES
    return NEAR_SIZES[0] <= sizes <= NEAR_SIZES[1] if place is Place.NEAR else sizes >= FAR_SIZES


def distance_in_sizes(made: AbsenceSequence) -> float:
    """How far in the picture the target comes back from where it was when it began to leave, in its sizes."""
    boxes = made.whole_boxes[[made.leaves - 1, made.settled]]
    places = centers(boxes)
    return float(np.linalg.norm(places[1] - places[0]) / np.sqrt(boxes[0, 2:].prod()))
