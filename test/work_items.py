"""Pieces of work for tests of processes: they can be pickled, and say what a process has done."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stm_tracker_ros.core.errors import ConfigError, DataError, OutputError, StmTrackerError, TargetError, TargetFault

DONE_NAME = "done.txt"


@dataclass(frozen=True, kw_only=True)
class Item:
    """Writes the number of its process and what it was given as a tracker; then it is finished."""

    name: str
    frames: int = 3

    def run(self, tracker: str, folder: Path) -> Iterator[int]:
        for number in range(self.frames):
            yield number + 1
        folder.mkdir(parents=True)
        (folder / DONE_NAME).write_text(f"{os.getpid()} {tracker}")

    def is_finished(self, folder: Path) -> bool:
        return (folder / DONE_NAME).is_file()


@dataclass(frozen=True, kw_only=True)
class Killed(Item):
    """As by the system when memory runs out."""

    def run(self, tracker: str, folder: Path) -> Iterator[int]:
        yield 1
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class Interrupted(Item):
    """As by Ctrl-C in the terminal, which all processes get."""

    def run(self, tracker: str, folder: Path) -> Iterator[int]:
        os.kill(os.getpid(), signal.SIGINT)
        yield from super().run(tracker, folder)


@dataclass(frozen=True, kw_only=True)
class Broken(Item):
    """Raises what no item may raise."""

    def run(self, tracker: str, folder: Path) -> Iterator[int]:
        yield 1
        raise ZeroDivisionError(self.name)


@dataclass(frozen=True, kw_only=True)
class Refused(Item):
    """Cannot be done; `full`: nor can anything else."""

    full: bool = False

    def run(self, tracker: str, folder: Path) -> Iterator[int]:
        yield 1
        error: StmTrackerError = TargetError("no target", TargetFault.TOO_SMALL)
        raise OutputError("disk full") if self.full else error


def load() -> str:
    return "a tracker"


def load_nothing() -> str:
    raise ConfigError("no such tracker")


def load_and_die() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    raise DataError("not reached")
