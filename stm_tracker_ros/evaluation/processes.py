"""Work shared out among processes, each of which loads a tracker of its own; the longest items come first.

A process that dies takes its item with it and nothing else. Ctrl-C is the parent's alone: it ends the others, and
whatever ends the parent ends them too, for they write into pipes that nobody reads any more.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from stm_tracker_ros.core.errors import DataError, FrameError, OutputError, ProcessError, StmTrackerError, TargetError
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.evaluation.work import NoteFailure, Progress, WorkItem

Load = Callable[[], Tracker]
"""Makes a tracker in the process that calls it; can be pickled."""

_END_S = 5.0
# What a process says: it wants an item; frames of it that are done; why it cannot be done; why nothing can be.
_FREE, _DONE, _FAILED, _REFUSED = range(4)


def share_out(
    items: Iterable[WorkItem], load: Load, out: Path, jobs: int, note_failure: NoteFailure | None = None
) -> Progress:
    """As `work.work_off`, by `jobs` processes. Without `note_failure` the first failure is raised, as ProcessError if
    its process died.
    """
    todo = deque[WorkItem]()
    for item in sorted(items, key=lambda item: -item.frames):
        if item.is_finished(out / item.name):
            yield item.name, item.frames
        else:
            todo.append(item)
    crew = _Crew(load, out, todo, note_failure)
    try:
        for _ in range(min(jobs, len(todo))):
            crew.hire()
        while crew.workers:
            yield from crew.listen()
    finally:
        crew.dismiss()


@dataclass
class _Worker:
    """A process, our end of the pipe to it, and the item that it is at."""

    process: SpawnProcess
    connection: Connection[Any, Any]
    loaded: bool = False
    item: WorkItem | None = None


class _Crew:
    """The processes and what is left to do."""

    def __init__(self, load: Load, out: Path, todo: deque[WorkItem], note_failure: NoteFailure | None) -> None:
        self.workers: list[_Worker] = []
        self._load, self._out, self._todo, self._note_failure = load, out, todo, note_failure
        self._context = multiprocessing.get_context("spawn")

    def hire(self) -> None:
        """Start a process."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(self._load, self._out, theirs), daemon=True)
        with _interrupts_held():
            process.start()
            self.workers.append(_Worker(process=process, connection=ours))
        theirs.close()

    def listen(self) -> Progress:
        """Wait until a process says something, and answer all that do."""
        heard = wait([worker.connection for worker in self.workers])
        for worker in [one for one in self.workers if one.connection in heard]:
            try:
                what, value = worker.connection.recv()
            except (EOFError, OSError):
                self._bury(worker)
                continue
            if what == _DONE and worker.item is not None:
                yield worker.item.name, value
            elif what == _FREE:
                self._hand_out(worker)
            elif what == _FAILED and worker.item is not None:
                self._fail(worker.item, value)
            elif what == _REFUSED:
                raise value

    def dismiss(self) -> None:
        """End all processes that are still there, and wait for it."""
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.process.join(_END_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.connection.close()
        self.workers.clear()

    def _hand_out(self, worker: _Worker) -> None:
        worker.loaded = True
        worker.item = self._todo.popleft() if self._todo else None
        try:
            worker.connection.send(worker.item)
        except OSError:  # it is dead, which the next look at its pipe tells
            return

    def _bury(self, worker: _Worker) -> None:
        """A process has ended; if it should not have, its item failed, and another one takes its place."""
        worker.process.join()
        worker.connection.close()
        self.workers.remove(worker)
        reason = f"the process that ran it {_last_words(worker.process.exitcode)}"
        if worker.item is not None:
            self._fail(worker.item, ProcessError(reason))
        if self._todo and worker.loaded:
            self.hire()
        elif not self.workers:
            # Nobody could even load the tracker.
            while self._todo:
                self._fail(self._todo.popleft(), ProcessError(reason))

    def _fail(self, item: WorkItem, error: StmTrackerError) -> None:
        if self._note_failure is None:
            raise error
        self._note_failure(item.name, error)


def _last_words(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        memory = "; the system does that when memory runs out" if exit_code == -signal.SIGKILL else ""
        return f"was ended by {signal.Signals(-exit_code).name}{memory}"
    return f"ended with status {exit_code}"


def _work(load: Load, out: Path, connection: Connection[Any, Any]) -> None:
    """What a process does: load the tracker, then item after item, until there is none or nobody listens."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())
    try:
        tracker = load()
        connection.send((_FREE, None))
        while (item := connection.recv()) is not None:
            try:
                for done in item.run(tracker, out / item.name):
                    connection.send((_DONE, done))
            except OutputError:
                raise
            except (DataError, FrameError, TargetError) as error:
                connection.send((_FAILED, error))
            connection.send((_FREE, None))
    except StmTrackerError as error:
        connection.send((_REFUSED, error))
    except (BrokenPipeError, ConnectionResetError, EOFError):
        return


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let a process that is started in the block never be interrupted, and this one after the block."""
    resource_tracker.ensure_running()  # else its start, within the block, would let interrupts through
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
    if held:
        raise KeyboardInterrupt
