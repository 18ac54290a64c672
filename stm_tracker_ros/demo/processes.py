"""The demo's child processes: started, watched, ended, cleaned up after."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stm_tracker_ros.core.errors import StmTrackerError

LINES_KEPT = 12
GRACE_S = 10.0
POLL_S = 0.1
_SEGMENT = re.compile(r"/dev/shm/(?:sem\.)?fast(?:rtps|dds)_\S+")


class Child:
    """One process with a name; its output is kept for the report of its death and may be shown line by line."""

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        show: Callable[[str], None],
    ) -> None:
        """Start `python -m module arguments` with this interpreter."""
        self.name = name
        self.last_lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._held: set[Path] = set()
        # A session of its own: Ctrl-C reaches the parent alone, which ends the children in order.
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(show,), daemon=True)
        self._reader.start()

    @property
    def return_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended within the time."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> None:
        """Ask it to end (as Ctrl-C would), then insist."""
        for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self.return_code is not None:
                break
            self._process.send_signal(signal_number)
            self.wait(GRACE_S)
        self._reader.join(GRACE_S)

    def shared_memory(self) -> set[Path]:
        """Fast DDS's files in shared memory that it was seen to hold, its peers' among them."""
        return self._held | shared_memory_of(self._process.pid)

    def last_words(self) -> str:
        """How it ended and its last lines, for the operator."""
        self._reader.join(GRACE_S)
        lines = "\n".join(f"  | {line}" for line in self.last_lines)
        return (
            f"the {self.name} process ended with {_ending(self.return_code)}; its last lines:\n{lines or '  | (none)'}"
        )

    def _read(self, show: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.last_lines.append(line.rstrip())
            # A process that is killed cannot be asked any more.
            self._held |= shared_memory_of(self._process.pid)
            show(f"[{self.name}] {line.rstrip()}")


def wait_for(child: Child, others: Sequence[Child]) -> None:
    """Wait until `child` has ended well.

    Raises StmTrackerError with the last lines of whichever process failed.
    """
    while not child.wait(POLL_S):
        for other in others:
            if other.return_code not in (None, 0):
                raise StmTrackerError(other.last_words())
    if child.return_code != 0:
        raise StmTrackerError(child.last_words())


def end_all(children: Sequence[Child]) -> None:
    """End every child, the last started first, then remove what killed ones left in shared memory (theirs alone)."""
    held = set().union(*(child.shared_memory() for child in children))
    for child in reversed(children):
        child.end()
    if held:
        for file in held - _held_by_anybody():
            file.unlink(missing_ok=True)


def shared_memory_of(pid: int) -> set[Path]:
    """Fast DDS's files in /dev/shm that a process has mapped; empty where we may not look, or it has ended."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    mapped = {Path(name) for name in _SEGMENT.findall(maps)}
    # Beside each lies the file whose lock says that its owner lives.
    return mapped | {file.with_name(f"{file.name}_el") for file in mapped}


def _held_by_anybody() -> set[Path]:
    pids = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return set().union(*(shared_memory_of(pid) for pid in pids))


def _ending(return_code: int | None) -> str:
    if return_code is None:
        return "no exit code"
    if return_code < 0:
        return f"signal {signal.Signals(-return_code).name}"
    return f"exit code {return_code}"
