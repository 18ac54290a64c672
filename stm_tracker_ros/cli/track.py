"""`stm_tracker track`: follow a target through a video, a folder of images or a camera, without ROS."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from stm_tracker_ros.cli.options import (
    LoadedTracker,
    a_path,
    add_tracker_options,
    load_tracker,
    parse_box,
    rate,
    whole_number,
)
from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.named_target import on_image
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.types import Frame, Pixels, Target

if TYPE_CHECKING:
    from stm_tracker_ros.evaluation.runner import Step

OVERLAY_NAME = "overlay.mp4"

EPILOG = """\
writes to the folder of --out:
  trajectory.csv   frame,stamp_ns,x,y,width,height,score,state,theta,size_x,size_y; the first row is the given target;
                   the raw box also while LOST; the last three are the rotated box of trackers with masks, else nan;
                   `frame` counts the source's frames from 0, and those that cannot be read are left out
  masks/%06d.png   masks of trackers that have them, 1 bit, numbered like `frame`, from 0
  overlay.mp4      the video with box, mask, state and score drawn (box and mask only while TRACKING or UNCERTAIN)
Those of an earlier run are replaced. Files of these names that no run wrote, or that were changed since, are never
overwritten: the command is refused.

examples:
  stm_tracker track flight.mp4 --box 120,80,40,30 --out run
  stm_tracker track images/ --box 10,20,64,48 --fps 10 --out run --set memory.history=32
  stm_tracker track flight.mp4 --mask first_frame.png --out run --tracker dmb_lite
  stm_tracker track flight.mp4 --start 250 --select --out run
  stm_tracker track recording.mcap --topic /camera/image_raw --box 120,80,40,30 --out run
  stm_tracker track 0 --box 300,200,80,80 --out run          camera 0, until Ctrl-C
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "track",
        help="follow a target through a video, images or a camera, without ROS",
        description="Follow the target that --box, --mask or --select names on the first frame.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="video, folder of images, bag of ROS 2 (mcap, sqlite3), number or device file of a camera, or rtsp://...",
    )
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--box", type=parse_box, metavar="X,Y,W,H", help="target on the first frame")
    target.add_argument(
        "--mask", type=a_path, metavar="PNG", help="the same, as an image of its size that is not 0 on the target"
    )
    target.add_argument("--select", action="store_true", help="the same, drawn with the mouse in a window")
    parser.add_argument(
        "--mask-id", type=label, metavar="N", help="label of the target in --mask, where that shows several objects"
    )
    parser.add_argument(
        "--start",
        type=frame_number,
        default=0,
        metavar="FRAME",
        help="the target is on this frame, by the source and from 0; earlier ones are left out (default: %(default)s)",
    )
    parser.add_argument("--topic", metavar="NAME", help="images of a bag; needed where it has several such topics")
    parser.add_argument("--out", type=a_path, required=True, metavar="DIR", help="folder of the results")
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
    from stm_tracker_ros.cli.select_box import selected
    from stm_tracker_ros.data.readers import open_source
    from stm_tracker_ros.ros.convert import Converter

    files, mask = _checked(args), _mask(args)
    source = open_source(args.source, args.fps, start=args.start, topic=args.topic, view=Converter().view)
    with closing(source), closing(iter(source)) as stream:
        first = next(stream)
        box = selected(first.bgr()) if args.select else args.box
        target = on_image(Target(box=box, mask=mask), first.width, first.height)
        frames = chain((first,), stream)
        count, last, lost = _follow(load_tracker(args), islice(frames, args.max_frames), target, files, args)
    _summarise(args, count, last, [*source.troubles, *lost])
    return 0


def _mask(args: argparse.Namespace) -> Pixels | None:
    """The mask of --mask and --mask-id. Raises DataError where it shows no target, or several."""
    from stm_tracker_ros.data.labels import described, read_labels, read_mask

    if args.mask is None:
        if args.mask_id is not None:
            raise DataError(f"--mask-id {args.mask_id} was given without --mask; it chooses a label of that file")
        return None
    mask = read_mask(args.mask, args.mask_id)
    if not mask.any():
        size = f"mask of {mask.shape[1]} x {mask.shape[0]} px"
        if args.mask_id is None:
            raise DataError(f"{args.mask}: {size} is empty; allowed is one with a target in it")
        raise DataError(f"{args.mask}: {size} has no label {args.mask_id}; it has {described(read_labels(args.mask))}")
    return mask


def _checked(args: argparse.Namespace) -> OutputFolder:
    """The folder of the results. Raises DataError where something of the user's would be lost."""
    from stm_tracker_ros.evaluation.mask_files import FOLDER_NAME
    from stm_tracker_ros.evaluation.trajectory import TRAJECTORY_NAME

    read = [args.source, *(path for path in (args.mask, args.weights) if path is not None)]
    return OutputFolder(args.out).check((TRAJECTORY_NAME, OVERLAY_NAME), (FOLDER_NAME,), read)


def _follow(
    loaded: LoadedTracker, frames: Iterator[Frame], target: Target, files: OutputFolder, args: argparse.Namespace
) -> tuple[int, int, list[str]]:
    """Follow to the end and write the results.

    Gives how many frames, the number of the last by the source, and the first trouble that made the target LOST.
    """
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    from stm_tracker_ros.evaluation.mask_files import MaskWriter
    from stm_tracker_ros.evaluation.runner import follow
    from stm_tracker_ros.evaluation.trajectory import TRAJECTORY_NAME, TrajectoryWriter
    from stm_tracker_ros.video_writer import VideoWriter, can_write_video

    count, number, lost, masks = 0, args.start, list[str](), MaskWriter(files)
    steps: Iterable[Step] = follow(loaded.tracker, frames, target, loaded.state_config)
    # Both files are complete whatever ends the run: Ctrl-C is the usual end of a camera.
    with ExitStack() as stack:
        stack.enter_context(logging_redirect_tqdm())  # warnings get lines of their own, above the bar
        rows = stack.enter_context(TrajectoryWriter(stack.enter_context(files.new(TRAJECTORY_NAME))))
        video = None
        if can_write_video():
            video = stack.enter_context(VideoWriter(stack.enter_context(files.new(OVERLAY_NAME)), args.fps))
        for step in tqdm(steps, desc="track", unit="frame", mininterval=1):
            count, number = count + 1, args.start + step.index
            rows.write(replace(step.row, frame=number))
            masks.write(number, step.result.mask)
            if step.result.trouble and not lost:
                lost.append(f"frame {number} is LOST: {step.result.trouble}")
            if video is not None:
                video.write(_picture(step, number))
    return count, number, lost


def _summarise(args: argparse.Namespace, count: int, last: int, troubles: list[str]) -> None:
    """Say on stdout what was tracked, what could not be read or followed, and where the results lie."""
    from stm_tracker_ros.evaluation.trajectory import TRAJECTORY_NAME
    from stm_tracker_ros.video_writer import INSTALL_HINT, can_write_video

    names = (TRAJECTORY_NAME, OVERLAY_NAME) if can_write_video() else (TRAJECTORY_NAME,)
    lines = [f"{count} frames tracked, {args.start} to {last}"]
    lines += troubles
    lines.append(", ".join(str(args.out / name) for name in names))
    if OVERLAY_NAME not in names:
        lines.append(f"no {OVERLAY_NAME} was written, for that needs PyAV; install it with: {INSTALL_HINT}")
    for line in lines:
        print(line)


def label(text: str) -> int:
    """A label of a mask as a whole number, also as 0xRRGGBB or #RRGGBB; an argparse type."""
    try:
        value = int("0x" + text[1:] if text.startswith("#") else text, 0)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no label; allowed are whole numbers from 1 on, or #RRGGBB")
    return value


def frame_number(text: str) -> int:
    """The text as the number of a frame, from 0 on; an argparse type."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a frame; allowed are whole numbers from 0 on")
    return int(text)


def _picture(step: Step, number: int) -> Pixels:
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
        note=f"frame {number}",
    )
