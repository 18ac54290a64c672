"""The target painted out by what is behind it, as other frames of the recording show it, and shown again."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.data.absences.camera import Values, grown
from stm_tracker_ros.data.absences.footage import Footage, Pictures, played, read_stretch
from stm_tracker_ros.data.absences.look_away import world_steps
from stm_tracker_ros.data.absences.made import AbsenceSequence
from stm_tracker_ros.data.absences.plan import Conditions
from stm_tracker_ros.data.absences.registration import Matrix, Registration, Surroundings, points_in
from stm_tracker_ros.data.absences.stage import draw_stretch, timeline
from stm_tracker_ros.data.sequence import Sequence

PAINTABLE = (
    "DTB70/Gull2",
    "OTB2015/Crossing",
    "OTB2015/Skiing",
    "UAV123_10fps/car16_1",
    "UAV123_10fps/truck4_1",
    "UAV123_10fps/truck4_2",
    "UAVDT/S1001",
    "VOT/vot14_car",
)
"""Where the camera stands, or frames can be laid upon each other, and the target, without a shadow beside it, moves."""
MARGINS_SIZES = (0.25, 0.6, 3.0)
"""About the target's box, in its sizes: what is painted, where it is compared, what is registered."""
PLAYED_FRAMES = 40
LEAST_WITNESSES, MOST_WITNESSES, STRIDE, FURTHEST = 3, 5, 4, 80
"""Other frames that show what is behind; how many frames they are apart, and how far away at most."""
MOST_DIFFERENCE, MOST_SPREAD = 11.0, 9.0
"""Grey levels: how far a registered frame may be from the picture around the hole; how far such frames may be from
each other inside it."""


@dataclass(frozen=True, kw_only=True)
class Painter:
    """Shows the painted pictures in the moments in which the target is not here; `prepare` paints them."""

    scene: Sequence
    order: NDArray[np.int64]
    here: NDArray[np.bool_]
    done: dict[int, Pixels] = field(default_factory=dict, compare=False)

    def __call__(self, moment: int, kept: Pictures) -> Pixels:
        """The picture of that moment."""
        index = int(self.order[moment])
        return kept[index] if self.here[moment] else self.done[index]

    def prepare(self, kept: Pictures) -> bool:
        """Paint every frame that has to be; whether all could be: the background is known, and nothing moves in it."""
        camera = Registration(kept, self.scene.boxes)
        wanted = np.unique(self.order[~self.here]).tolist()
        # The ends first: where anything fails, it fails there.
        for index in [*wanted[:1], *wanted[:0:-1]]:
            painted = without_target(self.scene, index, kept, camera)
            if painted is None:
                return False
            self.done[index] = painted
        return True


def draw_painted(
    scene: Sequence, frame_size: Values, conditions: Conditions, rng: np.random.Generator
) -> AbsenceSequence | None:
    """One draw; None where it cannot be. Its frames are still to be painted: `paint`."""
    stretch = draw_stretch(scene, frame_size, np.round(frame_size / 2), rng)
    if stretch is None:
        return None
    times = timeline(conditions, 0, 0)
    low = int(rng.integers(stretch[0], stretch[1] - PLAYED_FRAMES + 2))
    start = int(rng.integers(low, low + PLAYED_FRAMES))
    order = played(low, low + PLAYED_FRAMES - 1, start, world_steps(conditions, times))
    here = np.ones(times.count, bool)
    here[times.away : times.comes] = False
    painter = Painter(scene=scene, order=order, here=here)
    return AbsenceSequence(
        conditions=conditions,
        footage=Footage(scene=scene, order=order, edit=painter, reads=stretch),
        windows=np.tile([0.0, 0.0, *frame_size], (times.count, 1)),
        picture_size=(int(frame_size[0]), int(frame_size[1])),
        here=here,
        leaves=times.leaves,
        settled=times.settled,
    )


def paint(made: AbsenceSequence) -> bool:
    """Paint the frames of what `draw_painted` drew; whether they could be."""
    footage = made.footage
    assert isinstance(footage.edit, Painter), "made by draw_painted"
    assert footage.reads is not None, "made by draw_painted"
    return footage.edit.prepare(read_stretch(footage.scene, *footage.reads))


def without_target(scene: Sequence, index: int, kept: Pictures, camera: Registration) -> Pixels | None:
    """The picture without its target; None where too few other frames show what is behind, or they contradict."""
    picture, box = kept[index], scene.boxes[index]
    hole, ring, wide = (_pixels(grown(box[None], margin)[0], picture) for margin in MARGINS_SIZES)
    grey = _grey(picture)[_rows(wide)]
    mask = np.full(grey.shape, 255, np.uint8)
    mask[_rows(hole, wide)] = 0
    compared = np.zeros(grey.shape, bool)
    compared[_rows(ring, wide)], compared[_rows(hole, wide)] = True, False
    points = points_in(grey, mask)
    if points is None:
        return None
    surroundings = Surroundings(origin=(int(wide[0]), int(wide[1])), grey=grey, points=points)
    witnesses: list[NDArray[np.float32]] = []
    for other in _in_turn(index, kept):
        matrix = camera.between(index, other)
        if matrix is None or not _shows(matrix, hole, kept[other], scene.boxes[other]):
            continue
        matrix = surroundings.refined(matrix, _grey(kept[other]))
        if matrix is None or not _shows(matrix, hole, kept[other], scene.boxes[other]):
            continue
        seen = surroundings.seen_by(kept[other], matrix).astype(np.float32)
        difference = picture[_rows(wide)][compared] - seen[compared]
        offset = difference.mean(0)
        if float(np.abs(difference - offset).mean()) <= MOST_DIFFERENCE:
            witnesses.append(seen[_rows(ring, wide)] + offset)
        if len(witnesses) == MOST_WITNESSES:
            break
    return _filled(picture, hole, ring, witnesses)


def _in_turn(index: int, kept: Pictures) -> list[int]:
    """Other frames, the nearest first, a few frames apart."""
    others = [other for other in kept if other % STRIDE == index % STRIDE and 0 < abs(other - index) <= FURTHEST]
    return sorted(others, key=lambda other: abs(other - index))


def _shows(matrix: Matrix, hole: NDArray[np.int64], other: Pixels, other_box: Values) -> bool:
    """Whether what is behind the hole lies in the other picture, and its target elsewhere."""
    left, top, right, bottom = hole.astype(np.float64)
    corners = np.array([[left, top, 1], [right, top, 1], [left, bottom, 1], [right, bottom, 1]]) @ matrix.T
    corners = corners[:, :2] / corners[:, 2:]
    low, high = corners.min(0), corners.max(0)
    if (low < 0).any() or (high > np.array([other.shape[1], other.shape[0]]) - 1).any():
        return False
    x, y, width, height = grown(other_box[None], MARGINS_SIZES[0])[0]
    return bool((high <= (x, y)).any() or (low >= (x + width, y + height)).any())


def _grey(picture: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def _filled(
    picture: Pixels, hole: NDArray[np.int64], ring: NDArray[np.int64], witnesses: list[NDArray[np.float32]]
) -> Pixels | None:
    if len(witnesses) < LEAST_WITNESSES:
        return None
    stack = np.stack(witnesses)
    median = np.median(stack, axis=0)
    inner = _rows(hole, ring)
    if float(np.median(np.abs(stack - median), axis=0)[inner].mean()) > MOST_SPREAD:
        return None
    alpha = np.zeros(median.shape[:2], np.float32)
    alpha[inner] = 1
    alpha = np.asarray(cv2.blur(cv2.dilate(alpha, np.ones((5, 5), np.uint8)), (5, 5)), np.float32)[..., None]
    result = picture.copy()
    mixed = picture[_rows(ring)] * (1 - alpha) + median * alpha
    result[_rows(ring)] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return result


def _pixels(box: Values, picture: Pixels) -> NDArray[np.int64]:
    """Left, top, right and bottom of the pixels that the box touches."""
    size = np.array([picture.shape[1], picture.shape[0]])
    low = np.clip(np.floor(box[:2]), 0, size)
    return np.concatenate([low, np.clip(np.ceil(box[:2] + box[2:]), low, size)]).astype(np.int64)


def _rows(pixels: NDArray[np.int64], within: NDArray[np.int64] | None = None) -> tuple[slice, slice]:
    """Rows and columns of these pixels; `within`: of the part of the picture that these are."""
    left, top, right, bottom = (int(edge) for edge in (pixels if within is None else pixels - np.tile(within[:2], 2)))
    return slice(top, bottom), slice(left, right)
