"""Nothing of the user's is lost: what a command may write and clear in the folder of its results.

A file that is there already is replaced only if an earlier run listed it as its own (core/ledger.py) and it still looks
as that run left it. Everything else is the user's, links too, and is refused before the first write. So is a file that
another command writes at this time: each holds a lock on what it writes.
"""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR, S_ISLNK
from typing import Any, BinaryIO, cast

from stm_tracker_ros.core.errors import OutputError
from stm_tracker_ros.core.ledger import Ledger, Mark, look, tag
from stm_tracker_ros.core.system_errors import in_words

ADVICE = "give another folder or name, or move it away"
PART_SUFFIX = ".part"
"""Of a file that is not whole yet, beside the one that it will replace."""


class OutputFolder:
    """A folder of results, not necessarily there yet; nothing is written, nor a folder made, before the first file.

    Names are relative to it, with at most one folder: `trajectory.csv`, `masks/000000.png`.
    """

    def __init__(self, path: Path) -> None:
        """Raises OutputError if `path` is no folder, or holds a list of files that is not ours."""
        with said(path):
            found = path.stat() if path.exists() else look(path)
        if found is not None and not S_ISDIR(found.st_mode):
            raise OutputError(f"{path} is no folder; allowed is one, or a name that is free")
        self.path = path
        self._ledger, self._begun = Ledger(path), False

    def below(self, name: str) -> OutputFolder:
        """The folder of that name within this one, for results alone.

        Raises OutputError if it, or a folder on the way, is a link, or if it holds files and no list of ours.
        """
        path = self.path
        for part in Path(name).parts:
            path = path / part
            _refuse_link(path)
        folder = OutputFolder(path)
        if path.is_dir() and not folder._ledger.exists and any(path.iterdir()):
            raise OutputError(f"{path} holds files that stm_tracker did not write; {ADVICE}")
        return folder

    def check(
        self, files: Iterable[str], folders: Iterable[str] = (), inputs: Iterable[Path | str] = ()
    ) -> OutputFolder:
        """Check, before anything is written, what a command is about to write; gives this folder back.

        files: names that it may write; folders: those that hold its files alone; inputs: what it reads, where such
        files exist. Raises OutputError where something of the user's, or an input, would be overwritten or mixed up.
        """
        files, folders = tuple(files), tuple(folders)
        with said(self.path):
            for name in files:
                self._refuse_unlisted(name)
            for name in folders:
                self._refuse_unlisted_folder(name)
            for given in inputs:
                if os.path.exists(given):  # unlike Path's it takes addresses of streams as they come
                    self._refuse_input(Path(given), files, folders)
        return self

    def make(self) -> OutputFolder:
        """Make the folder, for a command that writes late but is to fail early; gives it back. Raises OutputError."""
        with said(self.path):
            self._begin(self.path)
        return self

    def is_unfinished(self, name: str) -> bool:
        """Whether a run of ours was ended while it wrote that file."""
        mark = self._ledger.mark(name)
        return mark is not None and not mark.whole

    @contextmanager
    def new(self, name: str) -> Iterator[BinaryIO]:
        """A new file, in place of ours of that name; ours, but not whole, if the block ends in an error.

        Unbuffered: what was written is in the file. Raises OutputError if it cannot be made, or what lies there is not
        ours, and within the block if it cannot be written, as when the disk is full.
        """
        with self._open(name, "xb") as file:
            yield file

    def write(self, name: str, data: bytes) -> None:
        """A new file with this content, in place of ours, or none. Raises OutputError as `new`."""
        self._refuse_unlisted(name)  # what another command is writing is not removed below
        try:
            with self.new(name) as file:
                file.write(data)
        except OutputError:
            if self.is_unfinished(name):
                (self.path / name).unlink(missing_ok=True)
            raise

    @contextmanager
    def continued(self, name: str) -> Iterator[BinaryIO]:
        """Our file of that name, or a new one, to append to; links to it that the user made keep what they have."""
        self._refuse_unlisted(name)
        path = self.path / name
        self.write(name + PART_SUFFIX, path.read_bytes() if look(path) else b"")
        self.replace(name + PART_SUFFIX, name)
        with self._open(name, "ab") as file:
            yield file

    def replace(self, name: str, target: str) -> None:
        """Give our whole file `name` the name `target`, in place of ours of that name, at once."""
        self._refuse_unlisted(target)
        mark = self._ledger.mark(name)
        assert mark is not None, f"{name} is no file that this run wrote"
        with said(self.path / target):
            self._ledger.note(target, mark, also=True)
            _move(self.path / name, self.path / target)
            self._ledger.note(target, mark)

    def clear(self, folder: str) -> None:
        """Remove our files from a folder that holds nothing else. Raises OutputError if it does."""
        self._refuse_unlisted_folder(folder)
        for name in self._names_in(folder):
            self._clear_file(name)

    @contextmanager
    def _open(self, name: str, mode: str) -> Iterator[BinaryIO]:
        path = self.path / name
        with said(path):
            self._begin(path.parent)
            if mode == "xb":
                self._clear_file(name)
                self._ledger.note(name, Mark())
            file = _NamedFile(path, mode)
            inode, token = os.fstat(file.fileno()).st_ino, tag(cast(BinaryIO, file))
            if token:
                self._ledger.note(name, Mark(token=token))
        whole = False
        try:
            with file, _held(file):
                yield cast(BinaryIO, file)
            whole = True
        except RuntimeError:
            if file.refused is not None:
                raise file.refused from None  # torch makes an error of its own of it, without a file's name
            raise
        finally:
            self._note_left(name, inode, whole)

    def _begin(self, folder: Path) -> None:
        if not self._begun:
            self.path.mkdir(parents=True, exist_ok=True)
            self._ledger = Ledger(self.path)  # another part of the command may have written since
            self._ledger.begin()
            self._begun = True
        if folder != self.path:
            _refuse_link(folder)
            folder.mkdir(exist_ok=True)

    def _note_left(self, name: str, inode: int, whole: bool) -> None:
        found = look(self.path / name)
        if found is not None and found.st_ino == inode:
            with said(self.path / name):
                self._ledger.note(name, Mark(size=found.st_size, mtime_ns=found.st_mtime_ns, whole=whole))

    def _clear_file(self, name: str) -> None:
        self._refuse_unlisted(name)
        (self.path / name).unlink(missing_ok=True)

    def _refuse_unlisted(self, name: str) -> None:
        path = self.path / name
        if look(path) is not None and self._ledger.mark(name) is None:
            raise OutputError(
                f"{path} would be overwritten: stm_tracker did not write it, or it has been changed since; {ADVICE}"
            )
        if _is_held(path):
            raise OutputError(f"{path} is being written by another stm_tracker; give another folder or name, or wait")

    def _refuse_unlisted_folder(self, name: str) -> None:
        path = self.path / name
        _refuse_link(path)
        found = look(path)
        if found is not None and not S_ISDIR(found.st_mode):
            raise OutputError(f"{path} is no folder, and results belong into one of that name; {ADVICE}")
        for inside in self._names_in(name):
            if self._ledger.mark(inside) is None:
                raise OutputError(
                    f"results would go into {path}, which holds {self.path / inside}: stm_tracker did not write that, "
                    f"or it has been changed since; {ADVICE}"
                )

    def _names_in(self, folder: str) -> list[str]:
        path = self.path / folder
        return sorted(f"{folder}/{entry.name}" for entry in path.iterdir()) if path.is_dir() else []

    def _refuse_input(self, given: Path, files: Iterable[str], folders: Iterable[str]) -> None:
        real = given.resolve()
        if real == self.path.resolve():
            raise OutputError(f"{given} is what is read, and results would lie among it; give another folder for them")
        for path in (self.path / name for name in files):
            if path.exists() and path.samefile(given):
                raise OutputError(f"{given} is what is read, and {path} would be overwritten; {ADVICE}")
        for path in (self.path / name for name in folders):
            if real.is_relative_to(path.resolve()):
                raise OutputError(f"{given} is what is read, and the files in {path} would be cleared; {ADVICE}")


class _NamedFile(io.FileIO):
    """An unbuffered file that writes all it is given, or says which file could not be written, and why."""

    def __init__(self, path: Path, mode: str) -> None:
        super().__init__(path, mode)
        self._path = path
        self.refused: OutputError | None = None

    def write(self, data: Any) -> int:
        """Write all of `data`; how many bytes that were. Raises OutputError."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            with said(self._path):
                while rest:
                    rest = rest[super().write(rest) :]
        except OutputError as error:
            self.refused = error
            raise
        return size


def refuse_existing(path: Path) -> None:
    """Raises OutputError if something lies at `path`, a link too, or if there is no folder to write it into."""
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {path.parent}")
    if look(path) is not None:
        raise OutputError(f"{path} exists; give another name, or remove it")


def new_file(path: Path) -> BinaryIO:
    """A file that was not there before, open for writing. Raises OutputError if it was, or cannot be made."""
    refuse_existing(path)
    with said(path):
        return cast(BinaryIO, _NamedFile(path, "xb"))


def write_new(path: Path, data: bytes) -> None:
    """Write a file that was not there before. Raises OutputError as `new_file`; no part of a file stays."""
    file = new_file(path)
    try:
        with said(path), file:
            file.write(data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def said(path: Path) -> Iterator[None]:
    """An error of the system in the block as an OutputError that names the file."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {in_words(error)}") from None


@contextmanager
def _held(file: io.FileIO) -> Iterator[None]:
    """Nobody else writes the file in this block, where the file system has locks."""
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield
    finally:
        with suppress(OSError, ValueError):  # not left to the end of the file: a process forked meanwhile has it too
            fcntl.flock(file, fcntl.LOCK_UN)


def _is_held(path: Path) -> bool:
    """Whether somebody writes that file now."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # nothing there, or no locks
        return False
    return False


def _refuse_link(path: Path) -> None:
    found = look(path)
    if found is not None and S_ISLNK(found.st_mode):
        raise OutputError(f"{path} is a link to {os.readlink(path)}, and results would be written there; {ADVICE}")


def _move(source: Path, target: Path) -> None:
    """Rename; a free name is taken without overwriting what may have come there meanwhile."""
    if look(target) is not None:
        source.replace(target)
        return
    try:
        target.hardlink_to(source)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        source.rename(target)
    else:
        source.unlink()
