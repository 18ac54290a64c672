"""The program `tracker_node`: checks what it needs, then runs the node until it is told to stop."""

from __future__ import annotations

import sys

from stm_tracker_ros.core.surroundings import guarded
from stm_tracker_ros.ros import heap, log_folder, requirements


def main(args: list[str] | None = None) -> int:
    """Run the node; the exit status of the program: 2 where the system refuses what it needs, in one sentence.

    rclpy and the messages are imported after the check, so that what is missing is named instead of an ImportError.
    """
    missing = requirements.missing_messages()
    if missing:
        print(missing, file=sys.stderr)
        return 1

    def started() -> int:
        log_folder.make_sure("tracker_node")
        heap.keep_large_blocks()
        from stm_tracker_ros.ros.runner import run

        return run(args)

    return guarded("tracker_node", started)


if __name__ == "__main__":
    sys.exit(main())
