"""A camera that stops following: the target leaves over the border of the picture, and comes back over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.boxes import centers
from stm_tracker_ros.data.absences.camera import Values, eased, grown, jitter, lagging, shares, to_picture, windows_of
from stm_tracker_ros.data.absences.footage import Footage, played
from stm_tracker_ros.data.absences.look_away import JITTER, LAG_GAIN, PICTURE_SHARE
from stm_tracker_ros.data.absences.made import ABSENT_MARGIN, AbsenceSequence
from stm_tracker_ros.data.absences.plan import AFTER_FRAMES, BEFORE_FRAMES, Conditions, World
from stm_tracker_ros.data.absences.stage import draw_stretch
from stm_tracker_ros.data.sequence import Sequence

MOST_EXIT_FRAMES, LEAST_EXIT_FRAMES, BEYOND_FRAMES = 60, 4, 3
PLACE = 0.38
"""Largest distance of the followed target from the middle, in widths and heights of the picture."""
WAITS_FRAMES, TAKES_UP_FRAMES = 8, 30
"""After the return: the camera stands on, then takes up following within so many."""


def draw_border(
    scene: Sequence, frame_size: Values, conditions: Conditions, rng: np.random.Generator
) -> AbsenceSequence | None:
    """One draw; None where it cannot be. What comes need not be as promised."""
    picture = np.round(rng.uniform(*PICTURE_SHARE) * frame_size)
    stretch = draw_stretch(scene, frame_size, picture, rng)
    if stretch is None:
        return None
    low, high = stretch
    turn, heading = int(rng.integers(low, high + 1)), int(rng.choice([-1, 1]))
    before = _towards(low, high, turn, heading, BEFORE_FRAMES)
    gain, offset = rng.uniform(*LAG_GAIN), rng.uniform(-PLACE, PLACE, 2) * picture
    corner = windows_of(lagging(centers(scene.boxes[before]), gain) - offset, picture, frame_size)[-1]
    outward = _outward(scene.boxes, corner, picture, range(turn, high + 1 if heading > 0 else low - 1, heading))
    if outward is None:
        return None
    order, away = _order(before, *outward, (low, high), conditions)
    return _filmed(scene, order, away, corner, offset, gain, frame_size, conditions, rng)


def _towards(low: int, high: int, turn: int, heading: int, count: int) -> NDArray[np.int64]:
    """`count` frames of play that end at `turn`, going in the direction `heading`."""
    mirrored = played(-high, -low, -turn, _all_but_first(count)) if heading > 0 else None
    return -mirrored[::-1] if mirrored is not None else played(low, high, turn, _all_but_first(count))[::-1]


def _all_but_first(count: int) -> NDArray[np.int64]:
    steps = np.ones(count, np.int64)
    steps[0] = 0
    return steps


def _outward(
    boxes: Values, window: Values, picture: Values, path: range
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """The frames in which the target walks out of a window that stands, and those in which it is out; None if not."""
    ahead = np.array(path)
    in_picture = to_picture(boxes[ahead], np.tile(window, (len(ahead), 1)), picture)
    out = shares(grown(in_picture, 2 * ABSENT_MARGIN), picture) == 0
    first = int(np.argmax(out))
    if not out.any() or not LEAST_EXIT_FRAMES <= first <= MOST_EXIT_FRAMES:
        return None
    stays = first + (int(np.argmin(out[first:])) if not out[first:].all() else len(out) - first)
    return (ahead[1:first], ahead[first:stays]) if stays - first >= BEYOND_FRAMES else None


def _order(
    before: NDArray[np.int64],
    exits: NDArray[np.int64],
    beyond: NDArray[np.int64],
    stretch: tuple[int, int],
    conditions: Conditions,
) -> tuple[NDArray[np.int64], slice]:
    """Frames in the order of play: out, away, back the same way; and the moments away."""
    count = conditions.away_frames
    if conditions.world is World.FROZEN:
        away = beyond[np.minimum(np.arange(count), BEYOND_FRAMES - 1)]
        away[-BEYOND_FRAMES:] = beyond[:BEYOND_FRAMES][::-1]
    else:
        # To and fro beyond the border, in the middle of the time the furthest from it.
        away = beyond[np.minimum(np.minimum(np.arange(count), np.arange(count)[::-1]), len(beyond) - 1)]
    after_count = len(exits) + AFTER_FRAMES + MOST_EXIT_FRAMES
    low, high = stretch
    heading = int(np.sign(beyond[1] - beyond[0]))
    last = int(exits[-1])
    after = _towards(low, high, last, heading, after_count)[::-1]
    start = len(before) + len(exits)
    return np.concatenate([before, exits, away, after]), slice(start, start + count)


def _filmed(
    scene: Sequence,
    order: NDArray[np.int64],
    away: slice,
    corner: Values,
    offset: Values,
    gain: float,
    frame_size: Values,
    conditions: Conditions,
    rng: np.random.Generator,
) -> AbsenceSequence | None:
    boxes, picture = scene.boxes[order], corner[2:]
    stands = corner[:2] + picture / 2
    stood = windows_of(np.tile(stands, (len(order), 1)), picture, frame_size)
    whole = np.flatnonzero(shares(to_picture(boxes, stood, picture), picture)[away.stop :] == 1)
    if not whole.size:
        return None
    settled = away.stop + int(whole[0])
    count = settled + AFTER_FRAMES
    if count > len(order):
        return None
    follows = np.zeros(count)
    follows[:BEFORE_FRAMES] = 1
    resumes = settled + WAITS_FRAMES
    follows[resumes : resumes + TAKES_UP_FRAMES] = eased(TAKES_UP_FRAMES)
    follows[resumes + TAKES_UP_FRAMES :] = 1
    way = lagging(centers(boxes[:count]), gain) - offset
    way[settled:] = lagging(centers(boxes[settled:count]), gain) - offset
    shake = jitter(rng, count, rng.uniform(*JITTER)) * picture[0]
    points = stands + follows[:, None] * (way - stands) + shake
    return AbsenceSequence(
        conditions=conditions,
        footage=Footage(scene=scene, order=order[:count]),
        windows=windows_of(points, picture, frame_size),
        picture_size=(int(picture[0]), int(picture[1])),
        here=np.ones(count, bool),
        leaves=BEFORE_FRAMES,
        settled=settled,
    )
