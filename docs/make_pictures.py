"""Make the pictures of README.md from what the shipped trackers answer; nothing is drawn by hand.

    python docs/make_pictures.py [--above car-detection.mp4]

Without --above only those of the packaged sample are made. `car-detection.mp4` is of
https://github.com/intel-iot-devkit/sample-videos (CC BY 4.0), sha256 as below; docs/pictures/README.md says so.
"""

from __future__ import annotations

import argparse
import hashlib
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from stm_tracker_ros.core.types import Box, Pixels, RotatedBox, Target
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.demo.sample import packaged
from stm_tracker_ros.drawing import draw_overlay, waited_for
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.evaluation.runner import Step, follow
from stm_tracker_ros.trackers import registry

FOLDER = Path(__file__).parent / "pictures"
ABOVE_SHA256 = "d31e0ebf194cc16e50eea784e7c3b0b1bb7976a4fb9b3fec26cb92a6704cca34"
SIZE = 640, 480
JPEG_QUALITY = 82


class Picture(NamedTuple):
    """A frame to show, the part of it (in pixels, of SIZE's aspect) that is enlarged to SIZE, the state it is for."""

    frame: int
    part: Box
    state: State


class Scene(NamedTuple):
    """A tracker on a video: where it starts, and what is shown, by file name."""

    tracker: str
    first: int
    box: Box
    fps: float
    pictures: dict[str, Picture]


SAMPLE = Scene(
    tracker="stmtrack_lite",
    first=0,
    box=packaged().first_box,
    fps=10,
    pictures={
        "tracking": Picture(10, Box(330, 80, 320, 240), State.TRACKING),
        "hidden": Picture(19, Box(280, 80, 320, 240), State.UNCERTAIN),
        "lost": Picture(93, Box(0, 70, 320, 240), State.LOST),
    },
)
ABOVE = (
    Scene(
        "stmtrack_lite", 198, Box(126, 0, 132, 268), 30, {"above": Picture(206, Box(0, 0, 576, 432), State.TRACKING)}
    ),
    Scene("dmb_lite", 208, Box(324, 130, 146, 280), 30, {"mask": Picture(214, Box(96, 0, 576, 432), State.TRACKING)}),
)


def main() -> None:
    """Make them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--above", type=Path, metavar="FILE", help="car-detection.mp4")
    above = parser.parse_args().above
    if above is not None and (not above.is_file() or hashlib.sha256(above.read_bytes()).hexdigest() != ABOVE_SHA256):
        parser.error(f"{above} is not the file of sha256 {ABOVE_SHA256}")
    registry.set_threads(1)
    FOLDER.mkdir(exist_ok=True)
    make(packaged().video, SAMPLE)
    if above is not None:
        for scene in ABOVE:
            make(above, scene)


def make(video: Path, scene: Scene) -> None:
    """Write the pictures of a scene into FOLDER.

    Raises SystemExit where a state is another one than README.md says beside the picture: another frame shows it now.
    """
    tracker = registry.load(scene.tracker).from_checkpoint()
    wanted = {picture.frame - scene.first: (name, picture) for name, picture in scene.pictures.items()}
    stream = islice(frames(video, scene.fps), scene.first, scene.first + max(wanted) + 1)
    for step in follow(tracker, stream, Target(box=scene.box), StateConfig()):
        if step.index in wanted:
            name, picture = wanted[step.index]
            if step.state is not picture.state:
                raise SystemExit(f"{name}: frame {picture.frame} is {step.state.name}, not {picture.state.name}")
            file = FOLDER / f"{name}.jpg"
            cv2.imwrite(str(file), drawn(step, picture.part), (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
            print(f"{file.name}: {step.state.name} {step.result.score:.2f}, {file.stat().st_size} bytes")


def drawn(step: Step, part: Box) -> Pixels:
    """The overlay of a step, on an enlarged part of the frame."""
    valid, result, scale = step.state.has_valid_box, step.result, SIZE[0] / part.width
    pixels = enlarged(step.frame.bgr(), part, cv2.INTER_CUBIC)
    return draw_overlay(
        pixels,
        box=moved(step.box, part, scale) if valid else None,
        state=step.state.name,
        score=result.score,
        mask=enlarged(result.mask, part, cv2.INTER_NEAREST) if valid and result.mask is not None else None,
        rotated=turned(result.rotated, part, scale) if valid else None,
        target_id="target-1",
        unseen_s=step.unseen_s,
        expected=moved(waited_for(result, valid), part, scale),
        region=moved(result.region, part, scale),
    )


def enlarged(image: Pixels, part: Box, interpolation: int) -> Pixels:
    """The part of an image, as large as SIZE."""
    left, top, width, height = (round(value) for value in part)
    return np.asarray(
        cv2.resize(image[top : top + height, left : left + width], SIZE, interpolation=interpolation), np.uint8
    )


def moved(box: Box | None, part: Box, scale: float) -> Box | None:
    """A box of the frame in the picture."""
    if box is None:
        return None
    return Box((box.x - part.x) * scale, (box.y - part.y) * scale, box.width * scale, box.height * scale)


def turned(box: RotatedBox | None, part: Box, scale: float) -> RotatedBox | None:
    """A rotated box of the frame in the picture."""
    if box is None:
        return None
    x, y = (box.center_x - part.x) * scale, (box.center_y - part.y) * scale
    return RotatedBox(x, y, box.size_x * scale, box.size_y * scale, box.theta)


if __name__ == "__main__":
    main()
