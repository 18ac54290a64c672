"""Where in the image the target's place in the world is by now.

From frame to frame it moves as the camera does. After a cut nobody knows, and the sum of many motions drifts: then, and
where the place has left the image, the picture in which the target was last seen well says where it is, as soon as the
camera shows that again.
"""

from __future__ import annotations

from stm_tracker_ros.core.types import Box, Frame
from stm_tracker_ros.following.camera_motion import CameraMotion


class Whereabouts:
    """For one target, seen first in `frame`, at `place`. is_known: whether the place is where it is said to be."""

    def __init__(self, frame: Frame, place: Box, *, follows_camera: bool) -> None:
        self._camera = CameraMotion(frame) if follows_camera else None
        self._kept = place
        self.is_known = True

    def moved(self, frame: Frame, surroundings: Box) -> tuple[float, float]:
        """How far the camera has moved the image since the last call, x and y in pixels; 0, 0 if unclear or cut."""
        if self._camera is None:
            return 0.0, 0.0
        motion = self._camera.to(frame, surroundings)
        self.is_known = self.is_known and motion is not None
        return motion or (0.0, 0.0)

    def keep(self, place: Box) -> None:
        """The target is in sight in the last frame, at that place."""
        self._kept, self.is_known = place, True
        if self._camera is not None:
            self._camera.keep()

    def again(self, frame: Frame, place: Box) -> Box | None:
        """The place by the kept picture, where `place` is unknown or outside the image, and that picture is back.

        frame: the one of the last `moved`.
        """
        if self._camera is None or (self.is_known and not outside(place, frame)):
            return None
        back = self._camera.since_kept(frame)
        if back is None:
            return None
        self.is_known = True
        return self._kept._replace(x=self._kept.x + back[0], y=self._kept.y + back[1])

    def is_left_behind(self, frame: Frame, place: Box) -> bool:
        """Whether the camera is known to look elsewhere: then the target is nowhere in the image."""
        return self.is_known and outside(place, frame)


def outside(place: Box, frame: Frame) -> bool:
    """Whether the middle of a place is not in the image."""
    x, y = place.center
    return not (0 <= x <= frame.width and 0 <= y <= frame.height)
