"""Two lanes into one thread: frames, of which the newest win, and commands, which go first and are never lost."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")
CommandT = TypeVar("CommandT")


class Mailbox(Generic[ItemT, CommandT]):
    """At most `depth` frames wait (one by default); a frame too many pushes out the oldest.

    Any thread may put and post; one thread takes. A closed mailbox stays closed.
    """

    def __init__(self, depth: int = 1) -> None:
        self._depth = depth
        self._items: deque[ItemT] = deque()
        self._commands: deque[CommandT] = deque()
        self._closed = False
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """Frames that wait now."""
        with self._changed:
            return len(self._items)

    def put(self, item: ItemT) -> ItemT | None:
        """Leave a frame; gives the one that has no place: the oldest waiting, or `item` itself once closed."""
        with self._changed:
            if self._closed:
                return item
            self._items.append(item)
            self._changed.notify()
            return self._items.popleft() if len(self._items) > self._depth else None

    def post(self, command: CommandT) -> bool:
        """Leave a command; False, and nothing left, once closed."""
        with self._changed:
            if not self._closed:
                self._commands.append(command)
                self._changed.notify()
            return not self._closed

    def take(self) -> ItemT | CommandT | None:
        """Wait for the next command, else for the next frame; None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._commands or self._items)
            if self._closed:
                return None
            return self._commands.popleft() if self._commands else self._items.popleft()

    def close(self) -> tuple[list[ItemT], list[CommandT]]:
        """Wake whoever takes, for the last time; gives the frames and the commands that were still waiting."""
        with self._changed:
            left = list(self._items), list(self._commands)
            self._items.clear()
            self._commands.clear()
            self._closed = True
            self._changed.notify_all()
            return left
