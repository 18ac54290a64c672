"""Where the target is expected in the next frame: by that of four guesses which has been off the least lately.

A thing keeps its place in the world, or in the image where the camera follows it; it stands there, or moves on as it
did. No single guess serves a boat under a drone in gusts, a car seen from a tripod and a runner whom the camera pans
after. What is not seen stays in the world unless another guess was clearly better: a camera that has followed the
target and turns away leaves it behind.
"""

from __future__ import annotations

from enum import IntEnum, auto

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SPEED_RATE, SLOWING = 0.3, 0.9  # share of a new displacement in the speeds, what is left of them a frame ahead
ERROR_RATE = 0.1  # share of a new error in the usual ones
CLEARLY = 0.7  # share of the first guess's error that another one may have to be taken for what is not seen


class Guess(IntEnum):
    """Ways in which a target may move."""

    STANDS_IN_WORLD = 0
    STANDS_IN_IMAGE = auto()
    MOVES_IN_WORLD = auto()
    MOVES_IN_IMAGE = auto()


class Motion:
    """How one target moves. Displacements are x, y in pixels of the image; frames are nominal ones."""

    def __init__(self, error: float) -> None:
        """`error` is the usual one of each guess to begin with, over the target's size."""
        self.errors = np.full(len(Guess), error)
        self.speeds = np.zeros((2, 2))  # pixels a nominal frame: in the world, in the image
        self._guesses = np.zeros((len(Guess), 2))

    @property
    def best(self) -> Guess:
        """The guess that is taken; of several that are as good the first."""
        return Guess(int(self.errors.argmin()))

    @property
    def error(self) -> float:
        """Its usual error, over the target's size."""
        return float(self.errors[self.best])

    def ahead(self, camera: tuple[float, float], unseen: float, frames: float) -> Floats:
        """Displacement of the target's place to the next frame.

        camera: what the camera's motion has done to the image; unseen: frames that the target has been away by now;
        frames: how many to move on for, 0 = none, then it is waited for at its place in the world.
        """
        if unseen:
            whole = int(frames)
            far = sum(SLOWING ** (unseen + 1 + frame) for frame in range(whole))
            far += (frames - whole) * SLOWING ** (unseen + 1 + whole)
        else:  # seen in the frame before, however long ago that is
            far = SLOWING * frames
        still = np.array([camera, (0.0, 0.0)])
        self._guesses = np.concatenate([still, still + far * self.speeds])
        best = self.best
        if unseen and (not frames or self.errors[best] >= CLEARLY * self.errors[Guess.STANDS_IN_WORLD]):
            best = Guess.STANDS_IN_WORLD
        return self._guesses[best]

    def learn(self, moved: Floats, frames: float, size: float) -> None:
        """The target has moved by so much in so many frames since the last call of `ahead`; size: its own, pixels."""
        errors = np.hypot(*(moved - self._guesses).T) / size
        self.errors += ERROR_RATE * min(frames, 1.0) * (np.minimum(errors, 1.0) - self.errors)
        self.speeds = smoothed(self.speeds, moved - self._guesses[:2], frames)


def smoothed(speed: Floats, moved: Floats, frames: float) -> Floats:
    """The speed after a displacement in so many nominal frames: of a part of one only that part is learned."""
    return speed + SPEED_RATE * (moved / max(frames, 1.0) - min(frames, 1.0) * speed)
