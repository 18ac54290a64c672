"""`stm_tracker evaluate` as a process of its own, with the obedient tracker.

A script and no module: it changes the command for whoever runs it, and processes that it starts run it again.
"""

from __future__ import annotations

import signal
import sys

from obedient_tracker import ObedientTracker

from stm_tracker_ros.cli import evaluate, main, options, work
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.engine.config import StateConfig


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


evaluate.load_tracker = work.load_tracker = load_tracker

if __name__ == "__main__":
    # Whoever runs the tests in the background of a shell has them ignore Ctrl-C, and the processes that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main.main(sys.argv[1:]))
