"""An evaluation cut into pieces that any process can do, in any order, and do again after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from collections.abc import Sequence as Rows
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from stm_tracker_ros.core.errors import DataError, FrameError, OutputError, StmTrackerError, TargetError
from stm_tracker_ros.core.protocol import Tracker

NoteFailure = Callable[[str, StmTrackerError], None]
"""Called with the name of an item that cannot be done and why; the others go on."""
Progress = Generator[tuple[str, int], None, None]
"""The name of an item and how many of its frames are done, as they are done."""


class WorkItem(Protocol):
    """One piece of an evaluation. Can be pickled, for it may be done in another process."""

    @property
    def name(self) -> str:
        """The folder of its results below that of the report."""

    @property
    def frames(self) -> int:
        """How many it has: for the order of work and the progress bar."""

    def run(self, tracker: Tracker, folder: Path) -> Iterator[int]:
        """Do it; yields how many frames are done. What it writes last, it writes at once: then it is finished.

        Raises DataError, FrameError, TargetError if it cannot be done, OutputError if nothing can be written.
        """

    def is_finished(self, folder: Path) -> bool:
        """Whether `folder` holds its results, whole."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What an evaluation does, and what it makes of the results.

    summarise: called with the folder of the report and the failures (name: why); figures ready for JSON, of the items
    that are finished. table: those figures as text. failed: what could not even be made an item of, and why.
    read_from: the folders that it reads. item_kind: what its items are, in a sentence.
    """

    items: Rows[WorkItem]
    summarise: Callable[[Path, Mapping[str, str]], dict[str, Any]]
    table: Callable[[Mapping[str, Any]], str]
    failed: Mapping[str, str] = field(default_factory=dict)
    read_from: Rows[Path] = ()
    item_kind: str = "sequences"


def work_off(
    items: Iterable[WorkItem], tracker: Tracker, out: Path, note_failure: NoteFailure | None = None
) -> Progress:
    """Do the items one after the other, in this process; results go to `out`/<name>/.

    Items finished there before are passed over: their count comes at once. Without `note_failure` the first item that
    cannot be done is raised; OutputError always is.
    """
    for item in items:
        folder = out / item.name
        if item.is_finished(folder):
            yield item.name, item.frames
            continue
        try:
            for done in item.run(tracker, folder):
                yield item.name, done
        except OutputError:
            raise
        except (DataError, FrameError, TargetError) as error:
            if note_failure is None:
                raise
            note_failure(item.name, error)
