"""The parser of all commands: values that begin with a minus sign are values."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any

# No option of ours looks like this.
_NEGATIVE = re.compile(r"-(\d|\.\d|inf|nan)", re.IGNORECASE)


class CommandParser(argparse.ArgumentParser):
    """Takes `--box -5,100,20,40`: argparse holds a value that begins with a minus sign for an option."""

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As of argparse."""
        return super().parse_known_args(joined(sys.argv[1:] if args is None else args), namespace)


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--name -5...` written as `--name=-5...`; what follows a bare `--` stays as it is."""
    result: list[str] = []
    for index, text in enumerate(arguments):
        if text == "--":
            return result + list(arguments[index:])
        last = result[-1] if result else ""
        if _NEGATIVE.match(text) and last.startswith("--") and "=" not in last:
            result[-1] = f"{last}={text}"
        else:
            result.append(text)
    return result
