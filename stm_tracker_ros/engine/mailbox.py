"""Two lanes into one thread: frames, of which the newest win, and commands, which go first and are never lost."""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")
CommandT = TypeVar("CommandT")


class Mailbox(Generic[ItemT, CommandT]):
    """At most `depth` frames wait (one by default), of `most_bytes` together; a frame too many pushes out the oldest.

    The newest waits however large it is. Any thread may put and post; one thread takes. A closed mailbox stays closed.
    """

    def __init__(self, depth: int = 1, most_bytes: float = math.inf) -> None:
        self._depth, self._most_bytes = depth, most_bytes
        self._items: deque[tuple[ItemT, int]] = deque()
        self._nbytes = 0
        self._commands: deque[CommandT] = deque()
        self._closed = False
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """Frames that wait now."""
        with self._changed:
            return len(self._items)

    @property
    def first(self) -> ItemT | None:
        """The frame that is taken next; None where none waits."""
        with self._changed:
            return self._items[0][0] if self._items else None

    @property
    def is_urgent(self) -> bool:
        """Whether a command waits, or it is closed: what `take` gives next is no frame."""
        with self._changed:
            return self._closed or bool(self._commands)

    def put(self, item: ItemT, nbytes: int = 0) -> list[ItemT]:
        """Leave a frame of that size; gives those that have no place: the oldest waiting, or `item` once closed."""
        with self._changed:
            if self._closed:
                return [item]
            self._items.append((item, nbytes))
            self._nbytes += nbytes
            self._changed.notify()
            without_place = []
            while len(self._items) > 1 and self._is_too_much():
                without_place.append(self._next_item())
            return without_place

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
            return self._commands.popleft() if self._commands else self._next_item()

    def close(self) -> tuple[list[ItemT], list[CommandT]]:
        """Wake whoever takes, for the last time; gives the frames and the commands that were still waiting."""
        with self._changed:
            left = [item for item, _ in self._items], list(self._commands)
            self._items.clear()
            self._commands.clear()
            self._closed = True
            self._changed.notify_all()
            return left

    def _is_too_much(self) -> bool:
        return len(self._items) > self._depth or self._nbytes > self._most_bytes

    def _next_item(self) -> ItemT:
        item, nbytes = self._items.popleft()
        self._nbytes -= nbytes
        return item
