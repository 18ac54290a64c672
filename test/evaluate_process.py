"""`stm_tracker evaluate` as a process of its own, with a tracker that does what the brightness of a picture says.

Processes that it starts import this file again, and so have the same tracker. NEWS: a named pipe, into which a tracker
that was told to wait writes the number of its process; it holds it open for as long as it lives.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TextIO

from scripted_tracker import ScriptedTracker

from stm_tracker_ros.cli import evaluate, main, options
from stm_tracker_ros.core.types import Box, Frame, Result
from stm_tracker_ros.engine.config import StateConfig

DIE, WAIT, WAIT_FOR_AN_ORPHAN = 100, 150, 200
NEWS = "STM_TRACKER_TEST_NEWS"


class ObedientTracker(ScriptedTracker):
    """Does what the picture says, once it is on its way."""

    news: TextIO | None = None

    def track(self, frame: Frame) -> Result:
        told = int(frame.bgr()[0, 0, 0])
        if told == DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        if told in (WAIT, WAIT_FOR_AN_ORPHAN) and self.news is None:
            parent = os.getppid()
            self.news = open(os.environ[NEWS], "w", buffering=1)  # noqa: SIM115 (open until the process ends)
            self.news.write(f"{os.getpid()}\n")
            while told == WAIT or os.getppid() == parent:
                time.sleep(0.01)
        return super().track(frame)


def load_tracker(args: object) -> options.LoadedTracker:
    return options.LoadedTracker(
        tracker=ObedientTracker([(Box(10, 20, 16, 24), 0.9)]),
        name="obedient",
        weights=None,
        device="cpu",
        threads=1,
        changes={},
        state_config=StateConfig(),
    )


evaluate.load_tracker = load_tracker

if __name__ == "__main__":
    sys.exit(main.main(sys.argv[1:]))
