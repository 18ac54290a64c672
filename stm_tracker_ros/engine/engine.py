"""The engine thread: takes frames and commands, owns the tracker, answers, and learns after the answer is out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import perf_counter_ns
from typing import Any, Generic, TypeVar, Union

from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import ImageView, Pixels
from stm_tracker_ros.engine.candidates import ConfirmAnswer, Confirmation
from stm_tracker_ros.engine.catch_up import Cost
from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.engine.drop_policy import DropReason
from stm_tracker_ros.engine.halts import AT_ONCE_MS, AT_WORK, Halts
from stm_tracker_ros.engine.history import Offered, Smaller
from stm_tracker_ros.engine.intake import Intake
from stm_tracker_ros.engine.mailbox import Mailbox
from stm_tracker_ros.engine.names import NAMES, TargetNames
from stm_tracker_ros.engine.promises import complete, give, limit_time
from stm_tracker_ros.engine.replay import Replay
from stm_tracker_ros.engine.set_target import Code, RefusalError, TargetAnswer, TargetRequest, check_request
from stm_tracker_ros.engine.shrinker import Shrinker
from stm_tracker_ros.engine.stats import Snapshot, Stats
from stm_tracker_ros.engine.target_state import NS_PER_MS, State
from stm_tracker_ros.engine.target_track import Answer
from stm_tracker_ros.engine.worker import Hooks, Worker

__all__ = ["Answer", "Engine"]

MessageT = TypeVar("MessageT")
ValueT = TypeVar("ValueT")
Command = Callable[[], None]


class Engine(Generic[MessageT]):
    """Runs one tracker on a stream of messages that it does not look into.

    tracker: used from the engine thread only.
    convert: message, steady time of its arrival -> image; called in the engine thread; raises FrameError for an image
        that cannot be used, at once or when its pixels are asked for.
    publish: called in the engine thread, once a tracked frame, before the tracker memorizes.
    show: called in the engine thread with message and image of a frame that is not tracked, and the state, NO_TARGET or
        PAUSED.
    on_fault: called in the engine thread with the reason when the engine has given up (state FAULT: it drops all
        frames until `stop` and `start`, which goes on with the target if the tracker still has it). It must not call
        `stop` itself, but have it called from another thread.
    clock_ns: the node's clock, the one of `arrival_ns`. steady_ns: the clock of durations and silences, which nobody
        sets.
    is_device_error: recognises errors after which the device is of no use (out of memory), beside DeviceError; they
        fault at once.
    same_picture: whether two messages hold the same bytes; called in the engine thread.
    names: makes the names of targets; by default those of this process.
    shrink: a message -> one with a smaller version of its image, which `convert` takes as well; None for one that
        cannot be made smaller. Called in a thread of its own, for what is kept.
    """

    def __init__(
        self,
        tracker: Tracker,
        *,
        convert: Callable[[MessageT, int], Union[Pixels, ImageView]],
        publish: Callable[[Answer[MessageT]], None],
        on_fault: Callable[[str], None],
        clock_ns: Callable[[], int],
        config: EngineConfig | None = None,
        is_device_error: Callable[[Exception], bool] = lambda error: False,
        same_picture: Callable[[MessageT, MessageT], bool] = lambda one, other: False,
        steady_ns: Callable[[], int] = perf_counter_ns,
        names: TargetNames = NAMES,
        show: Callable[[MessageT, Union[Pixels, ImageView], State], None] = lambda message, image, state: None,
        shrink: Callable[[MessageT], Smaller[MessageT] | None] = lambda message: None,
    ) -> None:
        self._config = config = config or EngineConfig()
        self._bounds = config.depth, config.queue_bytes
        self._overflow = DropReason.SUPERSEDED if config.policy == "newest" else DropReason.QUEUE_FULL
        self._steady_ns, self._clock_ns = steady_ns, clock_ns
        self._intake: Intake[MessageT] = Intake(config.history, steady_ns)
        self._shrinker = Shrinker(self._intake, shrink)
        self._replay: tuple[Replay[MessageT], Future[TargetAnswer]] | None = None
        self._replay_cost = Cost()
        self._stats = Stats()
        self._halts = Halts()
        self.starts = 0
        """How often it was started; what was named before the last start is forgotten."""
        hooks = Hooks(
            convert=convert,
            publish=self._halts.unless_stopped(publish),
            show=self._halts.unless_stopped(show),
            on_fault=on_fault,
            clock_ns=clock_ns,
            steady_ns=steady_ns,
            is_device_error=is_device_error,
            same_picture=same_picture,
            names=names,
            halted=lambda: self._halts.reason,
        )
        self._worker = Worker(tracker, hooks, self._stats, config)
        self._mailbox: Mailbox[Offered[MessageT], Command] = Mailbox()
        self._mailbox.close()
        self._lifecycle = threading.RLock()
        self._thread: threading.Thread | None = None
        self._ending = False
        self._left: list[Command] = []  # came too late for the thread that ends; it does them last

    def start(self) -> None:
        """Begin unpaused, count anew; without target, but for one kept after a fault. Does nothing while running.

        Raises RuntimeError while a `stop` has not come to its end.
        """
        with self._lifecycle:
            if self._ending:
                raise RuntimeError(AT_WORK)
            if self._thread is not None:
                return
            self.starts += 1
            self._stats.restart()
            self._intake.restart()
            self._worker.activate(True)
            self._mailbox = Mailbox(*self._bounds)
            self._shrinker.start()
            self._thread = threading.Thread(target=self._run, args=(self._mailbox,), name="engine", daemon=True)
            self._thread.start()

    def stop(self, within_s: float | None = None) -> bool:
        """End the thread after the frame in work; forgets the history, and the target unless it failed.

        Gives whether it has ended: within_s is how long that is waited for, None until it has. What has not ended by
        then ends later, by itself, and publishes nothing any more; a further call waits for it again.
        Waiting frames are dropped as inactive, waiting set_targets refused. Does nothing while stopped. Raises
        RuntimeError in the engine thread, which cannot wait for itself.
        """
        if self._thread is threading.current_thread():
            raise RuntimeError("stop called in the engine thread; allowed is any other")
        with self._lifecycle:
            thread = self._thread
            if thread is None:
                return True
            self._ending = True
            frames, commands = self._mailbox.close()
            self._left += commands
            for _ in frames:
                self._stats.left(DropReason.INACTIVE)
            self._shrinker.stop()
        thread.join(within_s)
        with self._lifecycle:
            if self._ending:
                self._halts.stop()
            return not self._ending

    @property
    def is_at_work(self) -> bool:
        """Whether it was stopped, and the tracker has not come back from its last image in time."""
        return self._halts.stopped

    def offer(
        self, message: MessageT, *, stamp_ns: int, arrival_ns: int, nbytes: int, sequence: int | None = None
    ) -> None:
        """Hand over a received image; never blocks, works in every state; the image callback calls nothing else.

        From one thread at a time. stamp_ns: header stamp, 0 = missing. arrival_ns: by the node's clock. nbytes: size
        of the image's data. sequence: the publisher's sequence number, None where the middleware has none.
        """
        offered = self._intake.admit(
            message, stamp_ns=stamp_ns, arrival_ns=arrival_ns, nbytes=nbytes, sequence=sequence
        )
        self._shrinker.wake()
        self._stats.arrived(offered.received_ns)
        for without_place in self._mailbox.put(offered, nbytes):
            self._stats.left(DropReason.INACTIVE if without_place is offered else self._overflow)

    def change_source(self) -> None:
        """The next message comes from another publisher: its numbers say nothing of what was lost before it."""
        self._intake.change_source()

    def set_target(self, request: TargetRequest) -> Future[TargetAnswer]:
        """Follow another target; never blocks, never raises, needs no camera that still runs.

        The future always gets an answer, within `set_target_timeout_ms`: from the engine thread, a timer thread, or at
        once. Its done-callback (`future.add_done_callback`) is the place to wake an executor. The target counts on
        the newest image received by now, or on that of `stamp_ns`; what has come since is gone through before the
        answer, in `history.budget_ms` and at most half of that time. A refused target leaves the one before as it is;
        one that comes too late, or whose future was cancelled, ends it.
        """
        future: Future[TargetAnswer] = Future()
        try:
            offered = self._asked_image(request)
        except RefusalError as refusal:
            give(future, TargetAnswer(code=refusal.code, message=str(refusal)))
            return future
        self._limit_time(future, lambda said: TargetAnswer(code=Code.TIMEOUT, message=said))
        self._halts.promise(future, self._inactive)
        latest_ns = self._steady_ns() + round(self._config.set_target_timeout_ms * NS_PER_MS / 2)
        if not self._mailbox.post(lambda: self._name_target(request, offered, future, latest_ns)):
            give(future, self._inactive())
        return future

    def confirm(self) -> Future[ConfirmAnswer]:
        """Go on with the best candidate for a target that is away; never blocks, never raises.

        It counts as it was in the last answer when the command's turn comes. The future always gets an answer, as that
        of `set_target`; a refusal changes nothing.
        """
        future: Future[ConfirmAnswer] = Future()
        self._limit_time(future, lambda said: ConfirmAnswer(code=Confirmation.TIMEOUT, message=said))
        self._halts.promise(future, self._not_confirmed)
        if not self._mailbox.post(lambda: self._confirm(future)):
            give(future, self._not_confirmed())
        return future

    def clear_target(self) -> Future[State]:
        """Forget the target; the future gives the state after, at once even while the tracker hangs.

        Nothing of the image in work is published any more, and the tracker is told before the next one.
        """
        return self._halt(DropReason.NO_TARGET, self._worker.clear)

    def pause(self, paused: bool) -> Future[State]:
        """Stop or go on tracking; the target is kept. The future gives the state after.

        A stop is answered as that of `clear_target`. The end of a pause waits for the image in work; what takes longer
        than `set_target_timeout_ms` is given up, and the state stays PAUSED.
        """
        asked_ns, answer = self._steady_ns(), Future[State]()
        if paused:
            return self._halt(DropReason.PAUSED, lambda: self._worker.pause(True, asked_ns))
        self._limit_time(answer, lambda said: self.snapshot().state)
        self._halts.promise(answer, lambda: State.INACTIVE)
        self.submit(lambda: None if answer.done() else give(answer, self._worker.pause(False)))
        return answer

    def _halt(self, order: DropReason, function: Callable[[], State]) -> Future[State]:
        """An order to stop: answered by the engine's thread, or without it where that has no time."""
        answer: Future[State] = Future()

        def done(state: Future[State]) -> None:
            self._halts.done(order)
            give(answer, state.result())

        self._halts.add(order)
        limit_time(answer, lambda said: self.snapshot().state, AT_ONCE_MS)
        self.submit(function).add_done_callback(done)
        return answer

    def reconfigure(self, config: EngineConfig, tracker_config: Any = None) -> Future[State]:
        """Apply the live settings of `config`, and of the tracker's own if they are given, before the next frame.

        The others are read when engine and tracker are made.
        """
        self._config = config
        return self.submit(lambda: self._worker.reconfigure(config, tracker_config))

    def submit(self, function: Callable[[], ValueT]) -> Future[ValueT]:
        """Run `function` in the engine thread before the next frame (at once in the caller's while stopped).

        The way to the tracker's own live settings; the future gets its value or its exception.
        """
        future: Future[ValueT] = Future()

        def command() -> None:
            complete(future, function)

        if not self._mailbox.post(command):
            self._run_stopped(command)
        return future

    def snapshot(self) -> Snapshot:
        """What diagnostics and status report; from any thread, never waits for a frame."""
        return self._stats.snapshot(
            self._halts.seen_in(self._worker.status),
            now_ns=self._steady_ns(),
            lost=self._intake.lost,
            stamp_trouble=self._worker.stamp_trouble,
            image_size=self._worker.image_size,
            image_trouble=self._worker.image_trouble,
        )

    def _run(self, mailbox: Mailbox[Offered[MessageT], Command]) -> None:
        try:
            while (work := self._next(mailbox)) is not None:
                if isinstance(work, Offered):
                    self._worker.handle(work)
                else:
                    work()
        finally:
            self._end()

    def _end(self) -> None:
        """What the thread does last: only now is the tracker anybody else's."""
        with self._lifecycle:
            if self._replay is not None:
                give(self._replay[1], self._inactive())
                self._replay = None
            self._thread, self._ending = None, False
            self._worker.activate(False)
            self._halts.end()
            self._intake.forget()
            commands, self._left = self._left, []
            for command in commands:
                command()

    def _next(self, mailbox: Mailbox[Offered[MessageT], Command]) -> Offered[MessageT] | Command | None:
        """What is to be done next: frames wait until a target that was named late has caught up, commands do not."""
        while self._replay is not None and not mailbox.is_urgent:
            self._go_on()
        return mailbox.take()

    def _go_on(self) -> None:
        """Bring a target that was named late one frame nearer to the present, and answer once it is there."""
        if self._replay is not None and (
            self._replay[1].done() or not self._replay[0].step(lambda: self._mailbox.first)
        ):
            self._end_replay()

    def _run_stopped(self, command: Command) -> None:
        if threading.current_thread() is self._thread:  # it is ending
            command()
            return
        with self._lifecycle:
            is_posted = self._mailbox.post(command)
            if not is_posted and self._thread is None:
                command()
            elif not is_posted:
                self._left.append(command)

    def _asked_image(self, request: TargetRequest) -> Offered[MessageT]:
        """The image of a request. Raises RefusalError."""
        if self._thread is None or self._worker.fault:
            raise RefusalError(Code.INACTIVE, self._inactive().message)
        check_request(request)
        offered, kept = self._intake.find(request.stamp_ns, self._config.history.tolerance_ms)
        if not kept:
            raise RefusalError(Code.NO_IMAGE, "no image received yet")
        if offered is None:
            stamp = f"{request.stamp_ns / 1e9:.9f} s"
            raise RefusalError(Code.STAMP_TOO_OLD, f"no image of stamp {stamp} among the last {kept}; 0 = the newest")
        return offered

    def _inactive(self) -> TargetAnswer:
        reason = f"the engine has given up: {self._worker.fault}" if self._worker.fault else "the node is not active"
        return TargetAnswer(code=Code.INACTIVE, message=reason)

    def _limit_time(self, future: Future[ValueT], late: Callable[[str], ValueT]) -> None:
        limit_time(future, late, self._config.set_target_timeout_ms)

    def _name_target(
        self, request: TargetRequest, offered: Offered[MessageT], future: Future[TargetAnswer], latest_ns: int
    ) -> None:
        """The command of set_target: nothing is done for a request that was given up.

        latest_ns: steady time by which the way to the present ends.
        """
        if future.done():
            return
        ready = self._thread is not None and not self._worker.fault
        answer = self._worker.begin(request, offered) if ready else self._inactive()
        if not answer.success:
            give(future, answer)
            return
        self._end_replay()
        budget_ns = round(self._config.history.budget_ms * NS_PER_MS)
        replay = Replay(
            self._worker,
            self._intake.after,
            offered,
            answer,
            end_ns=min(self._steady_ns() + budget_ns, latest_ns),
            cost=self._replay_cost,
            steady_ns=self._steady_ns,
        )
        self._replay = replay, future
        self._go_on()

    def _end_replay(self) -> None:
        """Answer the request whose target is on its way to the present, if there is one."""
        if self._replay is None:
            return
        (replay, future), self._replay = self._replay, None
        if self._worker.fault or self._halts.clears:
            self._worker.clear()  # what was refused is not there after the next start
        answer = self._inactive() if self._worker.fault else replay.answer()
        if not give(future, answer) and answer.success:
            self._worker.clear()

    def _confirm(self, future: Future[ConfirmAnswer]) -> None:
        """The command of confirm: nothing is done for a request that was given up."""
        if future.done():
            return
        ready = self._thread is not None and not self._worker.fault
        if self._replay is not None:
            said = "the target is on its way to the present; wait for the answer of set_target"
            give(future, ConfirmAnswer(code=Confirmation.NO_ANSWER, message=said))
            return
        give(future, self._worker.confirm() if ready else self._not_confirmed())

    def _not_confirmed(self) -> ConfirmAnswer:
        return ConfirmAnswer(code=Confirmation.INACTIVE, message=self._inactive().message)
