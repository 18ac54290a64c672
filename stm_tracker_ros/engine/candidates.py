"""What may be the target while it is away: as an operator sees it, and whether an operator may confirm it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from stm_tracker_ros.core.boxes import clip_to_image, iou
from stm_tracker_ros.core.matching import NOMINAL_PERIOD_NS
from stm_tracker_ros.core.types import Box, Frame, Lead, Result
from stm_tracker_ros.engine.target_state import NS_PER_MS, Standing

SAME_OBJECT = 0.3  # IoU with the lead from which on a candidate is the lead itself


class NamedCandidate(NamedTuple):
    """The part of a candidate's box that lies inside the image, its score, its id.

    id: of the lead `candidate-N`, the same for as long as the lead is the same; empty of others, which are looked at
    where the target is expected and cannot be confirmed.
    """

    box: Box
    score: float
    id: str


class Confirmation(Enum):
    """Outcome of a confirm."""

    OK = auto()
    INACTIVE = auto()
    NO_TARGET = auto()
    PAUSED = auto()
    NO_ANSWER = auto()
    FOLLOWED = auto()
    NOTHING_FOUND = auto()
    TOO_NEW = auto()
    TIMEOUT = auto()
    INTERNAL = auto()


@dataclass(frozen=True, kw_only=True)
class ConfirmAnswer:
    """The answer to a confirm. message: for a human; says what was wrong and what is allowed.

    candidate: what is followed from now on; None in a refusal.
    """

    code: Confirmation
    message: str
    target_id: str = ""
    candidate: NamedCandidate | None = None

    @property
    def success(self) -> bool:
        """Whether the candidate is being followed from now on."""
        return self.code is Confirmation.OK


class Candidates:
    """The candidates of one target, frame by frame; `none` where the last frame has no answer that still counts."""

    def __init__(self) -> None:
        self.lead: Lead | None = None
        self.shown: tuple[NamedCandidate, ...] = ()
        self._result: Result | None = None
        self._numbered: Lead | None = None  # the last lead that there was
        self._count = 0

    def of(self, result: Result, frame: Frame) -> tuple[NamedCandidate, ...]:
        """Those of an answer to `frame` in which the target was not found: the lead first, then what is apart of it."""
        lead = result.lead
        self._number(lead)
        self._result, self.lead = result, lead
        named = [] if lead is None else [NamedCandidate(lead.box, lead.score, f"candidate-{self._count}")]
        if not result.found:
            others = (one for one in result.candidates if lead is None or _apart(one.box, lead.box))
            named += [NamedCandidate(one.box, one.score, "") for one in others]
        cut = (one._replace(box=clip_to_image(one.box, frame.width, frame.height)) for one in named)
        self.shown = tuple(one for one in cut if one.box.width > 0 and one.box.height > 0)
        return self.shown

    def none(self) -> None:
        """What was answered before counts no more: a frame is in work, the target was confirmed, or nobody looked."""
        self._result = None

    def judge(self, target_id: str, standing: Standing, now_ns: int, same_for_ms: float) -> ConfirmAnswer:
        """Whether the lead may be confirmed at the steady time `now_ns`.

        standing: of the target. same_for_ms: for how long the lead must have been the same.
        """
        age_ns = now_ns - standing.answered_ns
        if self._result is None:
            said = f"no image has been answered since {target_id} was named, confirmed or paused; wait for the next one"
            return ConfirmAnswer(code=Confirmation.NO_ANSWER, message=said)
        if standing.silent(now_ns):
            said = f"nothing answered for {age_ns / 1e9:.1f} s; what was found before may be anywhere by now"
            return ConfirmAnswer(code=Confirmation.NO_ANSWER, message=said)
        if self._result.found:
            said = f"{target_id} is followed already, state {standing.state.name}; only one that is away is confirmed"
            return ConfirmAnswer(code=Confirmation.FOLLOWED, message=said)
        return self._judge_lead(target_id, same_for_ms)

    def _judge_lead(self, target_id: str, same_for_ms: float) -> ConfirmAnswer:
        lead, best = self.lead, next((one for one in self.shown if one.id), None)
        if lead is None or best is None:
            trouble = f": {self._result.trouble}" if self._result is not None and self._result.trouble else ""
            said = f"nothing found so far that may be {target_id}{trouble}; set_target takes a box anywhere"
            return ConfirmAnswer(code=Confirmation.NOTHING_FOUND, message=said)
        if lead.frames < round(same_for_ms * NS_PER_MS / NOMINAL_PERIOD_NS):
            same_s = lead.frames * NOMINAL_PERIOD_NS / 1e9
            said = f"{best.id} has been the same for {same_s:.2f} s; needed are {same_for_ms / 1e3:g} s"
            return ConfirmAnswer(code=Confirmation.TOO_NEW, message=said)
        place = Box(*(round(value, 1) for value in best.box)).words
        said = f"{best.id} at {place} is {target_id} from now on"
        return ConfirmAnswer(code=Confirmation.OK, message=said, target_id=target_id, candidate=best)

    def _number(self, lead: Lead | None) -> None:
        """A lead is another one when its time has begun anew, elsewhere; it may have been out of sight meanwhile."""
        before, self._numbered = self._numbered, lead or self._numbered
        if lead is not None and (before is None or lead.frames < before.frames or _begins_elsewhere(lead, before)):
            self._count += 1


def _begins_elsewhere(lead: Lead, before: Lead) -> bool:
    return not lead.frames and _apart(lead.box, before.box)


def _apart(one: Box, other: Box) -> bool:
    return bool(iou(tuple(one), tuple(other)) < SAME_OBJECT)
