"""`stm_tracker`: follow targets, measure trackers, train them, or show the whole system at work."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from stm_tracker_ros import __version__, libraries
from stm_tracker_ros.cli import bench, convert, demo, evaluate, track, train
from stm_tracker_ros.cli.parser import CommandParser
from stm_tracker_ros.core.errors import StmTrackerError

COMMANDS = (demo, track, evaluate, bench, train, convert)
EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130

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
    """Run one command; the exit status: 0, 1 when it failed, 2 when something was refused, 130 after Ctrl-C."""
    args = make_parser().parse_args(arguments)
    try:
        libraries.check()
        status: int = args.run(args)
        return status
    except StmTrackerError as error:
        print(f"stm_tracker: error: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        print("stm_tracker: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
