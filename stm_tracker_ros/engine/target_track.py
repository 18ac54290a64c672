"""One named target: its place in the stream, its time, its state; and the answer made of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from stm_tracker_ros.core.errors import StmTrackerError
from stm_tracker_ros.core.types import Box, Frame, ImageView, Pixels, Result
from stm_tracker_ros.engine.candidates import Candidates, ConfirmAnswer, NamedCandidate
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.engine.history import Offered
from stm_tracker_ros.engine.place import Place, place_of
from stm_tracker_ros.engine.stats import Status
from stm_tracker_ros.engine.target_state import NS_PER_MS, State, TargetState
from stm_tracker_ros.engine.timeline import Timeline

MessageT = TypeVar("MessageT")


@dataclass(frozen=True, kw_only=True)
class Answer(Generic[MessageT]):
    """One tracked frame, ready to publish.

    message: the image as it was offered; its header belongs into every output. image: what the tracker saw of it.
    stamp_ns: its stamp (the arrival where the stamp was 0).
    result: what the tracker says, also while `state` says that it is not to be trusted.
    state: TRACKING, UNCERTAIN or LOST.
    place: the box that may go out, inside the image; None without a valid one.
    gap: frames lost or dropped since the frame tracked before.
    candidates: what may be the target where it was not found, inside the image; the lead, which has an id, first.
    age_ns: of the image when the tracker answered, relative to the smallest recent one. unseen_ns: since the state was
        last TRACKING, by the stamps.
    """

    message: MessageT
    image: Pixels | ImageView
    stamp_ns: int
    result: Result
    state: State
    place: Place | None
    target_id: str
    class_id: str
    gap: int
    candidates: tuple[NamedCandidate, ...] = ()
    age_ns: int = 0
    unseen_ns: int = 0


class TargetTrack:
    """Knows everything of a target that the tracker does not; lives from set_target to the next one."""

    def __init__(
        self,
        target_id: str,
        class_id: str,
        first: Offered[MessageT],
        result: Result,
        config: StateConfig,
        *,
        time_ns: int,
        now_ns: int,
        pace_ns: int,
    ) -> None:
        """Named on `first`, where the tracker answered `result`.

        time_ns: what the image counts for. now_ns: the steady clock now. pace_ns: usual time between images.
        """
        self.timeline = Timeline(time_ns)
        self._ids = target_id, class_id
        self._state = TargetState(config, time_ns, now_ns, pace_ns)
        self._position = first.position
        self._score, self._trouble, self._doubt = result.score, "", ""
        self._image_stamp_ns = first.stamp_ns
        self._age_ns = 0
        self._candidates = Candidates()

    def has_passed(self, offered: Offered[MessageT]) -> bool:
        """Whether the tracker has seen this frame, or a later one of the stream."""
        return offered.position <= self._position

    def frame(self, offered: Offered[MessageT], time_ns: int, image: Pixels | ImageView) -> Frame:
        """The next frame as the tracker gets it: rising stamps, and what was missed since the one before.

        time_ns: what the image counts for.
        """
        gap = offered.position - self._position - 1
        frame = Frame(image=image, stamp_ns=self.timeline.advance(time_ns), gap=gap)
        self._position = offered.position
        self._candidates.none()
        return frame

    def answer(
        self,
        offered: Offered[MessageT],
        frame: Frame,
        result: Result,
        *,
        now_ns: int,
        still_ns: int,
        age_ns: int,
        late: bool,
    ) -> Answer[MessageT]:
        """The answer of the tracker to that frame, as it stands at the steady time `now_ns`.

        still_ns: for how long the picture has been the same. age_ns: of the image now. late: it was kept, and is
        caught up with.
        """
        place, still = place_of(result, frame), self._is_still(still_ns)
        score = result.score if place is not None else 0.0  # what is outside of the image cannot be seen
        hopeless = bool(result.trouble)
        state = self._state.update(score, frame.stamp_ns, now_ns, still=still, hopeless=hopeless, late=late)
        self._trouble = result.trouble or (f"the picture stands still, for {still_ns / 1e9:.1f} s" if still else "")
        self._doubt = result.doubt if state is State.UNCERTAIN else ""
        self._score, self._image_stamp_ns, self._age_ns = result.score, offered.stamp_ns, age_ns
        target_id, class_id = self._ids
        return Answer(
            message=offered.message,
            image=frame.image,
            stamp_ns=offered.stamp_ns,
            result=result,
            state=state,
            place=place if state.has_valid_box else None,
            target_id=target_id,
            class_id=class_id,
            gap=frame.gap,
            candidates=self._candidates.of(result, frame),
            age_ns=age_ns,
            unseen_ns=self._state.unseen_ns,
        )

    def status(self, *, paused: bool) -> Status:
        """Where the target stands."""
        return Status(
            state=State.PAUSED if paused else self._state.state,
            message=self._trouble or self._doubt,
            target_id=self._ids[0],
            class_id=self._ids[1],
            score=self._score,
            image_stamp_ns=self._image_stamp_ns,
            age_ns=self._age_ns,
            standing=self._state.standing,
        )

    def pause(self, now_ns: int) -> None:
        """Stop at the steady time `now_ns`."""
        self._state.pause(now_ns)

    def resume(self, now_ns: int) -> None:
        """Go on after a pause that ends at the steady time `now_ns`."""
        self._state.resume(now_ns)
        self._candidates.none()

    def confirm(self, take_up: Callable[[Box], None], now_ns: int, same_for_ms: float) -> ConfirmAnswer:
        """Have the tracker take up the lead of the last answer, if it has been the same for that long and still counts.

        take_up: the tracker's `confirm`; it gets the whole box, in pixels of the last image.
        """
        answer = self._candidates.judge(self._ids[0], self._state.standing, now_ns, same_for_ms)
        if answer.success and self._candidates.lead is not None:
            take_up(self._candidates.lead.box)
            self._candidates.none()
        return answer

    def forget_candidates(self) -> None:
        """What the last answer named cannot be confirmed."""
        self._candidates.none()

    def reconfigure(self, config: StateConfig) -> None:
        """Decide by other settings from the next frame on."""
        self._state.config = config

    def _is_still(self, still_ns: int) -> bool:
        return 0 < self._state.config.frozen_after_ms * NS_PER_MS <= still_ns


def check_result(result: Result, frame: Frame) -> Result:
    """The result itself, an answer to `frame`. Raises StmTrackerError if it is not what `core.types` promises."""
    if not all(map(math.isfinite, result.box)) or not 0 <= result.score <= 1:
        raise StmTrackerError(
            f"tracker answered box {tuple(result.box)} with score {result.score}; allowed are finite boxes and [0, 1]"
        )
    lead = result.lead
    if lead is not None and not (all(map(math.isfinite, lead.box)) and 0 <= lead.score <= 1):
        raise StmTrackerError(f"tracker answered {lead}; allowed are finite boxes and scores in [0, 1]")
    if result.rotated is not None and not all(map(math.isfinite, result.rotated)):
        raise StmTrackerError(f"tracker answered rotated box {tuple(result.rotated)}; allowed are finite numbers")
    mask, size = result.mask, (frame.height, frame.width)
    if mask is not None and (mask.shape != size or mask.dtype != np.uint8):
        raise StmTrackerError(f"tracker answered a mask of {mask.shape} {mask.dtype}; allowed is {size} uint8")
    return result
