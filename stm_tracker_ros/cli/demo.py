"""`stm_tracker demo`: camera, node and client as three ROS 2 processes on this machine, and what came of it."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stm_tracker_ros.cli.options import (
    a_path,
    add_tracker_options,
    default_threads,
    parse_box,
    parse_changes,
    rate,
)
from stm_tracker_ros.core.errors import ConfigError, StmTrackerError
from stm_tracker_ros.engine.config import STATE_PREFIX

if TYPE_CHECKING:
    from stm_tracker_ros.demo.sample import Sample

NO_ROS = """\
the demo is a ROS 2 graph, and this Python ({python}) cannot import rclpy.
  without a ROS installation: scripts/demo in the clone makes .venv with all that is needed and runs this command there
  with one:                   source /opt/ros/$ROS_DISTRO/setup.bash, then your workspace's install/setup.bash
`stm_tracker track` needs no ROS."""

NO_PYAV = "the demo writes a video, and {python} has no PyAV; install it with: {python} -m pip install av"

EPILOG = """\
writes to the folder of --out:
  overlay.mp4        the video with box, mask, state and score drawn (H.264, any browser plays it)
  contact_sheet.png  every 10th frame, the target enlarged; true boxes in dashed white where they are known
  summary.json       frames published, received, tracked, dropped by reason; latency; states; transport
Those of an earlier run are replaced; other files of these names are never overwritten: the demo is refused.

The exit status is 1 if a line of the table fails.

examples:
  stm_tracker demo                                               the packaged sample, a man who leaves the picture
  stm_tracker demo --video flight.mp4 --box 120,80,40,30         your own, target boxed in its first frame
  stm_tracker demo --set state.lost_score=0.3 --out run          with another setting
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "demo",
        help="show the whole ROS 2 system at work on a packaged video, or on your own",
        description="Play a video through camera, node and client: three processes on a ROS domain of their own.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--video", metavar="FILE", type=a_path, help="your own video or folder of images; needs --box")
    parser.add_argument("--box", type=parse_box, metavar="X,Y,W,H", help="target in the first frame of --video, pixels")
    parser.add_argument(
        "--out",
        type=a_path,
        default=Path("demo_out"),
        metavar="DIR",
        help="folder of the results (default: %(default)s)",
    )
    parser.add_argument("--fps", type=rate, default=30.0, help="rate of the camera in Hz (default: %(default)g)")
    add_tracker_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 if every line of its table passes, else 1. Raises StmTrackerError where it cannot run."""
    if importlib.util.find_spec("rclpy") is None:
        raise StmTrackerError(NO_ROS.format(python=sys.executable))
    if importlib.util.find_spec("av") is None:
        raise StmTrackerError(NO_PYAV.format(python=sys.executable))
    from stm_tracker_ros.demo.report import table
    from stm_tracker_ros.demo.session import SUMMARY_NAME, Settings
    from stm_tracker_ros.demo.session import run as play

    settings = Settings(
        sample=_sample(args),
        out=args.out,
        fps=args.fps,
        parameters=node_parameters(args),
        show=lambda line: print(line, flush=True),
    )
    _, checks = play(settings)
    print(f"\n{table(checks)}\n\n{args.out}: overlay.mp4, contact_sheet.png, {SUMMARY_NAME}")
    return int(any(check.passed is False for check in checks))


def node_parameters(args: argparse.Namespace) -> dict[str, Any]:
    """The shared options as parameters of the node."""
    result: dict[str, Any] = {
        "tracker.name": args.tracker,
        "device": args.device,
        "precision": args.precision,
        "threads": args.threads or default_threads(),
    }
    if args.weights is not None:
        result["tracker.weights"] = str(args.weights.resolve())
    for name, value in parse_changes(args.changes).items():
        result[name if name.startswith(STATE_PREFIX) else f"tracker.{name}"] = value
    return result


def _sample(args: argparse.Namespace) -> Sample:
    from stm_tracker_ros.demo import sample

    if (args.video is None) != (args.box is None):
        raise ConfigError("--video and --box belong together: give both, or neither for the packaged sample")
    return sample.packaged() if args.video is None else sample.own(args.video, args.box)
