"""A target that is away for 1, 3 and 10 s and comes back, in a real graph: who finds it again, and how soon?

  .venv/bin/python benchmarks/found_again.py --data ../shared/data [--kinds cut_elsewhere,pan_back] [--out found_again]

The product's node follows the target of made absences (docs/ABSENCES.md) in the modes auto, confirm and off of
`tracker.search.again`, which is changed live. This process is camera and operator: it shows each image after the
answer to the one before, stamped as of 30 Hz, and in mode confirm calls ~/confirm when ~/candidates has shown one with
the same id for half a second. It looks at nothing else, unless --careful: then the candidate must lie on the target.

A line for each run, seconds by the stamps: from the target's end to LOST; from its return to TRACKING upon it, and the
IoU there (- : never); whether every detection had the one id; messages of ~/candidates; when something was confirmed,
counted from the return (below 0 it was something else), and in brackets what the node refused. In `--out` the overlay
of the last candidate before the target was found, or of the search.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import program
import rclpy
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import Trigger
from vision_msgs.msg import Detection2DArray

from stm_tracker_msgs.msg import TrackerStatus
from stm_tracker_msgs.srv import SetTarget
from stm_tracker_ros.cli.options import parse_seeds
from stm_tracker_ros.core.boxes import iou
from stm_tracker_ros.core.errors import ConfigError, DataError
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.data.absences.made import AbsenceSequence
from stm_tracker_ros.data.absences.makers import absence_sequences
from stm_tracker_ros.data.absences.plan import SECOND, Kind, kinds_of
from stm_tracker_ros.demo import transport
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import convert, qos
from stm_tracker_ros.ros.messages import to_ns, to_time, upright_box

NODE = "/stm_tracker"
MODES = ("auto", "confirm", "off")
SEEDS = "0,1,4"  # away for 1, 3 and 10 s
PATIENCE_S = 120.0
START_NS, HOUR_NS, PERIOD_NS = 1_700_000_000 * 10**9, 3600 * 10**9, 10**9 // SECOND
SAME_FOR_S = 0.5
FOUND_IOU, ON_TARGET_IOU = 0.5, 0.3
TEXT = 4


@dataclass
class Heard:
    """What the node said of one run, by the stamps of its images."""

    detections: dict[int, Detection2DArray] = field(default_factory=dict)
    candidates: dict[int, Detection2DArray] = field(default_factory=dict)
    overlays: dict[int, CompressedImage] = field(default_factory=dict)


@dataclass
class Run:
    """One absence in one mode. confirmed: number of the image, and whether the node took the candidate."""

    made: AbsenceSequence
    mode: str
    heard: Heard
    start_ns: int
    target_id: str
    confirmed: list[tuple[int, bool]] = field(default_factory=list)

    def stamp(self, number: int) -> int:
        """Of the image with that number."""
        return self.start_ns + number * PERIOD_NS


class Operator(Node):
    """Camera, client and listener in one."""

    def __init__(self) -> None:
        super().__init__("operator")
        self.camera = self.create_publisher(Image, f"{NODE}/image", qos.service())
        self.heard = Heard()
        self.last = TrackerStatus(state=255)
        self.create_subscription(TrackerStatus, f"{NODE}/status", self._beat, qos.output())
        for name, kind in (
            ("detections", Detection2DArray),
            ("candidates", Detection2DArray),
            ("overlay/compressed", CompressedImage),
        ):
            keep = getattr(self, f"_keep_{name.split('/')[0]}")
            self.create_subscription(kind, f"{NODE}/{name}", keep, qos.service())
        self._callers: dict[str, Any] = {}

    def answer(self, kind: type, name: str, request: Any) -> Any:
        """The answer to one request."""
        if name not in self._callers:
            self._callers[name] = self.create_client(kind, f"{NODE}/{name}")
            self.wait(self._callers[name].service_is_ready, f"the service {name}")
        future = self._callers[name].call_async(request)
        self.wait(future.done, f"the answer of {name}")
        return future.result()

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Until it holds; the operator is spun in another thread."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(f"in vain waited for {what}; last heartbeat: {self.last}")
            time.sleep(0.002)

    def _beat(self, message: TrackerStatus) -> None:
        self.last = message

    def _keep_detections(self, message: Detection2DArray) -> None:
        self.heard.detections[to_ns(message.header.stamp)] = message

    def _keep_candidates(self, message: Detection2DArray) -> None:
        self.heard.candidates[to_ns(message.header.stamp)] = message

    def _keep_overlay(self, message: CompressedImage) -> None:
        self.heard.overlays[to_ns(message.header.stamp)] = message


def play(operator: Operator, made: AbsenceSequence, mode: str, start_ns: int, *, careful: bool) -> Run:
    """One absence in one mode: name the target on the first image, show all, confirm what is due."""
    value = ParameterValue(type=TEXT, string_value=mode)
    request = SetParameters.Request(parameters=[Parameter(name="tracker.search.again", value=value)])
    (set_mode,) = operator.answer(SetParameters, "set_parameters", request).results
    if not set_mode.successful:
        raise SystemExit(set_mode.reason)
    operator.answer(Trigger, "clear_target", Trigger.Request())
    operator.heard = Heard()
    run = Run(made, mode, operator.heard, start_ns, "")
    for number, picture in enumerate(made.images()):
        message = convert.fill_image(Image(), np.ascontiguousarray(picture), "bgr8")
        message.header.stamp = to_time(run.stamp(number))
        operator.camera.publish(message)
        if number == 0:
            run.target_id = name_target(operator, made, start_ns)
            continue
        answered = partial(run.heard.detections.__contains__, run.stamp(number))
        operator.wait(answered, f"the answer to image {number}")
        if mode == "confirm" and is_due(run, number, careful=careful):
            answer = operator.answer(Trigger, "confirm", Trigger.Request())
            run.confirmed.append((number, bool(answer.success)))
    return run


def name_target(operator: Operator, made: AbsenceSequence, stamp_ns: int) -> str:
    """The id of the target, named on the first image."""
    request = SetTarget.Request(stamp=to_time(stamp_ns))
    box = Box(*made.boxes[0].tolist())
    request.box.center.position.x, request.box.center.position.y = box.center
    request.box.size_x, request.box.size_y = box.width, box.height
    answer = operator.answer(SetTarget, "set_target", request)
    while answer.code in (SetTarget.Response.CODE_NO_IMAGE, SetTarget.Response.CODE_STAMP_TOO_OLD):  # on its way
        answer = operator.answer(SetTarget, "set_target", request)
    if not answer.success:
        raise SystemExit(f"the target of {made.name} was refused: {answer.message}")
    return str(answer.id)


def is_due(run: Run, number: int, *, careful: bool) -> bool:
    """Whether the candidate of this image has had its id for long enough; careful: and lies on the target."""
    lead = lead_of(run, number)
    if lead is None:
        return False
    first = number
    while (before := lead_of(run, first - 1)) is not None and before[0] == lead[0]:
        first -= 1
    return (number - first) / SECOND >= SAME_FOR_S and not (careful and overlap(run, number, lead[1]) < ON_TARGET_IOU)


def lead_of(run: Run, number: int) -> tuple[str, Box] | None:
    """Id and box of the candidate that can be confirmed in the image of that number."""
    message = run.heard.candidates.get(run.stamp(number))
    found = message.detections[0] if message is not None and message.detections else None
    box = None if found is None else upright_box(found.bbox)
    return None if found is None or not found.id or box is None else (str(found.id), box)


def overlap(run: Run, number: int, box: Box) -> float:
    """IoU with the target; 0 while it is not seen."""
    return float(np.nan_to_num(iou(tuple(box), run.made.boxes[number])))


def line(run: Run) -> str:
    """The run in words."""
    made, detections = run.made, run.heard.detections
    left, returned, count = made.left, made.returned, len(made.boxes)
    assert returned is not None  # kinds whose target comes back
    lost = next((n for n in range(left, count) if not detections[run.stamp(n)].detections), None)
    found = next((n for n in range(returned, count) if tracks_target(run, n)), None)
    there = None if found is None else overlap(run, found, box_at(run, found))
    ids = {one.id for message in detections.values() for one in message.detections}
    times = [(f"{(number - returned) / SECOND:.2f} s", taken) for number, taken in run.confirmed]
    confirmed = [text if taken else f"({text})" for text, taken in times]
    return (
        f"{made.name:28s} {made.scene:28s} away {(returned - left) / SECOND:4.1f} s  {run.mode:8s}"
        f" to LOST {seconds(lost, left)}  to TRACKING {seconds(found, returned)}"
        f"  IoU {'   -' if there is None else f'{there:.2f}'}"
        f"  id {'same' if ids == {run.target_id} else ids}  candidates {len(run.heard.candidates):3d}"
        f"  confirmed {', '.join(confirmed) or '-'}"
    )


def box_at(run: Run, number: int) -> Box:
    """The box that was published for that image; an empty one where there was none."""
    found = run.heard.detections[run.stamp(number)].detections
    return (upright_box(found[0].bbox) if found else None) or Box(0, 0, 0, 0)


def tracks_target(run: Run, number: int) -> bool:
    """Whether it was TRACKING, and upon the target."""
    found = run.heard.detections[run.stamp(number)].detections
    return bool(found) and len(found[0].results) == 1 and overlap(run, number, box_at(run, number)) >= FOUND_IOU


def seconds(number: int | None, since: int) -> str:
    """Time from an image to another, in words."""
    return "   -  " if number is None else f"{(number - since) / SECOND:4.2f} s"


def save_overlay(run: Run, folder: Path) -> None:
    """The overlay that shows the search best: with a candidate, else the last one without a box."""
    searching = [n for n in range(run.made.left, len(run.made.boxes)) if is_drawn(run, n)]
    shown = [n for n in searching if lead_of(run, n) is not None] or searching
    if shown:
        name = f"{run.made.conditions.kind.value}_{run.made.conditions.seed}_{run.mode}.jpg"
        (folder / name).write_bytes(bytes(run.heard.overlays[run.stamp(shown[-1])].data))


def is_drawn(run: Run, number: int) -> bool:
    """Whether there is an overlay of that image, and it has no box of a target."""
    return run.stamp(number) in run.heard.overlays and not run.heard.detections[run.stamp(number)].detections


def runs(operator: Operator, options: argparse.Namespace) -> Iterator[Run]:
    """All absences in all modes; each an hour after the one before, by the stamps."""
    start_ns = START_NS
    for made in absence_sequences(options.data, options.kinds, options.seeds):
        for mode in options.modes:
            start_ns += HOUR_NS
            yield play(operator, made, mode, start_ns, careful=options.careful)


def validated(options: argparse.Namespace) -> argparse.Namespace:
    """The options with kinds, seeds and modes as such. Raises DataError, ConfigError, before anything is started."""
    options.kinds, options.seeds = kinds_of(options.kinds.split(",")), parse_seeds(options.seeds)
    if Kind.NEVER_RETURNS in options.kinds:
        raise DataError(f"kind {Kind.NEVER_RETURNS.value!r} is not allowed: its target does not come back")
    options.modes = options.modes.split(",")
    for mode in options.modes:
        if mode not in MODES:
            raise ConfigError(f"mode {mode!r} is unknown; allowed are {', '.join(MODES)}")
    return options


def main() -> int:
    """Parse, play, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds eval/ and train_video/")
    parser.add_argument("--kinds", default="cut_elsewhere", help="of absences from which the target comes back")
    parser.add_argument("--seeds", default=SEEDS, metavar="A,B-C")
    parser.add_argument("--modes", default=",".join(MODES), help="of tracker.search.again (default: %(default)s)")
    parser.add_argument("--tracker", default="stmtrack_lite")
    parser.add_argument("--careful", action="store_true", help="confirm only what lies on the target")
    parser.add_argument("--out", type=Path, help="where pictures of the search go; a new folder")
    options = validated(parser.parse_args())
    if options.out is not None:
        options.out.mkdir(parents=True)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ["ROS_DOMAIN_ID"] = str(transport.free_domain())
    arguments = ["--ros-args", "-r", f"image:={NODE}/image", "-p", f"tracker.name:={options.tracker}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "stm_tracker_ros.ros.node", *arguments], stderr=subprocess.DEVNULL
    )
    rclpy.init()
    operator, executor = Operator(), SingleThreadedExecutor()
    executor.add_node(operator)
    spinner = threading.Thread(target=executor.spin, daemon=True)
    spinner.start()
    try:
        operator.wait(lambda: operator.last.state == State.NO_TARGET, "the node")
        for run in runs(operator, options):
            print(line(run), flush=True)
            if options.out is not None:
                save_overlay(run, options.out)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)
        executor.shutdown()
        spinner.join()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    program.run(__file__, main)
