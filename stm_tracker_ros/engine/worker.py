"""What the engine thread does with a frame and with a named target; the only place that catches every error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, Union

from stm_tracker_ros.core.errors import DeviceError, FrameError, TargetError
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Frame, ImageView, Pixels, Result
from stm_tracker_ros.engine.candidates import ConfirmAnswer, Confirmation
from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.engine.drop_policy import DropPolicy, DropReason, Reset, Skip
from stm_tracker_ros.engine.history import Offered
from stm_tracker_ros.engine.images import Images
from stm_tracker_ros.engine.names import TargetNames
from stm_tracker_ros.engine.place import place_of
from stm_tracker_ros.engine.set_target import Code, RefusalError, TargetAnswer, TargetRequest, target_on
from stm_tracker_ros.engine.sized import SizedTracker
from stm_tracker_ros.engine.stamps import Stamps
from stm_tracker_ros.engine.stats import Stats, Status
from stm_tracker_ros.engine.stillness import Stillness
from stm_tracker_ros.engine.target_state import NS_PER_MS, State
from stm_tracker_ros.engine.target_track import Answer, TargetTrack, check_result

MessageT = TypeVar("MessageT")
ValueT = TypeVar("ValueT")
FEWEST_FAILURES = 3  # in a row, however slow the stream: two errors are no fault
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Hooks(Generic[MessageT]):
    """What is injected; `engine.Engine` says what each is. halted: why the image in work must not be answered."""

    convert: Callable[[MessageT, int], Union[Pixels, ImageView]]
    publish: Callable[[Answer[MessageT]], None]
    show: Callable[[MessageT, Union[Pixels, ImageView], State], None]
    on_fault: Callable[[str], None]
    clock_ns: Callable[[], int]
    steady_ns: Callable[[], int]
    is_device_error: Callable[[Exception], bool]
    same_picture: Callable[[MessageT, MessageT], bool]
    names: TargetNames
    halted: Callable[[], DropReason | None] = lambda: None


class Worker(Generic[MessageT]):
    """Owns the tracker and the target. One thread at a time; others read `status` and `fault` only."""

    def __init__(self, tracker: Tracker, hooks: Hooks[MessageT], stats: Stats, config: EngineConfig) -> None:
        self.status = Status(state=State.INACTIVE)
        self.fault = ""
        self._tracker, self._hooks, self._stats, self._config = SizedTracker(tracker), hooks, stats, config
        self._policy, self._stamps = DropPolicy(config.max_age_ms), Stamps()
        self._stillness: Stillness[MessageT] = Stillness(hooks.same_picture)
        self._target_track: TargetTrack | None = None
        self._active = self._paused = False
        self._failures = 0
        self._failing_since_ns = 0
        self._images: Images[MessageT] = Images(hooks.convert)
        self._by_arrival = False

    def activate(self, active: bool) -> State:
        """Begin or end, unpaused, and without target, but for one that the tracker still has after a fault."""
        self._active, self._paused = active, False
        if not active and not self.fault:
            self._target_track = None
        self._failures = 0
        self.fault = "" if active else self.fault
        self._stamps = Stamps() if active else self._stamps
        self._images.restart()
        return self._show()

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of the last image that could be used; 0, 0 before there was one."""
        return self._images.size

    @property
    def image_trouble(self) -> str:
        """Why the last image cannot be used; empty if it can."""
        return self._images.trouble

    @property
    def stamp_trouble(self) -> str:
        """What is wrong with the stamps of the images now; empty while they are used."""
        return self._stamps.trouble

    def pause(self, paused: bool, asked_ns: int | None = None) -> State:
        """Stop or go on tracking; the target is kept, and after a long pause it has to be confirmed.

        asked_ns: steady time of the request; now by default.
        """
        if paused and not self._paused and self._target_track is not None:
            self._target_track.pause(self._hooks.steady_ns() if asked_ns is None else asked_ns)
        if self._paused and not paused and self._target_track is not None:
            self._target_track.resume(self._hooks.steady_ns())
            self._stillness.restart()
            self._stats.named()
        self._paused, self._failures = paused, 0
        return self._show()

    def clear(self) -> State:
        """Forget the target."""
        self._target_track, self._failures = None, 0
        return self._show()

    def confirm(self) -> ConfirmAnswer:
        """Go on with what was found elsewhere: the operator says that it is the target. State, id and memory stay."""
        if self._target_track is None:
            said = "no target is named; allowed is a set_target first"
            return ConfirmAnswer(code=Confirmation.NO_TARGET, message=said)
        if self._paused:
            return ConfirmAnswer(code=Confirmation.PAUSED, message="paused; nothing is looked for until that ends")
        now_ns, same_for_ms = self._hooks.steady_ns(), self._config.candidate_after_ms
        try:
            return self._target_track.confirm(self._tracker.confirm, now_ns, same_for_ms)
        except Exception as error:  # noqa: BLE001  a bad confirm is not a dead thread
            self._failed(DropReason.TRACKER_ERROR, error)
            return ConfirmAnswer(code=Confirmation.INTERNAL, message=f"{type(error).__name__}: {error}")

    def reconfigure(self, config: EngineConfig, tracker_config: Any) -> State:
        """Use the live settings of both from now on; the tracker is left alone where it has None."""
        self._config = config
        self._policy.max_age_ms = config.max_age_ms
        if self._target_track is not None:
            self._target_track.reconfigure(config.state)
        if tracker_config is not None:
            self._tracker.reconfigure(tracker_config)
        return self._show()

    def handle(self, offered: Offered[MessageT]) -> None:
        """Track a frame or drop it; either is counted."""
        self._stats.left(DropReason.FAULT if self.fault else self._tracked(offered))

    def _tracked(self, offered: Offered[MessageT]) -> DropReason | None:
        """Answer one frame; gives why it was dropped, None if it was not.

        A message that is no image tells nothing of the camera's clock either.
        """
        image = self._image(offered)
        if image is None:
            return DropReason.BAD_IMAGE
        if self._paused:
            return self._shown(offered, image, DropReason.PAUSED)
        time_ns = self._stamps.time_of(offered)
        reason = self._unwanted(offered, time_ns)
        if self._target_track is None:
            return self._shown(offered, image, DropReason.NO_TARGET)
        return reason or self._track(offered, time_ns, image, self._target_track)

    def begin(self, request: TargetRequest, offered: Offered[MessageT]) -> TargetAnswer:
        """Follow a target named on that frame. After a refusal the target before is followed further."""
        code = Code.NO_IMAGE
        try:
            frame = Frame(image=self._images.whole(offered), stamp_ns=self.time_of(offered))
            code = Code.INTERNAL
            target = target_on(request, frame)
            result = check_result(self._tracker.init(frame, target), frame)
        except RefusalError as refusal:
            return TargetAnswer(code=refusal.code, message=str(refusal))
        except Exception as error:  # noqa: BLE001  a bad target is not a dead thread
            return self._not_begun(code, error)
        return self._follow(request, offered, frame, result)

    def has(self, target: TargetTrack | None) -> bool:
        """Whether that is the target, paused or not."""
        return target is not None and self._target_track is target

    def is_following(self, target: TargetTrack | None) -> bool:
        """Whether frames are tracked for that target now."""
        return self._active and not self._paused and not self.fault and self.has(target)

    @property
    def target(self) -> TargetTrack | None:
        """The target; None without one."""
        return self._target_track

    def time_of(self, offered: Offered[MessageT]) -> int:
        """What an image out of its turn counts for: its stamp, or its arrival."""
        return self._stamps.likely_time_of(offered)

    def age_s(self, offered: Offered[MessageT]) -> float:
        """Seconds by which an image is older now than the fastest recent one was on its arrival."""
        return self._stats.age_ns(self.time_of(offered), self._hooks.clock_ns()) / 1e9

    def jump(self) -> None:
        """The stamps jump before the next frame: to the tracker no time has passed."""
        if self._target_track is not None:
            self._target_track.timeline.jump()

    def replay(self, offered: Offered[MessageT]) -> Answer[MessageT] | None:
        """Track a kept frame and learn from it, and neither publish nor count it; None if it could not be tracked."""
        target_track = self._target_track
        try:
            image = self._images.whole(offered)
        except Exception as error:  # noqa: BLE001  a bad image, which was told of and counted when it came
            logger.debug("a kept image is left out: %s", error)
            return None
        try:
            assert target_track is not None  # whoever replays has asked
            frame = target_track.frame(offered, self.time_of(offered), image)
            result = check_result(self._tracker.track(frame), frame)
            answer = self._answer(offered, self.time_of(offered), target_track, frame, result, late=True)
            target_track.forget_candidates()  # nobody has seen them
            self._show()
            self._tracker.memorize()
            self._failures = 0
        except Exception as error:  # noqa: BLE001  a bad frame is not a dead thread
            self._failed(DropReason.TRACKER_ERROR, error)
            return None
        return answer

    def _shown(self, offered: Offered[MessageT], image: Pixels | ImageView, reason: DropReason) -> DropReason:
        """A frame that is not tracked, for whoever wants to see what the camera sees."""
        try:
            self._hooks.show(offered.message, image, self.status.state)
        except Exception as error:  # noqa: BLE001  a picture that nobody gets is not a dead thread
            self._stats.failed(f"{reason.value}: {type(error).__name__}: {error}")
        return reason

    def _unwanted(self, offered: Offered[MessageT], time_ns: int) -> DropReason | None:
        if bool(self._stamps.trouble) != self._by_arrival:
            self._change_clock()
        verdict = self._policy.decide(
            stamp_ns=time_ns,
            arrival_ns=offered.arrival_ns,
            now_ns=self._hooks.clock_ns(),
            steady_ns=offered.received_ns,
        )
        self._stats.decided(self._policy.offset_ns, isinstance(verdict, Reset))
        if isinstance(verdict, Reset):
            self._jumped(verdict)
        if isinstance(verdict, Skip):
            return verdict.reason
        passed = self._target_track is not None and self._target_track.has_passed(offered)
        return DropReason.DUPLICATE if passed else None

    def _change_clock(self) -> None:
        """From this image on stamps count, or arrivals, and did not before: no time has passed between the two."""
        self._by_arrival = not self._by_arrival
        self._policy = DropPolicy(self._config.max_age_ms)
        self.jump()

    def _jumped(self, reset: Reset) -> None:
        logger.warning("stamps of the images jumped %s; the tracker goes on as if no time had passed", reset.jump.value)
        self.jump()

    def _track(
        self, offered: Offered[MessageT], time_ns: int, image: Pixels | ImageView, target_track: TargetTrack
    ) -> DropReason | None:
        reason: DropReason | None = DropReason.TRACKER_ERROR
        try:
            frame = target_track.frame(offered, time_ns, image)
            result = check_result(self._timed("track", lambda: self._tracker.track(frame)), frame)
            if (halted := self._hooks.halted()) is not None:
                return halted
            still_ns = self._stillness.of(offered) if self._config.state.frozen_after_ms else 0
            answer = self._answer(offered, time_ns, target_track, frame, result, still_ns=still_ns)
            reason = None  # what fails from here on is an error, but the frame has its answer
            self._show()
            self._send(answer, offered, time_ns)
            self._timed("memorize", self._tracker.memorize)
            self._failures = 0
        except Exception as error:  # noqa: BLE001  a bad frame is not a dead thread
            self._failed(reason, error)
        return reason

    def _image(self, offered: Offered[MessageT]) -> Pixels | ImageView | None:
        """The image of a message; None for one that cannot be used: the camera's error, and no fault of the tracker."""
        was_good = not self._images.trouble
        image = self._images.next(offered, tracked=self._target_track is not None and not self._paused)
        if image is None:
            self._failures = 0
            text = f"{DropReason.BAD_IMAGE.value}: {self._images.trouble}"
            if was_good:
                logger.warning("%s", text)
            self._stats.failed(text)
        return image

    def _answer(
        self,
        offered: Offered[MessageT],
        time_ns: int,
        target_track: TargetTrack,
        frame: Frame,
        result: Result,
        *,
        still_ns: int = 0,
        late: bool = False,
    ) -> Answer[MessageT]:
        return target_track.answer(
            offered,
            frame,
            result,
            now_ns=self._hooks.steady_ns(),
            still_ns=still_ns,
            age_ns=self._stats.age_ns(time_ns, self._hooks.clock_ns()),
            late=late,
        )

    def _send(self, answer: Answer[MessageT], offered: Offered[MessageT], time_ns: int) -> None:
        """Publish; what fails there is counted, and the tracker learns all the same."""
        try:
            self._hooks.publish(answer)
        except Exception as error:  # noqa: BLE001  an answer that nobody gets is not a dead thread
            logger.warning("the answer could not be published", exc_info=error)
            self._stats.failed(f"after the answer: {type(error).__name__}: {error}")
        self._stats.took("arrival_to_answer", self._hooks.steady_ns() - offered.received_ns)
        self._stats.answered(self._hooks.clock_ns() - time_ns)

    def _timed(self, name: str, function: Callable[[], ValueT]) -> ValueT:
        start_ns = self._hooks.steady_ns()
        value = function()
        self._stats.took(name, self._hooks.steady_ns() - start_ns)
        return value

    def _failed(self, reason: DropReason | None, error: Exception) -> None:
        """An error of the tracker; one that lasts ends the engine."""
        text = f"{reason.value if reason else 'after the answer'}: {type(error).__name__}: {error}"
        now_ns = self._hooks.steady_ns()
        self._failing_since_ns = self._failing_since_ns if self._failures else now_ns
        self._failures += 1
        logger.warning("%s", text, exc_info=error if self._failures == 1 else None)
        self._stats.failed(text)
        lasted_ms = (now_ns - self._failing_since_ns) / NS_PER_MS
        if self._ends_device(error):
            self._give_up(f"the device failed: {error}", keeps_target=False)
        elif self._failures >= FEWEST_FAILURES and lasted_ms >= self._config.fault_after_ms:
            self._give_up(f"nothing but errors for {lasted_ms / 1e3:.1f} s, the last: {text}", keeps_target=True)

    def _ends_device(self, error: Exception) -> bool:
        return isinstance(error, DeviceError) or self._hooks.is_device_error(error)

    def _give_up(self, reason: str, *, keeps_target: bool) -> None:
        logger.error("the engine gives up: %s", reason)
        self.fault = reason
        self._target_track = self._target_track if keeps_target else None
        self._show()
        try:
            self._hooks.on_fault(reason)
        except Exception:
            logger.exception("on_fault failed")

    def _follow(self, request: TargetRequest, offered: Offered[MessageT], frame: Frame, result: Result) -> TargetAnswer:
        target_id, class_id = self._hooks.names.name(request.id), request.class_id or "object"
        time_ns, now_ns = self.time_of(offered), self._hooks.steady_ns()
        self._target_track = TargetTrack(
            target_id,
            class_id,
            offered,
            result,
            self._config.state,
            time_ns=time_ns,
            now_ns=now_ns,
            pace_ns=self._stats.pace_ns,
        )
        self._failures = 0
        self._stillness.restart()
        self._stats.named()
        self._show()
        return TargetAnswer(
            code=Code.OK,
            message=f"following {target_id}",
            id=target_id,
            class_id=class_id,
            stamp_used_ns=offered.stamp_ns,
            age_s=self.age_s(offered),
            image=offered.message,
            result=result,
            place=place_of(result, frame),
        )

    def _not_begun(self, code: Code, error: Exception) -> TargetAnswer:
        """After an error of the tracker that is no refusal its state is unknown: the target before ends too."""
        unforeseen = not isinstance(error, (TargetError, FrameError))
        logger.warning("set_target failed: %s", error, exc_info=error if unforeseen else None)
        self._stats.failed(f"set_target: {type(error).__name__}: {error}")
        if self._ends_device(error):
            self._give_up(f"the device failed: {error}", keeps_target=False)
        elif code is Code.INTERNAL and unforeseen:
            self.clear()
        return TargetAnswer(code=code, message=str(error) or type(error).__name__)

    def _show(self) -> State:
        """Let other threads see where the engine stands."""
        if self._target_track is not None:
            known = self._target_track.status(paused=self._paused)
        else:
            known = Status(state=State.PAUSED if self._paused else State.NO_TARGET)
            known = replace(known, image_stamp_ns=self.status.image_stamp_ns)
        if self.fault or not self._active:
            known = replace(known, state=State.FAULT if self._active else State.INACTIVE, message=self.fault)
        self.status = known
        return self.status.state_at(self._hooks.steady_ns())
