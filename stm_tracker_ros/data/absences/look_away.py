"""A camera that follows the target, looks away, and comes back or not."""

from __future__ import annotations

import numpy as np

from stm_tracker_ros.core.boxes import centers
from stm_tracker_ros.data.absences.camera import eased, jitter, lagging, to_picture, windows_of
from stm_tracker_ros.data.absences.footage import Footage, played
from stm_tracker_ros.data.absences.made import ABSENT_MARGIN, AbsenceSequence
from stm_tracker_ros.data.absences.plan import Conditions, Place, World
from stm_tracker_ros.data.absences.stage import FAR_SIZES, NEAR_SIZES, Timeline, Values, draw_stretch, timeline
from stm_tracker_ros.data.sequence import Sequence

PICTURE_SHARE = (0.42, 0.52)
"""Width and height of the picture over those of the recording."""
LAG_GAIN, JITTER, PLACE = (0.15, 0.5), (0.0005, 0.003), 0.12
"""Of the camera: share of the way to the target that it goes each frame; standard deviation of its jitter, and the
largest distance of the target from the middle, in widths of the picture."""
PAN_SPEED, PAN_FRAMES = (0.02, 0.06), (8, 36)
"""In widths of the picture a frame, on average."""
RECENTRE_FRAMES, AWAY_MARGIN = 45.0, 0.01


def draw_look_away(
    scene: Sequence, frame_size: Values, conditions: Conditions, rng: np.random.Generator
) -> AbsenceSequence | None:
    """One draw; None where it cannot be. What comes need not be as promised."""
    picture = np.round(rng.uniform(*PICTURE_SHARE) * frame_size)
    stretch = draw_stretch(scene, frame_size, picture, rng)
    if stretch is None:
        return None
    start = int(rng.integers(stretch[0], stretch[1] + 1))
    # How long a pan takes depends on where it goes, and that on where the target is meanwhile: all of the stretch.
    steps = world_steps(conditions, timeline(conditions, PAN_FRAMES[1], PAN_FRAMES[1]))
    extents = scene.boxes[np.unique(played(*stretch, start, steps))]
    away = draw_away(extents, frame_size, picture, rng)
    if away is None:
        return None
    times = timeline(conditions, *_pan_frames(scene.boxes[start], away, picture, conditions, rng))
    order = played(*stretch, start, world_steps(conditions, times))
    boxes = scene.boxes[order]
    windows = _windows(boxes, frame_size, picture, away, times, conditions, rng)
    return (
        None
        if windows is None
        else AbsenceSequence(
            conditions=conditions,
            footage=Footage(scene=scene, order=order),
            windows=windows,
            picture_size=(int(picture[0]), int(picture[1])),
            here=np.ones(len(order), bool),
            leaves=times.leaves,
            settled=times.settled,
        )
    )


def draw_away(boxes: Values, frame_size: Values, picture: Values, rng: np.random.Generator) -> Values | None:
    """The centre of a window from which none of the boxes (N x 4) is seen; None where the recording has no room."""
    margin = 2 * ABSENT_MARGIN * float(np.sqrt(boxes[:, 2:].prod(1).max())) + AWAY_MARGIN * picture[0]
    before, after = boxes[:, :2].min(0) - margin, (boxes[:, :2] + boxes[:, 2:]).max(0) + margin
    lowest, highest = picture / 2, frame_size - picture / 2
    sides = [(axis, lowest[axis], before[axis] - picture[axis] / 2) for axis in (0, 1)]
    sides += [(axis, after[axis] + picture[axis] / 2, highest[axis]) for axis in (0, 1)]
    roomy = [side for side in sides if side[2] >= side[1]]
    if not roomy:
        return None
    axis, low, high = roomy[int(rng.integers(len(roomy)))]
    away = rng.uniform(lowest, highest)
    away[axis] = rng.uniform(low, high)
    return np.asarray(away)


def world_steps(conditions: Conditions, times: Timeline) -> np.ndarray:
    """1 where the world goes on to its next frame, 0 where it stands: at the start, and frozen from leaving to back."""
    steps = np.ones(times.count, np.int64)
    steps[0] = 0
    if conditions.world is World.FROZEN:
        steps[times.leaves : times.settled] = 0
    return steps


def _pan_frames(
    box: Values, away: Values, picture: Values, conditions: Conditions, rng: np.random.Generator
) -> tuple[int, int]:
    distance = float(np.linalg.norm((box[:2] + box[2:] / 2 - away) / picture[0]))
    leaving, coming = (int(np.clip(distance / speed, *PAN_FRAMES)) for speed in rng.uniform(*PAN_SPEED, 2))
    return leaving * conditions.pans_away, coming * conditions.pans_back


def _windows(
    boxes: Values,
    frame_size: Values,
    picture: Values,
    away: Values,
    times: Timeline,
    conditions: Conditions,
    rng: np.random.Generator,
) -> Values | None:
    """The camera's windows; None where the target cannot come back where it should."""
    gain, shake = rng.uniform(*LAG_GAIN), jitter(rng, times.count, rng.uniform(*JITTER)) * picture[0]
    offset = rng.uniform(-PLACE, PLACE, 2) * picture
    sizes = np.tile(picture, (times.count, 1))
    target = centers(boxes)
    follow = lagging(target, gain) - offset
    away_share = np.zeros(times.count)
    away_share[times.leaves : times.away] = eased(times.away - times.leaves)
    away_share[times.away : times.comes] = 1
    if conditions.place is not Place.NOWHERE:
        before = windows_of(follow + shake, sizes, frame_size)
        left = centers(to_picture(boxes, before, picture))[times.leaves - 1] - picture / 2
        back = _place_back(left, boxes[times.leaves], picture, conditions, rng)
        if back is None:
            return None
        turning = eased(times.settled - times.comes)
        away_share[times.comes : times.settled] = 1 - turning
        zoom = np.full(times.count, conditions.zoom)
        zoom[: times.comes], zoom[times.comes : times.settled] = 1, conditions.zoom**turning
        sizes = sizes / zoom[:, None]
        fades = np.exp(
            -np.maximum(np.arange(times.count - times.comes) - (times.settled - times.comes), 0) / RECENTRE_FRAMES
        )
        places = back * fades[:, None] / zoom[times.comes :, None]
        follow[times.comes :] = lagging(target[times.comes :], gain) - places
    way = follow + away_share[:, None] * (away - follow) + shake
    return windows_of(way, sizes, frame_size)


def _place_back(
    left: Values, box: Values, picture: Values, conditions: Conditions, rng: np.random.Generator
) -> Values | None:
    """Where the target comes back, in pixels of the picture from its middle; `left`: where it was."""
    size = float(np.sqrt(box[2:].prod()))
    if conditions.place is Place.SAME:
        return left
    room = picture / 2 - conditions.zoom * box[2:] / 2 - 0.02 * picture
    if conditions.place is Place.NEAR:
        angle, distance = rng.uniform(0, 2 * np.pi), size * rng.uniform(*NEAR_SIZES)
        back = left + distance * np.array([np.cos(angle), np.sin(angle)])
    else:
        back = rng.uniform(-room, room) if (room > 0).all() else left
        if float(np.linalg.norm(back - left)) < FAR_SIZES * size:
            return None
    return back if (np.abs(back) <= room).all() else None
