"""Words that any terminal can print."""

from __future__ import annotations

import sys


def printable(text: str) -> str:
    """`text` with what stdout cannot encode as escapes: names of files may hold bytes that are no text at all."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
