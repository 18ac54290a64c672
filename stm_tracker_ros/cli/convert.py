"""`stm_tracker convert`: weights published by a paper's authors -> weights for this package."""

from __future__ import annotations

import argparse
from pathlib import Path

from stm_tracker_ros.trackers import registry

EPILOG = """\
nothing in the source file is executed: only tensors and plain values are read from it.

example:
  stm_tracker convert stmtrack epoch-19.pkl stmtrack.safetensors
  stm_tracker track flight.mp4 --tracker stmtrack --weights stmtrack.safetensors --box 120,80,40,30 --out run
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "convert",
        help="convert the authors' weights of a tracker",
        description="Convert weights published by a paper's authors.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    convertible = [name for name in registry.names() if registry.load(name).converter]
    parser.add_argument("tracker", metavar="TRACKER", help=f"whose weights these are: {', '.join(convertible)}")
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the authors' file")
    parser.add_argument("target", type=Path, metavar="TARGET", help="the safetensors file to write")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the converted file; 0 then."""
    registry.load(args.tracker).convert(args.source, args.target)
    print(f"wrote {args.target}; use it by --tracker {args.tracker} --weights {args.target}")
    return 0
