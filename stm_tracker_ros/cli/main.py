"""`stm_tracker`: follow targets, measure trackers, train them, or show the whole system at work."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from stm_tracker_ros import __version__, libraries
from stm_tracker_ros.cli import bench, calibrate, compare, convert, demo, evaluate, track, train
from stm_tracker_ros.cli.parser import CommandParser
from stm_tracker_ros.core.surroundings import EXIT_INTERRUPTED, EXIT_REFUSED, guarded

__all__ = ("COMMANDS", "EXIT_INTERRUPTED", "EXIT_REFUSED", "main", "make_parser")

COMMANDS = (demo, track, evaluate, compare, bench, train, calibrate, convert)

EPILOG = """\
examples:
  stm_tracker demo                                            the whole ROS 2 system on a packaged video
  stm_tracker track flight.mp4 --box 120,80,40,30 --out run   follow a target without ROS
  stm_tracker evaluate --data eval --out report               success AUC, precision and speed on annotated videos
  stm_tracker COMMAND --help                                  what a command takes, with examples
"""


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each leaves its function in `run`."""
    parser = CommandParser(
        prog="stm_tracker", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"stm_tracker {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status.

    0, 1 when it failed, 2 when something was refused, by us or by the system, 130 after Ctrl-C, 141 when nobody reads
    its output any more.
    """

    def run() -> int:
        args = make_parser().parse_args(arguments)
        libraries.check()
        status: int = args.run(args)
        return status

    return guarded("stm_tracker", run)


if __name__ == "__main__":
    sys.exit(main())
