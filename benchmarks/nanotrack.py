"""NanoTrack v3 beside our trackers: the options that say where it is, and its process."""

from __future__ import annotations

import argparse
from pathlib import Path

from turns import Worker

WORKER = Path(__file__).resolve().parent / "nanotrack_worker.py"


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments by `parser` and the options of NanoTrack, whose files are there."""
    parser.add_argument("--peers", type=Path, required=True, help="peers.py")
    parser.add_argument("--peers-python", type=Path, required=True, help="interpreter of the peers' environment")
    args = parser.parse_args()
    for option, file in (("--peers", args.peers), ("--peers-python", args.peers_python)):
        if not file.is_file():
            parser.error(f"{option} {file} is no file")
    return args


def worker(args: argparse.Namespace) -> Worker:
    """Its process, in the environment that `parsed` found."""
    return Worker([str(args.peers_python), str(WORKER), str(args.peers.resolve())])
