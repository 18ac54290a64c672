"""Follows one target with any paper's matcher: where to look, which candidate is it, is it there, how large is it.

| papers | here | effect |
|---|---|---|
| the best candidate is followed, however bad | `presence.py` decides who may be it | a hidden target is not swapped |
| the search region stays where the last box was | it moves with the picture and with the target | pans, gusts |
| what was answered is remembered | only what was found | a miss teaches nothing |

`config.py` says which settings give the papers' behaviour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stm_tracker_ros.core import boxes, masks
from stm_tracker_ros.core.config import with_live
from stm_tracker_ros.core.errors import NotInitialisedError
from stm_tracker_ros.core.matching import Evidence, Floats, Look, Segment
from stm_tracker_ros.core.numbering import Numbering
from stm_tracker_ros.core.protocol import Matcher
from stm_tracker_ros.core.types import Box, Frame, Result, Target
from stm_tracker_ros.following.calibration import Calibration, Sight, as_scored
from stm_tracker_ros.following.candidates import SAME_OBJECT, distinct, published
from stm_tracker_ros.following.colours import Colours
from stm_tracker_ros.following.config import FollowingConfig
from stm_tracker_ros.following.lookalikes import Lookalikes
from stm_tracker_ros.following.presence import ORDINARY, Presence
from stm_tracker_ros.following.prior import hann_window, size_penalty
from stm_tracker_ros.following.search import Search, Sighting, is_as_large
from stm_tracker_ros.following.seen import Answered, Best, Seen, in_image
from stm_tracker_ros.following.size import Size
from stm_tracker_ros.following.whereabouts import Whereabouts, is_whole, outside
from stm_tracker_ros.parts.crop import cut, mean_colour
from stm_tracker_ros.parts.mask_box import fit

SMALLEST_SIDE = 2.0  # of a box, pixels


@dataclass
class _Followed:
    """All that is known of the present target, beside what its matcher knows.

    box: about whose centre, and with whose size, the next frame is searched; answer: where it is, as it is said.
    whole: where it was last seen well and clear of the image's border, behind which the rest of it may have been.
    """

    box: Box
    answer: Box
    whole: Box
    fill: tuple[float, float, float]
    numbering: Numbering
    presence: Presence
    size: Size
    whereabouts: Whereabouts
    colours: Colours
    lookalikes: Lookalikes
    search: Search
    learnable: Answered | None = None  # found, not yet remembered


class Follower:
    """The Tracker of `core/protocol.py` around one matcher; only what is answered as score is calibrated."""

    def __init__(self, matcher: Matcher, config: FollowingConfig, calibration: Calibration | None = None) -> None:
        self.matcher, self._given, self.config = matcher, config, config.rules
        self.probability = as_scored if calibration is None else calibration.probability
        self.state: _Followed | None = None

    def init(self, frame: Frame, target: Target) -> Result:
        """Start on `frame`. Raises TargetError if the target lies outside the image or has no area."""
        box = self._limited(boxes.of_target(target, frame.width, frame.height), frame)
        fill = mean_colour(frame, box.center, self._side(box))
        look = self._look(frame, 1, box, fill)
        candidates, colours = self.matcher.start(look, target), Colours(look, box)
        presence = Presence(self.config.presence, box, 1)
        whereabouts = Whereabouts(frame, box, follows_camera=self.config.search.camera_motion)
        numbering, alike = Numbering(frame.stamp_ns), Lookalikes(frame, box, self._side(box))
        known = presence, Size(box), whereabouts, colours, alike, Search()
        self.state = _Followed(box, box, box, fill, numbering, *known)
        segment = candidates.segment
        if segment is None:
            return Result(box=box, score=1.0)
        if target.mask is None:
            return Result(box=box, score=1.0, mask=segment.pixels, rotated=segment.rotated)
        given = masks.binary(target.mask)
        whole = fit(given)
        return Result(box=box, score=1.0, mask=given, rotated=None if whole is None else whole.rotated)

    def track(self, frame: Frame) -> Result:
        """Find the target in the next frame. Raises NotInitialisedError before `init`."""
        state = self._started()
        presence = state.presence
        number = state.numbering.of(frame.stamp_ns)
        expected = self._expect(frame, number)
        seen, *elsewhere = self._see(frame, number, expected)
        found = seen.something and bool(seen.gate.allowed.any())
        if (again := self._again(seen, elsewhere, number)) is not None:
            found, (seen, best) = True, again
            score = presence.trusted(best.score)
        else:
            best = self._choose(seen)
            score = self._follow(seen, best) if found else self._wait(seen, best)
        if found:
            state.lookalikes.mind(number, is_apart=self._is_doubtful(searched=again is not None))
            state.whereabouts.found()
        if found and presence.is_well_seen:
            state.search = Search()
            state.whereabouts.keep(presence.place)
            state.lookalikes.keep(frame, presence.place, self._side(presence.place))
            state.whole = presence.place if is_whole(presence.place, frame) else state.whole
        self.matcher.settle(seen.look, seen.candidates, best.number if found else None, best.rank)
        evidence = Evidence(score, score / presence.usual)
        state.learnable = Answered(seen, best.number, evidence) if found else None
        segment, is_mask = self._segment(seen, best, found), seen.candidates.segment is not None
        objects = distinct(seen.places, seen.scores, best.number if found else None) if seen.something else []
        presence.beside(max((float(seen.scores[one]) for one in objects if found and one != best.number), default=0.0))
        return Result(
            box=self._limited(best.box, frame) if is_mask and segment and segment.rotated else state.answer,
            score=self._confidence(score, state.lookalikes.trust(number)),
            mask=None if segment is None else segment.pixels,
            rotated=None if segment is None else segment.rotated,
            found=found,
            expected=expected,
            region=seen.candidates.crop.region(self.matcher.crop_size),
            candidates=published(seen.places, seen.scores, objects),
            lead=state.search.lead if self._is_looked_for and not found else None,
            doubt=state.lookalikes.doubt(number) if found else "",
        )

    def memorize(self, true: Box | None = None) -> None:
        """Let the matcher learn from the frame just answered, if the target was found in it.

        true: where the target really was, in image pixels, where that is known and to be learned instead.
        """
        state = self._started()
        answered, state.learnable = state.learnable, None
        if answered is not None:
            seen, chosen, evidence = answered
            if state.presence.is_well_seen:
                state.colours.learn(seen.look, true or state.answer, state.presence.step)
            self.matcher.remember(seen.look, seen.candidates, chosen, true or state.box, evidence)

    def confirm(self, box: Box) -> None:
        """The target is at `box` of the frame just answered: the operator says so. It is followed from there on."""
        state = self._started()
        state.box, state.size, state.search, state.learnable = box, Size(box), Search(), None
        state.presence.found_again(box)
        state.presence.doubt = state.presence.rival = 0.0
        state.whereabouts.keep(box)
        state.lookalikes.dismiss()

    def reconfigure(self, config: FollowingConfig) -> None:
        """Use the live settings of `config` from the next frame on. Raises ConfigError if it is of another tracker."""
        self._given = with_live(self._given, config)
        self.config = self._given.rules
        self.matcher.reconfigure(self.config)
        if self.state is not None:
            self.state.presence.config = self.config.presence

    def _started(self) -> _Followed:
        if self.state is None:
            raise NotInitialisedError("no target yet; call init(frame, target) first")
        return self.state

    def _side(self, box: Box) -> float:
        return self.config.search.scale * float(np.sqrt(box.width * box.height))

    def _expect(self, frame: Frame, number: float) -> Box:
        """Where the target must be in this frame."""
        state = self._started()
        side = self._side(state.box)
        moved = state.whereabouts.moved(frame, boxes.from_center(*state.box.center, side, side))
        state.search.carry(moved)
        place = state.presence.expect(number, moved)
        back = state.whereabouts.again(frame, place) if state.presence.is_away else None
        if back is None:
            return place
        state.presence.wait_at(back)
        return back

    def _look(
        self, frame: Frame, number: float, expected: Box, fill: tuple[float, float, float], factor: float = 1.0
    ) -> Look:
        patch, crop = cut(frame, expected.center, self._side(expected) * factor, self.matcher.crop_size, fill)
        return Look(
            frame=frame,
            number=round(number),
            crop=crop,
            patch=patch,
            fill=fill,
            expected=expected,
            search_factor=factor,
        )

    def _see(self, frame: Frame, number: float, expected: Box) -> list[Seen]:
        """What is seen where the target is expected, and then in the looks elsewhere in this frame.

        What the camera has left behind is nowhere in the image, unless at its border; where a place is unknown, nothing
        is taken for the target because it lies there.
        """
        state, config = self._started(), self.config.search
        left_behind = state.whereabouts.is_left_behind(frame, expected, state.presence.unseen)
        place, known = self._limited(expected, frame), self._is_known
        looks = [self._look(frame, number, place, state.fill)]
        roams, back = config.again == "confirm", list[Box]()
        if state.lookalikes.is_wanted:
            back = state.lookalikes.next(config.looks)
            looks += [self._look(state.lookalikes.frame, number, box, state.fill) for box in back]
        if not back and self._is_looked_for and (not left_behind or (roams and state.search.lead is not None)):
            sought = self._whole(place) if roams else place
            regions = state.search.next(frame, sought, self._side(sought), config.looks, roams=roams)
            looks += [self._look(frame, number, box, state.fill, factor) for box, factor in regions]
        found = []
        for look, candidates in zip(looks, self.matcher.match(looks), strict=True):
            places, scores = in_image(candidates), candidates.scores * candidates.trust
            gate = state.presence.gate(places, scores, known=known, elsewhere=not left_behind)
            seen = Seen(look, candidates, places, scores, gate)
            if look.frame is frame:
                found.append(seen)
            elif self._is_alike(seen):
                state.lookalikes.found()
        return found

    @property
    def _is_known(self) -> bool:
        """Whether the expected place is one; where nothing is looked for elsewhere it has to be."""
        state = self._started()
        return self.config.search.again == "off" or (state.whereabouts.is_known and not state.presence.is_supposed)

    def _whole(self, place: Box) -> Box:
        """The target there, as large as it was before it came to the image's border, if that is larger.

        Only the operator is shown what is found so: whatever else is as large would be found as well.
        """
        sides = max(place, self._started().whole, key=lambda box: box.width * box.height)[2:]
        return boxes.from_center(*place.center, *sides)

    @property
    def _is_looked_for(self) -> bool:
        """Whether the target may be apart from where it is expected, and is to be found there."""
        return self.config.search.again != "off" and (self._started().presence.is_away or not self._is_known)

    def _again(self, here: Seen, elsewhere: Sequence[Seen], number: float) -> tuple[Seen, Best] | None:
        """The target, if it is found apart from where it is expected. here: what is seen in the look at that place.

        At the border where the camera turned away from it, the only look, a lead is for the operator alone.
        """
        if not self._is_looked_for or not (elsewhere or self.config.search.again == "confirm"):
            return None
        state, frame = self._started(), here.look.frame
        step = state.presence.step
        needed, confirmed = state.presence.config.far_share, self.config.search.again == "confirm"
        apart = (here.gate.overlap < SAME_OBJECT) | (not here.gate.known)
        beside = here, self._most_alike(here, np.where(apart, here.scores, 0.0))
        found = [(seen, self._most_alike(seen, seen.scores)) for seen in elsewhere]
        if not (elsewhere and state.search.is_watching):
            found.append(beside)
        seen, best = max(found, key=lambda one: one[1].score)
        believed = state.search.saw(self._sighting(seen, best), number, step, needed, roams=confirmed)
        if state.search.lead is None:  # nothing in it: what is beside the expected place may be
            state.search.saw(self._sighting(*beside), number, step, needed, roams=confirmed)
        if not believed or confirmed or state.presence.is_followed(best.box):
            return None
        state.box, state.size = best.box, Size(best.box)
        state.presence.found_again(best.box)
        self._say(frame)
        return seen, best

    def _most_alike(self, seen: Seen, scores: Floats) -> Best:
        """What is most like the target and no known distractor."""
        return self._highest(seen, self._started().presence.without_distractors(seen.places, scores))

    def _highest(self, seen: Seen, scores: Floats) -> Best:
        number = int(scores.argmax())
        score, box = float(scores[number]), self._limited(Box(*seen.places[number].tolist()), seen.look.frame)
        return Best(number, box, score if seen.something else 0.0, 1.0, score)

    def _sighting(self, seen: Seen, best: Best) -> Sighting | None:
        """What the best of the looks elsewhere is worth; None: it is not like the target.

        Its colours are the second witness, unless somebody looks himself; the first frame's memory alone is the third:
        what was learned since may be something else.
        """
        state, presence = self._started(), self._started().presence
        share = best.score / presence.usual
        if share < ORDINARY / 2 or not any(is_as_large(best.box, known) for known in (presence.place, state.whole)):
            return None
        worth = self._worth(seen, best)
        sure = seen.look.search_factor == 1 and share >= ORDINARY and worth >= ORDINARY**2
        sure = sure and self._share_by_first(seen, best) >= ORDINARY / 2
        return Sighting(best.box, best.score, worth, sure)

    def _worth(self, seen: Seen, best: Best) -> float:
        """Its share of the usual score, less the more unlike its colours are, unless an operator looks himself."""
        state, enough = self._started(), self.config.presence.far_share
        share = best.score / state.presence.usual
        alike = 1.0 if self.config.search.again == "confirm" else state.colours.likeness(seen.look, best.box)
        return share if alike >= enough else share * alike / enough

    def _share_by_first(self, seen: Seen, best: Best) -> float:
        """Its share of the usual score by the first frame's memory alone."""
        scores = self.matcher.anchor_scores(seen.look, seen.candidates)
        return float(scores[best.number]) / self._started().presence.usual

    def _is_alike(self, seen: Seen) -> bool:
        """Whether something beside the target, in the last picture in which it was well seen, may be taken for it."""
        alike, least = self._started().lookalikes, ORDINARY**2
        best = self._highest(seen, np.where(alike.beside(seen.places), seen.scores, 0.0))
        if not is_as_large(best.box, alike.place) or self._worth(seen, best) < least:
            return False
        return self._share_by_first(seen, best) >= least

    def _is_doubtful(self, *, searched: bool) -> bool:
        """Whether what has been found may be another one: by a jump, or by search where nobody knew where to look."""
        state = self._started()
        expected = searched and state.whereabouts.is_known
        return state.presence.is_apart and not expected and self.config.search.again != "off"

    def _confidence(self, score: float, trust: float) -> float:
        """Of an answer; trust: how likely it is that the target is followed: a probability is no higher than that."""
        presence = self._started().presence
        said = self.probability(Sight.of(score, presence.unseen, presence.rival))
        return said * trust if self.probability is as_scored else min(said, trust)

    def _choose(self, seen: Seen) -> Best:
        """The best candidate under the prior, of the allowed ones if there are any."""
        prior, crop, boxes_crop = self.config.prior, seen.candidates.crop, seen.candidates.boxes
        expected, allowed = seen.look.expected, seen.gate.allowed
        usual = expected.width / crop.scale, expected.height / crop.scale
        penalty = size_penalty(boxes_crop[:, 2:], usual, prior.penalty)
        rank = penalty * seen.scores * (1 - prior.window) + hann_window(*seen.candidates.grid) * prior.window
        best = int((np.where(allowed, rank, -np.inf) if allowed.any() else rank).argmax())
        box = crop.to_image(Box(*boxes_crop[best].tolist()))
        return Best(best, box, float(seen.scores[best]), float(penalty[best]), float(rank[best]))

    def _follow(self, seen: Seen, best: Best) -> float:
        """The target is found: its box from now on. Returns the score as it is trusted."""
        state, frame = self._started(), seen.look.frame
        presence, found = state.presence, self._limited(best.box, frame)  # a network may answer with sides of nothing
        rate = best.penalty * best.score * self.config.size.rate * min(presence.step, 1.0)
        sides = (1 - rate) * np.array(seen.look.expected[2:]) + rate * np.array(best.box[2:])
        state.box = self._limited(boxes.from_center(*best.box.center, *sides.tolist()), frame)
        state.size.update(found, presence.unseen + presence.step, best.score / presence.usual)
        self._say(frame)
        return presence.followed(seen.places, seen.scores, seen.gate, best.number, state.box)

    def _wait(self, seen: Seen, best: Best) -> float:
        """The target is not found: it is waited for. Returns the score."""
        state, frame = self._started(), seen.look.frame
        score = state.presence.missed(seen.places, seen.scores, seen.gate, learns=self._is_known)
        if self.config.search.again != "off" and not (outside(state.presence.place, frame) or seen.candidates.peaks):
            state.presence.suppose(seen.places, seen.scores)
        place = state.presence.place
        state.box = self._limited(place, frame)
        if seen.candidates.peaks and not (seen.something and best.score >= state.presence.enough):
            center = seen.candidates.peaks[0]
            state.box = self._limited(boxes.from_center(*center, place.width, place.height), frame)
            state.presence.wait_at(state.box)
        self._say(frame)
        return score

    def _segment(self, seen: Seen, best: Best, found: bool) -> Segment | None:
        """The answered mask, of trackers that have one; empty where what is seen is in the wrong place."""
        segment, outline, frame = seen.candidates.segment, seen.candidates.outline, seen.look.frame
        if outline is not None and found:
            return outline(best.number)
        is_wrong = not found and best.score >= self._started().presence.enough
        if outline is not None or (segment is not None and is_wrong):
            return Segment(np.zeros((frame.height, frame.width), np.uint8), None)
        return segment

    def _say(self, frame: Frame) -> None:
        """Where the target is: at the place of its box, as large as it is known to be."""
        state = self._started()
        state.answer = state.box
        if self.config.size.filtered:
            state.answer = self._limited(boxes.from_center(*state.box.center, *state.size.sides), frame)

    def _limited(self, box: Box, frame: Frame) -> Box:
        """Centre inside the image, sides from the smallest allowed to the image's."""
        width = min(max(box.width, SMALLEST_SIDE), max(frame.width, SMALLEST_SIDE))
        height = min(max(box.height, SMALLEST_SIDE), max(frame.height, SMALLEST_SIDE))
        x, y = box.center
        return boxes.from_center(min(max(x, 0.0), frame.width), min(max(y, 0.0), frame.height), width, height)
