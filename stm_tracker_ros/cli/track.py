"""`stm_tracker track`: follow a target through a video, a folder of images or a camera, without ROS."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from stm_tracker_ros.cli.options import (
    LoadedTracker,
    add_tracker_options,
    load_tracker,
    parse_box,
    rate,
    whole_number,
)
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.types import Frame, Pixels, Target

if TYPE_CHECKING:
    from stm_tracker_ros.evaluation.runner import Step

OVERLAY_NAME = "overlay.mp4"

EPILOG = """\
writes to the folder of --out:
  trajectory.csv   frame,stamp_ns,x,y,width,height,score,state,theta,size_x,size_y; row 0 is the given target; the raw
                   box also while LOST; the last three are the rotated box of trackers with masks, else nan
  masks/%06d.png   masks of trackers that have them, 1 bit, numbered like `frame`, from 0
  overlay.mp4      the video with box, mask, state and score drawn (box and mask only while TRACKING or UNCERTAIN)
Those of an earlier run are replaced. Files of these names that no run wrote, or that were changed since, are never
overwritten: the command is refused.

examples:
  stm_tracker track flight.mp4 --box 120,80,40,30 --out run
  stm_tracker track images/ --box 10,20,64,48 --fps 10 --out run --set memory.history=6
  stm_tracker track flight.mp4 --mask first_frame.png --out run --tracker dmb_lite
  stm_tracker track 0 --box 300,200,80,80 --out run          camera 0, until Ctrl-C
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "track",
        help="follow a target through a video, images or a camera, without ROS",
        description="Follow the target that --box or --mask names on the first frame.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="VIDEO|DIR_OF_IMAGES|CAMERA", help="file, folder or number of a camera")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--box", type=parse_box, metavar="X,Y,W,H", help="target on the first frame")
    target.add_argument(
        "--mask", type=Path, metavar="PNG", help="the same, as an image of its size that is not 0 on the target"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the results")
    parser.add_argument(
        "--fps",
        type=rate,
        default=30.0,
        help="rate of a recording; containers often lie about theirs (default: %(default)g); a camera has its own",
    )
    parser.add_argument("--max-frames", type=whole_number, metavar="N", help="stop after N frames")
    add_tracker_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Track; 0 at the end of the stream."""
    from stm_tracker_ros.data.readers import frames, read_mask

    files = _judged(args)
    target = Target(box=args.box) if args.mask is None else Target(mask=read_mask(args.mask))
    stream = frames(args.source, args.fps)
    loaded = load_tracker(args)
    with closing(stream):
        count = _follow(loaded, islice(stream, args.max_frames), target, files, args.fps)
    print(f"{count} frames; {args.out / 'trajectory.csv'}, {args.out / OVERLAY_NAME}")
    return 0


def _judged(args: argparse.Namespace) -> OutputFolder:
    """The folder of the results. Raises DataError where something of the user's would be lost."""
    from stm_tracker_ros.evaluation.mask_files import FOLDER_NAME
    from stm_tracker_ros.evaluation.trajectory import TRAJECTORY_NAME

    read = [args.source, *(path for path in (args.mask, args.weights) if path is not None)]
    return OutputFolder(args.out).check((TRAJECTORY_NAME, OVERLAY_NAME), (FOLDER_NAME,), read)


def _follow(loaded: LoadedTracker, stream: Iterator[Frame], target: Target, files: OutputFolder, fps: float) -> int:
    from tqdm import tqdm

    from stm_tracker_ros.evaluation.mask_files import MaskWriter
    from stm_tracker_ros.evaluation.runner import follow
    from stm_tracker_ros.evaluation.trajectory import TRAJECTORY_NAME, TrajectoryWriter
    from stm_tracker_ros.video_writer import VideoWriter

    count, masks = 0, MaskWriter(files)
    steps: Iterable[Step] = follow(loaded.tracker, stream, target, loaded.state_config)
    # Both files are complete whatever ends the run: Ctrl-C is the usual end of a camera.
    with (
        files.new(TRAJECTORY_NAME) as table,
        files.new(OVERLAY_NAME) as pictures,
        TrajectoryWriter(table) as rows,
        VideoWriter(pictures, fps) as video,
    ):
        for step in tqdm(steps, desc="track", unit="frame", mininterval=1):
            rows.write(step.row)
            masks.write(step.index, step.result.mask)
            video.write(_picture(step))
            count += 1
    return count


def _picture(step: Step) -> Pixels:
    from stm_tracker_ros import drawing

    return drawing.draw_overlay(
        step.frame.bgr(),
        box=step.box if step.state.has_valid_box else None,
        state=step.state.name,
        score=step.result.score,
        mask=step.result.mask if step.state.has_valid_box else None,
        rotated=step.result.rotated,
        latency_ms=step.milliseconds if step.index else None,
        unseen_s=step.unseen_s,
        expected=drawing.waited_for(step.result, step.state.has_valid_box),
        region=step.result.region,
        center_cross=True,
        note=f"frame {step.index}",
    )
