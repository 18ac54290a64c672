"""A made absence: pictures, true boxes, and when the target was away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.types import Frame, Pixels
from stm_tracker_ros.data.absences.camera import clipped, grown, seen_through, shares, to_picture
from stm_tracker_ros.data.absences.footage import Footage
from stm_tracker_ros.data.absences.plan import Conditions, name_of
from stm_tracker_ros.data.readers import stamp_of

ABSENT_MARGIN = 0.1
"""Annotated boxes are tight: absent is only a target whose box with this margin (in target sizes) is out of sight."""
SEEN_SHARE = 0.5
USUAL_REGION = 3.5
"""Side of the usual search region over the size of the target (`search.scale` of `stmtrack_lite`)."""


@dataclass(frozen=True, kw_only=True)
class AbsenceSequence:
    """Real video in which the target leaves and, of most kinds, comes back.

    windows: frames x 4, what the camera shows of the recording. picture_size: width and height of all images.
    here: of every frame, whether the target is in the world; False = painted out.
    leaves, settled: the frames in which it begins to leave, and from which on it is back where it was to come.
    """

    conditions: Conditions
    footage: Footage
    windows: NDArray[np.float64]
    picture_size: tuple[int, int]
    here: NDArray[np.bool_]
    leaves: int
    settled: int

    @property
    def name(self) -> str:
        """ "absence/kind/seed" in the manner of the sequences on disk."""
        return name_of(self.conditions.kind, self.conditions.seed)

    @property
    def scene(self) -> str:
        """The name of the sequence that the pictures are of."""
        return self.footage.scene.name

    @property
    def recording(self) -> str:
        """The name shared by sequences that are parts of one video."""
        return self.footage.scene.recording

    @property
    def whole_boxes(self) -> NDArray[np.float64]:
        """Frames x 4: where the target's box would be in the picture, also outside of it or painted out."""
        return to_picture(self.footage.boxes, self.windows, self._size)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Of every frame, which share of the target's box is in sight, in [0, 1]."""
        return np.asarray(shares(self.whole_boxes, self._size) * self.here)

    @property
    def absent(self) -> NDArray[np.bool_]:
        """Of every frame, whether nothing of the target is in sight; these frames follow each other."""
        return np.asarray(~self.here | (shares(grown(self.whole_boxes, ABSENT_MARGIN), self._size) == 0))

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Of every frame, whether half of the target or more is in sight; neither seen nor absent is nobody's fault."""
        return np.asarray(self.shares >= SEEN_SHARE)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """Frames x 4: the true box, cut at the picture; NaN where the target is not seen."""
        return np.where(self.seen[:, None], clipped(self.whole_boxes, self._size), np.nan)

    @property
    def left(self) -> int:
        """The first frame without the target."""
        return int(np.flatnonzero(self.absent)[0])

    @property
    def returned(self) -> int | None:
        """The first frame in which it is seen again; None if it never is."""
        back = np.flatnonzero(self.seen[self.left :])
        return self.left + int(back[0]) if back.size else None

    @property
    def search_regions(self) -> float:
        """How many usual search regions of the target, as large as it was when it left, cover the picture."""
        width, height = self.whole_boxes[self.left, 2:]
        return float(np.prod(self.picture_size) / (USUAL_REGION**2 * width * height))

    def frames(self) -> Iterator[Frame]:
        """The images as a stream at the nominal rate, made one by one."""
        for index, image in enumerate(self.images()):
            yield Frame(image=image, stamp_ns=stamp_of(index))

    def images(self) -> Iterator[Pixels]:
        """The images alone."""
        return seen_through(self.footage.pictures(), self.windows, self._size)

    @property
    def _size(self) -> NDArray[np.float64]:
        return np.array(self.picture_size, np.float64)
