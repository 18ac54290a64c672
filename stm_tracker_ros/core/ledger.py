"""The list of files that commands wrote in a folder: what tells them from files of the user.

One line a note, appended, so that a run of thousands of files pays little and one that is killed loses nothing; a run
begins with a new list of what is still there. Format: JSON a line, the first one `HEADER`.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO
from uuid import uuid4

from stm_tracker_ros.core.errors import OutputError

LEDGER_NAME = ".stm_tracker_files"
HEADER = {"list": "files that stm_tracker wrote here; it may replace these, and nothing else", "version": 1}

_TOKEN = "user.stm_tracker"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """How one of our files looks, by what the file system says of it.

    token: of a file in the making, whatever it holds by now: an attribute that a file in its place will not have. size,
    mtime_ns: of one that was left. Without any of them the file was about to be made: an empty one is ours. whole: it
    was left complete.
    """

    token: str = ""
    size: int | None = None
    mtime_ns: int | None = None
    whole: bool = False

    def fits(self, path: Path, found: os.stat_result) -> bool:
        """Whether what was found at `path` is that file."""
        if self.token:
            return _token_of(path) == self.token
        if self.size is not None:
            return (found.st_size, found.st_mtime_ns) == (self.size, self.mtime_ns)
        return found.st_size == 0


class Ledger:
    """The list of one folder."""

    def __init__(self, folder: Path) -> None:
        """Read it; an absent one is empty. Raises OutputError for a file of that name that is something else."""
        self.path = folder / LEDGER_NAME
        self._marks: dict[str, list[Mark]] = _read(self.path)

    @property
    def exists(self) -> bool:
        """Whether a command has written in this folder before."""
        return self.path.exists()

    def mark(self, name: str) -> Mark | None:
        """The mark that the file of that name fits; None for a file that is not ours, a link, or nothing at all."""
        found = look(self.path.parent / name)
        if found is None or not S_ISREG(found.st_mode):
            return None
        path = self.path.parent / name
        return next((mark for mark in self._marks.get(name, ()) if mark.fits(path, found)), None)

    def note(self, name: str, mark: Mark, *, also: bool = False) -> None:
        """Note how the file of that name looks; also: or as it was noted before. Raises OSError."""
        if look(self.path) is None:
            self.begin()
        self._marks[name] = [*(self._marks.get(name, ()) if also else ()), mark]
        with open(self.path, "a", encoding="utf-8", opener=_open_itself) as file:
            file.write(_line(name, mark, also=also))

    def begin(self) -> None:
        """Write the list anew, of the files that are still as they were noted. Raises OSError."""
        marks = {name: mark for name in self._marks if (mark := self.mark(name)) is not None}
        self._marks = {name: [mark] for name, mark in marks.items()}
        unfinished = self.path.with_name(f"{LEDGER_NAME}.{uuid4().hex}")
        with unfinished.open("x", encoding="utf-8") as file:
            file.write(json.dumps(HEADER) + "\n")
            file.writelines(_line(name, mark) for name, mark in marks.items())
        unfinished.replace(self.path)


def tag(file: BinaryIO) -> str:
    """Give an open file a token of its own; empty where the file system has no place for one.

    A number in the file system would not do: it is given to the next file as soon as this one is removed.
    """
    token = uuid4().hex
    try:
        os.setxattr(file.fileno(), _TOKEN, token.encode())
    except OSError:
        return ""
    return token


def _token_of(path: Path) -> str:
    try:
        return os.getxattr(path, _TOKEN, follow_symlinks=False).decode(errors="replace")
    except OSError:
        return ""


def look(path: Path) -> os.stat_result | None:
    """What lies at `path` itself, no link followed; None for nothing."""
    try:
        return path.stat(follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _open_itself(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def _line(name: str, mark: Mark, *, also: bool = False) -> str:
    return json.dumps({"file": name, "also": also, **asdict(mark)}) + "\n"


def _read(path: Path) -> dict[str, list[Mark]]:
    found = look(path)
    if found is None:
        return {}
    try:
        if not S_ISREG(found.st_mode):
            raise ValueError("it is no plain file")
        header, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
        if json.loads(header) != HEADER:
            raise ValueError("its first line is not ours")
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{path} cannot be read as the list of files that stm_tracker wrote ({error}); give another folder, or "
            "remove that file: what lies there then counts as yours"
        ) from None
    return _marks(lines)


def _marks(lines: list[str]) -> dict[str, list[Mark]]:
    marks: dict[str, list[Mark]] = {}
    for line in lines:
        try:
            fields = json.loads(line)
            name, also, mark = str(fields.pop("file")), fields.pop("also"), Mark(**fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # cut short by a full disk or a kill: what it told of counts as the user's
        marks[name] = [*(marks.get(name, ()) if also else ()), mark]
    return marks
