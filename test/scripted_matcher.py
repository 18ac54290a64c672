"""Matchers that see what they are told to, for tests of the following stage, and one that watches another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stm_tracker_ros.core.matching import Candidates, Crop, Evidence, Floats, Look, Segment
from stm_tracker_ros.core.protocol import Matcher
from stm_tracker_ros.core.types import Box, Frame, RotatedBox, Target
from stm_tracker_ros.following.config import FollowingConfig
from stm_tracker_ros.following.follower import Follower

PERIOD_NS = 1e9 / 30
START = Box(300.0, 200.0, 40.0, 30.0)
BACKGROUND = 0.01  # what a cell scores in which nothing is
# Light and dark everywhere: nothing in it has other colours than the target.
IMAGE = (
    np.random.default_rng(0).choice(np.array([60, 180], np.uint8), (48, 64, 1)).repeat(10, 0).repeat(10, 1).repeat(3, 2)
)
Sights = Sequence[tuple[Box, float]]  # what is seen in the image, and how much it looks like the target


def candidates_of(crop: Crop, sights: Sights, crop_size: int, cells: int) -> tuple[Floats, Floats]:
    """Boxes, cells^2 x 4 in crop pixels, and scores: each sight in the cell that holds its centre, if one does."""
    step = crop_size / cells
    middles = (np.arange(cells) + 0.5) * step
    boxes = np.array([(x - 2, y - 2, 4.0, 4.0) for y in middles for x in middles])
    scores = np.full(cells * cells, BACKGROUND)
    for box, score in sights:
        inside = crop.to_crop(box)
        column, row = (int(value // step) for value in inside.center)
        if 0 <= column < cells and 0 <= row < cells:
            boxes[row * cells + column], scores[row * cells + column] = inside, score
    return boxes, scores


@dataclass
class Remembered:
    """What a matcher was told to remember: the frame's number, the candidate's box and the followed one (image)."""

    number: int
    chosen: Box
    box: Box
    evidence: Evidence


class ScriptedMatcher:
    """Sees `sights` wherever a look shows them, and notes what it is asked: see `core.protocol.Matcher`."""

    crop_size, cells = 128, 7

    def __init__(self) -> None:
        self.sights: Sights = ()
        self.trust = 1.0
        self.peaks: tuple[tuple[float, float], ...] = ()
        self.calls: list[str] = []
        self.looks: list[Look] = []  # where the target is expected, of every frame
        self.elsewhere: list[list[Look]] = []  # the other looks of every frame
        self.back: list[list[Look]] = []  # in every frame the looks at an earlier one
        self._shown: dict[int, Sights] = {}  # by stamp what was seen in each frame
        self.anchor: float | None = None  # score by the first frame's memory; None: as by all of it
        self.settled: list[tuple[int | None, float]] = []  # candidate and rank of each frame
        self.remembered: list[Remembered] = []
        self.configs: list[Any] = []

    def start(self, look: Look, target: Target) -> Candidates:
        self.calls = ["start"]
        self.looks, self.elsewhere, self.back, self.settled, self.remembered = [look], [[]], [[]], [], []
        self._shown = {look.frame.stamp_ns: self.sights}
        return self.seen(look)

    def match(self, looks: Sequence[Look]) -> list[Candidates]:
        self.calls.append("match")
        self.looks.append(looks[0])
        now = looks[0].frame
        self._shown[now.stamp_ns] = self.sights
        self.elsewhere.append([look for look in looks[1:] if look.frame is now])
        self.back.append([look for look in looks[1:] if look.frame is not now])
        return [self.seen(look) for look in looks]

    def settle(self, look: Look, candidates: Candidates, chosen: int | None, rank: float) -> None:
        self._check(look)
        self.calls.append("settle")
        self.settled.append((chosen, rank))

    def anchor_scores(self, look: Look, candidates: Candidates) -> Floats:
        self._check(look)
        return candidates.scores if self.anchor is None else np.full(len(candidates.scores), self.anchor)

    def remember(self, look: Look, candidates: Candidates, chosen: int, box: Box, evidence: Evidence) -> None:
        self._check(look)
        self.calls.append("remember")
        found = candidates.crop.to_image(Box(*candidates.boxes[chosen].tolist()))
        self.remembered.append(Remembered(look.number, found, box, evidence))

    def reconfigure(self, config: Any) -> None:
        self.configs.append(config)

    def _check(self, look: Look) -> None:
        assert any(look is one for one in (self.looks[-1], *self.elsewhere[-1], *self.back[-1]))

    def seen(self, look: Look) -> Candidates:
        """The answer to one look."""
        sights = self._shown[look.frame.stamp_ns]
        boxes, scores = candidates_of(look.crop, sights, self.crop_size, self.cells)
        grid = self.cells, self.cells, 1
        return Candidates(
            crop=look.crop, boxes=boxes, scores=scores, grid=grid, trust=self.trust, peaks=self.peaks, payload=look
        )


class MaskingMatcher(ScriptedMatcher):
    """Answers with the mask of the first sight whose centre the look shows, and with an empty one where there is none.

    empty_score: of the empty mask.
    """

    empty_score = 0.0

    def seen(self, look: Look) -> Candidates:
        size, frame = self.crop_size, look.frame
        pixels = np.zeros((frame.height, frame.width), np.uint8)
        for box, score in self._shown[frame.stamp_ns]:
            inside = look.crop.to_crop(box)
            if all(0 <= value < size for value in inside.center):
                left, top, right, bottom = (round(v) for v in (box.x, box.y, box.x + box.width, box.y + box.height))
                pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 255
                return self._one(look, inside, score, Segment(pixels, RotatedBox(*box.center, *box[2:], 0.0)))
        return self._one(look, look.crop.to_crop(look.expected), self.empty_score, Segment(pixels, None))

    def _one(self, look: Look, box: Box, score: float, segment: Segment) -> Candidates:
        some = {"trust": self.trust, "peaks": self.peaks, "segment": segment, "payload": look}
        return Candidates(crop=look.crop, boxes=np.array([box]), scores=np.array([score]), grid=(1, 1, 1), **some)


class OutliningMatcher(ScriptedMatcher):
    """Can give each candidate a mask: its box, filled; notes of which it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.outlined: list[int] = []

    def seen(self, look: Look) -> Candidates:
        found = super().seen(look)

        def outline(number: int) -> Segment:
            self.outlined.append(number)
            box = look.crop.to_image(Box(*found.boxes[number].tolist()))
            pixels = np.zeros((look.frame.height, look.frame.width), np.uint8)
            pixels[round(box.y) : round(box.y + box.height), round(box.x) : round(box.x + box.width)] = 255
            return Segment(pixels, RotatedBox(*box.center, *box[2:], 0.0))

        return replace(found, outline=outline)


class Watched:
    """Another matcher, whose looks and answers are noted; `crop` is that of the look it is just asked about."""

    def __init__(self, matcher: Any) -> None:
        self.matcher = matcher
        self.crop: Crop | None = None
        self.looks: list[Look] = []
        self.answers: list[Candidates] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.matcher, name)

    def start(self, look: Look, target: Target) -> Candidates:
        self.crop, self.looks = look.crop, [look]
        self.answers = [self.matcher.start(look, target)]
        return self.answers[0]

    def match(self, looks: Sequence[Look]) -> list[Candidates]:
        found = [self._match(look) for look in looks]
        self.looks, self.answers = [*self.looks, *looks], [*self.answers, *found]
        return found

    def _match(self, look: Look) -> Candidates:
        self.crop = look.crop
        found: list[Candidates] = self.matcher.match([look])
        return found[0]


def frame_at(number: float, image: np.ndarray = IMAGE) -> Frame:
    """The frame `number` nominal periods after the first, which is 1."""
    return Frame(image=image, stamp_ns=round((number - 1) * PERIOD_NS))


class Flight:
    """A follower of a scripted matcher, frame by frame; the target is named at START."""

    def __init__(self, config: FollowingConfig, matcher: ScriptedMatcher | None = None, start: Box = START) -> None:
        self.matcher = ScriptedMatcher() if matcher is None else matcher
        checked: Matcher = self.matcher
        self.follower, self.number = Follower(checked, config), 1
        self.matcher.sights = [(start, 1.0)]
        self.answer = self.follower.init(frame_at(1), Target(box=start))

    def show(self, *sights: tuple[Box, float], frames: int = 1, elapsed: float = 1) -> Any:
        """So many more frames with these sights in each; the last answer."""
        self.matcher.sights = sights
        for _ in range(frames):
            self.number += elapsed  # type: ignore[assignment]
            self.answer = self.follower.track(frame_at(self.number))
            self.follower.memorize()
        return self.answer

    @property
    def look(self) -> Look:
        """The last one where the target was expected."""
        return self.matcher.looks[-1]

    @property
    def scale(self) -> float:
        """Side of the last region over the usual one of START."""
        side = self.follower.config.search.scale * float(np.sqrt(START.width * START.height))
        return self.look.crop.scale * self.matcher.crop_size / side


def right(x: float, score: float, start: Box = START) -> tuple[Box, float]:
    """Something of the target's size, x pixels right of where it started."""
    return start._replace(x=start.x + x), score


def sized(side: float, score: float) -> tuple[Box, float]:
    """The target in its place, its sides so many times as long."""
    (x, y), width, height = START.center, START.width * side, START.height * side
    return Box(x - width / 2, y - height / 2, width, height), score


def config_of(**sections: Any) -> FollowingConfig:
    """The stage's defaults with these parts, without the camera's motion unless it is asked for."""
    made = FollowingConfig()
    still = replace(made.search, camera_motion=False)
    return replace(made, **{"search": still, **sections})
