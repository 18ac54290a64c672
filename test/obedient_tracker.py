"""A tracker that does what the brightness of a picture says: die, or wait.

NEWS: of a named pipe, into which a tracker that was told to wait writes the number of its process; it holds it open for
as long as it lives.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TextIO

from scripted_tracker import ScriptedTracker

from stm_tracker_ros.core.types import Frame, Result

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
