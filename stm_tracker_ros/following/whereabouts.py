"""Where in the image the target's place in the world is by now.

From frame to frame it moves as the camera does. After a cut nobody knows, and the sum of many motions drifts: then, and
where the place has left the image, the picture in which the target was last seen well says where it is, as soon as the
camera shows that again.
"""

from __future__ import annotations

import numpy as np

from stm_tracker_ros.core.boxes import from_center
from stm_tracker_ros.core.types import Box, Frame
from stm_tracker_ros.following.camera_motion import CameraMotion

FOLLOWS_FRAMES = 300  # after which what the camera left behind may be in its picture again


class Whereabouts:
    """For one target, seen first in `frame`, at `place`. is_known: whether the place is where it is said to be."""

    def __init__(self, frame: Frame, place: Box, *, follows_camera: bool) -> None:
        self._camera = CameraMotion(frame) if follows_camera else None
        self._kept = place
        self._carried = np.zeros(2)  # by the camera, since the picture that is kept
        self.is_known = True

    def moved(self, frame: Frame, surroundings: Box) -> tuple[float, float]:
        """How far the camera has moved the image since the last call, x and y in pixels; 0, 0 if unclear or cut."""
        if self._camera is None:
            return 0.0, 0.0
        motion = self._camera.to(frame, surroundings)
        self.is_known = self.is_known and motion is not None
        self._carried += motion or (0.0, 0.0)
        return motion or (0.0, 0.0)

    def found(self) -> None:
        """The target is where it is said to be in the last frame."""
        self.is_known = True

    def keep(self, place: Box) -> None:
        """The target is well in sight in the last frame, at that place: the picture to know it by."""
        self._kept, self._carried, self.is_known = place, np.zeros(2), True
        if self._camera is not None:
            self._camera.keep()

    def again(self, frame: Frame, place: Box) -> Box | None:
        """The place by the kept picture, where `place` is unknown or outside the image, and that picture is back.

        frame: the one of the last `moved`.
        """
        if self._camera is None or (self.is_known and not outside(place, frame)):
            return None
        width, height = 2 * self._kept.width, 2 * self._kept.height
        back = self._camera.since_kept(frame, from_center(*self._kept.center, width, height))
        if back is None:
            return None
        self._carried, self.is_known = np.array(back), True
        return self._kept._replace(x=self._kept.x + back[0], y=self._kept.y + back[1])

    def is_left_behind(self, frame: Frame, place: Box, unseen: float) -> bool:
        """Whether the camera has turned away from the place: then the target is nowhere in the image.

        Not so of one that has left by itself: it may come back anywhere. unseen: nominal frames without it; what was
        left behind for long may have followed.
        """
        without = place._replace(x=place.x - self._carried[0], y=place.y - self._carried[1])
        known = self.is_known and unseen <= FOLLOWS_FRAMES
        return known and outside(place, frame) and not outside(without, frame)


def outside(place: Box, frame: Frame) -> bool:
    """Whether the middle of a place is not in the image."""
    x, y = place.center
    return not (0 <= x <= frame.width and 0 <= y <= frame.height)


def is_whole(place: Box, frame: Frame) -> bool:
    """Whether all of a place is in the image for certain: as far from its border as half its own sides."""
    x, y = place.center
    return place.width <= x <= frame.width - place.width and place.height <= y <= frame.height - place.height
