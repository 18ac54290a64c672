"""Where a target that is away is looked for, beside the place where it is expected, and when it is believed to be back.

Some looks a frame more go around: at the surroundings of the expected place, over the whole image in wide looks, then
in usual ones, nearest first, and anew. What looks like the target there is a lead: the next looks go to it, as large as
it seems, and it is the target if in some frames running it scores on the average nearly as the target usually does,
and has its colours.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from stm_tracker_ros.core.boxes import from_center, iou
from stm_tracker_ros.core.types import Box, Frame, Lead
from stm_tracker_ros.following.candidates import SAME_OBJECT
from stm_tracker_ros.following.distractors import KEPT_FRAMES

ENOUGH = 3  # sure looks running that a lead needs to be believed; twice as many without belief are a waste of time


class Region(NamedTuple):
    """A look elsewhere: for a box there, of that size; side over that of the usual region of such a box."""

    box: Box
    factor: float


class Sighting(NamedTuple):
    """What looks most like the target in the looks elsewhere.

    box: in the image; score: as trusted; worth: share of the usual score, less the more unlike its colours are; sure:
    whether it may be the target.
    """

    box: Box
    score: float
    worth: float
    sure: bool


@dataclass
class Search:
    """The looks elsewhere for one target."""

    lead: Lead | None = None
    _since: float = 0.0  # number of the frame in which the lead was seen first
    _looked: float = 0.0  # number of the frame in which it was seen last
    _worth: float = 0.0  # average over the lead's sure looks, the last ones above all
    is_watching: bool = False  # the last look was at the lead
    _ahead: Iterator[Region] = field(default_factory=lambda: iter(()))

    def carry(self, camera: tuple[float, float]) -> None:
        """The camera's motion has moved the image by so much, x and y in pixels."""
        if self.lead is not None:
            box = self.lead.box
            self.lead = self.lead._replace(box=box._replace(x=box.x + camera[0], y=box.y + camera[1]))

    def next(self, frame: Frame, expected: Box, side: float, looks: int, *, roams: bool) -> list[Region]:
        """Where to look in this frame, so many times at most: at the lead, or else further on the way around.

        expected: where the target was expected; side: of its usual region, pixels. roams: in turns at the lead and
        further on, so that something better than it is found.
        """
        self.is_watching = self.lead is not None and not (roams and self.is_watching)
        if self.lead is not None and self.is_watching:
            return [Region(self.lead.box, 1.0)]
        return [self._further(frame, expected, side) for _ in range(looks)]

    def saw(self, sighting: Sighting | None, number: float, step: float, needed: float, *, roams: bool) -> bool:
        """The best of these looks, None if nothing is like the target. Is it believed?

        number: of the frame; step: since the one before.
        needed: what it must be worth on the average. roams: a lead that is not believed is kept none the less.
        """
        lead = self.lead
        if lead is None or not self.is_watching:
            if sighting is not None and (lead is None or _is_better(sighting, lead)):
                self.lead, self._since = Lead(sighting.box, sighting.score, 0, int(sighting.sure)), number
                self._worth, self._looked = sighting.worth, number
            return False
        since = number - self._looked
        if sighting is None or since > max(KEPT_FRAMES, 2 * step) or not _is_same(sighting.box, lead.box):
            self.lead = None
            return False
        if not sighting.sure:  # whoever looks himself is not kept waiting by one poor look
            self.lead = lead if roams else None
            return False
        self.lead = lead = Lead(sighting.box, sighting.score, number - self._since, lead.times + 1)
        self._worth += (sighting.worth - self._worth) * max(1 / lead.times, min(since, 1) / ENOUGH)
        self._looked = number
        looked = min(lead.times, lead.frames + 1)  # a fast camera's looks are of the same moment
        believed = looked >= ENOUGH and self._worth >= needed
        if looked >= 2 * ENOUGH and not believed and not roams:
            self.lead = None
        return believed

    def _further(self, frame: Frame, expected: Box, side: float) -> Region:
        region = next(self._ahead, None)
        if region is None:
            self._ahead = tour(frame, expected, side)
            region = next(self._ahead)
        return region


def _is_same(box: Box, before: Box) -> bool:
    """Whether they may be of one thing: what is small and quick has left its place from one look to the next."""
    return math.dist(box.center, before.center) <= math.sqrt(before.width * before.height)


def _is_better(sighting: Sighting, lead: Lead) -> bool:
    """Whether it is something else that is more like the target."""
    return bool(sighting.score > lead.score and iou(sighting.box, lead.box) < SAME_OBJECT)


def tour(frame: Frame, expected: Box, side: float) -> Iterator[Region]:
    """Regions over the whole image: of twice the side, then usual ones, both from the expected place outwards."""
    size = math.sqrt(expected.width * expected.height)
    for factor in (2.0, 1.0):
        columns = _middles(frame.width, side * factor, size)
        rows = _middles(frame.height, side * factor, size)
        for x, y in _outwards(expected.center, columns, rows):
            yield Region(from_center(x, y, expected.width, expected.height), factor)


def _outwards(center: tuple[float, float], columns: list[float], rows: list[float]) -> Iterator[tuple[float, float]]:
    """The middle, then the places of a grid, nearest first; of a small target there are thousands, so one by one."""
    yield center
    columns = sorted(columns, key=lambda x: abs(x - center[0]))
    aside, below = np.subtract(columns, center[0]), np.subtract(rows, center[1])
    waiting = [(far, row, 0) for row, far in enumerate(np.hypot(aside[0], below).tolist())]
    heapq.heapify(waiting)
    while waiting:
        _, row, number = heapq.heappop(waiting)
        yield columns[number], rows[row]
        if number + 1 < len(columns):
            heapq.heappush(waiting, (float(np.hypot(aside[number + 1], below[row])), row, number + 1))


def is_as_large(box: Box, place: Box) -> bool:
    """Whether a box may be that of a target that was as large as `place` before: half to twice its size."""
    change = math.sqrt(box.width * box.height / (place.width * place.height))
    return 1 / 2 <= change <= 2


def _middles(extent: float, side: float, size: float) -> list[float]:
    """Of looks along one side of the image that overlap by the target's size."""
    count = max(1, math.ceil((extent - size) / (side - size)))
    if count == 1:
        return [extent / 2]
    return [float(middle) for middle in np.linspace(side / 2, extent - side / 2, count)]
