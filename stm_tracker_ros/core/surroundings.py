"""A program in poor surroundings: a full disk, a narrow terminal encoding, a reader that has gone.

What is refused is one sentence on stderr and an exit status, never a traceback.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from stm_tracker_ros.core.errors import StmTrackerError
from stm_tracker_ros.core.system_errors import in_words

EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130
EXIT_NO_READER = 141
"""As of a program that SIGPIPE ended: `| head` has read enough."""


def guarded(program: str, run: Callable[[], int]) -> int:
    """What `run` returns, or the exit status of what it was refused, told on stderr; flushes what it printed."""
    tolerant_streams()
    try:
        try:
            return run()
        finally:
            _flush()
    except StmTrackerError as error:
        return _refused(program, str(error))
    except KeyboardInterrupt:
        _tell(f"{program}: interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _silence()
        return EXIT_NO_READER
    except OSError as error:
        _silence_if_unusable()
        return _refused(program, sentence(error))


def tolerant_streams() -> None:
    """Let print never fail for a character that the terminal's encoding lacks, nor for a stream that was closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (until the program ends)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def sentence(error: OSError) -> str:
    """What the system refused, with the file that it was about where the error knows it."""
    files = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))]
    subject = " and ".join(files) or "an operation of the system"
    return f"{subject}: {in_words(error)}"


def _refused(program: str, text: str) -> int:
    _tell(f"{program}: error: {text}")
    return EXIT_REFUSED


def _tell(text: str) -> None:
    """Say it on stderr, if there is anybody to say it to."""
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _silence_if_unusable() -> None:
    try:
        _flush()
    except OSError:
        _silence()


def _silence() -> None:
    """Lead what is still held back into nothing, or the interpreter complains of it on its way out."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError:
            with suppress(OSError, ValueError):
                nothing = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nothing, stream.fileno())
                os.close(nothing)
