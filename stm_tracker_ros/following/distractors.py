"""Other objects that look like the target, followed from frame to frame so that they are not taken for it.

What scores somewhat beside the well-seen target is another object. It is known by where it was and how it moved; as
long as it goes on from there it is not the target, even where it is the best that is left in the picture. After
KeepTrack (Mayer et al., ICCV 2021), without its network: place alone tells which is which.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.boxes import centers, iou
from stm_tracker_ros.following.candidates import SAME_OBJECT, distinct
from stm_tracker_ros.following.motion import smoothed

Floats = NDArray[np.float64]

KEPT_FRAMES = 15  # remembered for so long without being seen


@dataclass
class Distractor:
    """One such object. box: x, y, width, height in image pixels; number: its frame; speed: in the
    world, pixels a nominal frame."""

    box: Floats
    number: float
    speed: Floats = field(default_factory=lambda: np.zeros(2))
    sightings: int = 1

    def predicted(self, number: float) -> Floats:
        """Its box in that frame."""
        return np.concatenate([self.box[:2] + (number - self.number) * self.speed, self.box[2:]])

    def move(self, box: Floats, number: float) -> None:
        """It was seen there."""
        self.speed = smoothed(self.speed, centers(box) - centers(self.box), number - self.number)
        self.box, self.number, self.sightings = box, number, self.sightings + 1


class Distractors:
    """The objects known now. Frames are numbered by time, one a nominal frame period."""

    def __init__(self) -> None:
        self.known: list[Distractor] = []

    def carry(self, camera: tuple[float, float]) -> None:
        """The camera's motion has moved the image by so much, x and y in pixels."""
        for distractor in self.known:
            distractor.box = distractor.box + (*camera, 0.0, 0.0)

    def claims(self, boxes: Floats, overlap: Floats, number: float, step: float = 1.0) -> NDArray[np.bool_]:
        """Which candidates lie on a distractor rather than where the target is expected.

        boxes: N x 4; overlap: N, with the expected box; number: of the frame they are from; step: since the one before.
        """
        kept = max(KEPT_FRAMES, 2 * step)
        self.known = [distractor for distractor in self.known if number - distractor.number <= kept]
        claimed = np.zeros(len(boxes), bool)
        for distractor in self.known:
            if distractor.sightings >= 2:  # once may be noise
                shared = iou(distractor.predicted(number), boxes)
                claimed |= (shared >= SAME_OBJECT) & (shared > overlap)
        return claimed

    def learn(self, boxes: Floats, scores: Floats, target: Floats, number: float, below: float | None = None) -> None:
        """Move the distractors that are seen, and add those that are new.

        boxes: N x 4 candidates; scores: N; target: T x 4, boxes that are the target's; below: what lies apart from
        those and scores less is a new distractor (None: none is).
        """
        left = list(self.known)
        for peak in distinct(boxes, scores):
            shared = float(iou(boxes[peak], target).max())
            if shared > SAME_OBJECT:
                continue
            overlaps = [float(iou(boxes[peak], distractor.predicted(number))) for distractor in left]
            best = int(np.argmax(overlaps)) if left else -1
            if left and overlaps[best] >= SAME_OBJECT:
                if overlaps[best] > shared:
                    left.pop(best).move(boxes[peak], number)
            elif below is not None and scores[peak] < below and not _inside(boxes[peak], target):
                self.known.append(Distractor(boxes[peak], number))


def _inside(box: Floats, target: Floats) -> bool:
    """Whether the centre of the box lies in one of the target's boxes: then it is another outline of the target."""
    return bool(((centers(box) > target[:, :2]) & (centers(box) < target[:, :2] + target[:, 2:])).all(1).any())
