"""Two interpreters that take turns: lines of JSON over stdin and stdout. The standard library only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENCV_FFMPEG_CAPTURE_OPTIONS": "threads;1"}
"""One thread each; the decoder too, or it would run ahead of the tracker on the other core."""

LEAKING = ("_ROS_WHEELS_BOOTSTRAP_COMPLETE", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""What one Python environment sets and another one must not see."""


class Worker:
    """A worker process; `ask` blocks until it has answered, so that only one of several ever works."""

    def __init__(self, command: list[str], **environment: str) -> None:
        kept = {name: value for name, value in os.environ.items() if name not in LEAKING}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**kept, **ONE_THREAD, **environment}
        )

    def ask(self, path: Path, max_frames: int | None) -> list[float]:
        """Milliseconds of every frame but the first of the sequence in that folder."""
        return self.send(path=str(path), max_frames=max_frames)

    def send(self, **request: object) -> list[float]:
        """What the worker answers to that request. Raises SystemExit if it has ended, which has told why itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # of one that ended before: it answers nothing either
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args!r} ended with status {self._process.wait()} on {request}")
        answer: list[float] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let the worker end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def serve(milliseconds: Callable[..., list[float]]) -> None:
    """The worker's side: answer every line of stdin, a JSON object of arguments, with what `milliseconds` finds."""
    # Whatever a library prints must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        print(json.dumps(milliseconds(**json.loads(line))), file=answers, flush=True)
