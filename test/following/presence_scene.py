"""A presence that is shown candidates frame by frame."""

from __future__ import annotations

import numpy as np

from stm_tracker_ros.core.types import Box
from stm_tracker_ros.following.config import PresenceConfig
from stm_tracker_ros.following.presence import Presence

START = Box(100.0, 100.0, 40.0, 80.0)
FAR = Box(300.0, 100.0, 40.0, 80.0)
CONFIG = PresenceConfig()


class Scene:
    """A presence and frames with some candidates each: the allowed one with the best score wins.

    The target stands still for long enough that its place can be relied on.
    """

    def __init__(self, config: PresenceConfig = CONFIG, still: int = 40) -> None:
        self.presence, self.number = Presence(config, START, 1), 1
        self.show((START, 0.6), frames=still)

    def show(self, *candidates: tuple[Box, float], frames: int = 1) -> float:
        """The score after so many more frames with these candidates in each."""
        score = 1.0
        for _ in range(frames):
            score = self.step(*candidates)
        return score

    def step(
        self,
        *candidates: tuple[Box, float],
        elapsed: int = 1,
        camera: tuple[float, float] = (0.0, 0.0),
        learns: bool = True,
        **where: bool,
    ) -> float:
        self.number += elapsed
        background = Box(-999.0, -999.0, 1.0, 1.0), 0.0
        boxes = np.array([tuple(box) for box, _ in (*candidates, background)], float)
        scores = np.array([score for _, score in (*candidates, background)], float)
        self.presence.expect(self.number, camera)
        gate = self.presence.gate(boxes, scores, **where)
        if not gate.allowed.any():
            return self.presence.missed(boxes, scores, gate, learns=learns)
        cell = int(np.where(gate.allowed, scores, -1).argmax())
        return self.presence.followed(boxes, scores, gate, cell, Box(*boxes[cell]))

    @property
    def box(self) -> Box:
        return self.presence.place


def moved(x: float) -> Box:
    return START._replace(x=START.x + x)
