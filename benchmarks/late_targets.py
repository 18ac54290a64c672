"""A target that is named late, on the image that the operator saw: is it followed where it is by then?

  .venv/bin/python benchmarks/late_targets.py --data ../shared/data/eval [--every 2] [--set history.budget_ms=500.0]

The node is the product's program, in a process of its own. The camera plays real video at 30 Hz through a window that
is moved over the enlarged frame, so that the target goes through the picture on a circle, at the given speed in pixels
a second. The operator names its true box on the image of so many seconds ago. Counted is the first box that is
published then: its overlap with the truth of its own image, beside what the same box gives on the newest image
(named with stamp 0; and as it is, without a tracker).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import program
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger
from vision_msgs.msg import Detection2DArray

from stm_tracker_msgs.msg import TrackerStatus
from stm_tracker_msgs.srv import SetTarget
from stm_tracker_ros.cli.options import whole_number
from stm_tracker_ros.core import boxes
from stm_tracker_ros.core.types import Box, Pixels
from stm_tracker_ros.data.sequence import read_sequences
from stm_tracker_ros.demo import transport
from stm_tracker_ros.demo.processes import Child, end_all
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import convert, messages, qos

SEQUENCES = ("car10", "car16_2", "building4", "person12_1", "bike1", "wakeboard4", "S0310", "Bolt", "parkour")
SLOW = "UAV123_10fps"
LATE_S, SPEEDS = (0.2, 0.5, 1.0, 1.8), (50, 100, 200, 300)
RATE_HZ, FRAMES, PATIENCE_S = 30, 60, 60.0
SIDE, LARGEST_SCALE = 64.0, 3.5  # of the target in the enlarged frame; as much as a small one is enlarged
KEPT_S, SETTLED_S = 10.0, 0.5


def overlap_of(one: Box, other: Box) -> float:
    """Intersection over union."""
    return float(boxes.iou(one, other))


class Footage:
    """A stretch of a sequence, to and fro, as seen through a window that keeps the target on its way."""

    def __init__(self, sequence: Any, size: tuple[int, int], scale: float | None) -> None:
        self.frames = [frame.bgr() for frame in itertools.islice(sequence.frames(), FRAMES)]
        self.boxes = [Box(*box) for box in sequence.boxes[: len(self.frames)].tolist()]
        self.size, self.hold = size, 3 if sequence.name.startswith(SLOW) else 1
        height, width = self.frames[0].shape[:2]
        side = math.sqrt(self.boxes[0].width * self.boxes[0].height)
        least = 1.6 * max(size[0] / width, size[1] / height)
        self.scale = scale or max(least, min(SIDE / side, LARGEST_SCALE))

    def picture(self, tick: int, place: tuple[float, float]) -> tuple[Pixels, Box]:
        """What the camera sees with the target's centre at `place`, as near as the frame's border allows; the truth."""
        order = [*range(len(self.frames)), *range(len(self.frames) - 2, 0, -1)]
        frame, box = (each[order[tick // self.hold % len(order)]] for each in (self.frames, self.boxes))
        window = [
            float(np.clip(center * self.scale - at, 0, frame.shape[1 - axis] * self.scale - self.size[axis]))
            for axis, (center, at) in enumerate(zip(box.center, place, strict=True))
        ]
        step = 1 / self.scale
        matrix = np.array([[step, 0, window[0] * step], [0, step, window[1] * step]])
        seen = cv2.warpAffine(frame, matrix, self.size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        sides = (side * self.scale for side in box[2:])
        return np.asarray(seen, np.uint8), Box(box.x * self.scale - window[0], box.y * self.scale - window[1], *sides)


class Camera:
    """Publishes in a thread of its own, and knows the truth of what it published in the last seconds."""

    def __init__(self, node: Node, size: tuple[int, int]) -> None:
        self._node, self._size = node, size
        self._publisher = node.create_publisher(Image, "/image", qos.output())
        self.footage: Footage | None = None
        self.speed = 0.0
        self.truth: dict[int, Box] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def newest_ns(self) -> int:
        """Stamp of the last image."""
        return max(self.truth)

    def nearest(self, stamp_ns: int) -> int:
        """Stamp of the image nearest to a time."""
        return min(list(self.truth), key=lambda one: abs(one - stamp_ns))

    def close(self) -> None:
        """No more images."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        radius, angle, due = min(self._size) / 4, 0.0, time.monotonic()
        for tick in itertools.count():
            due = max(due + 1 / RATE_HZ, time.monotonic() - 1 / RATE_HZ)
            if self._ended.wait(max(0.0, due - time.monotonic())):
                return
            footage = self.footage
            if footage is None:
                continue
            angle += self.speed / radius / RATE_HZ
            x, y = self._size[0] / 2 + radius * math.cos(angle), self._size[1] / 2 + radius * math.sin(angle)
            picture, box = footage.picture(tick, (x, y))
            message = convert.fill_image(Image(), picture, "bgr8")
            message.header.stamp = self._node.get_clock().now().to_msg()
            stamp_ns = messages.to_ns(message.header.stamp)
            self.truth = {s: b for s, b in self.truth.items() if s > stamp_ns - KEPT_S * 1e9} | {stamp_ns: box}
            self._publisher.publish(message)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One target named late. Overlaps: 0 where an empty array came.

    overlap, later: of the first box, and of that SETTLED_S later. prompt: of one that was named at once. on_newest,
    unmoved: of the late box on the newest image, tracked from there, and as it is.
    """

    sequence: str
    speed: float
    late_s: float
    overlap: float
    later: float
    prompt: float
    on_newest: float
    unmoved: float
    answer_s: float
    age_s: float
    frames_replayed: int
    first_age_s: float
    message: str


class Operator:
    """Names targets, and hears what is published."""

    def __init__(self, node: Node, camera: Camera) -> None:
        self._node, self._camera = node, camera
        self.status = TrackerStatus(state=255)
        self._heard: list[tuple[int, float, Box | None]] = []
        node.create_subscription(TrackerStatus, "/stm_tracker/status", self._hear_status, qos.output())
        node.create_subscription(
            Detection2DArray, "/stm_tracker/detections", self._hear, qos.keep_last(ReliabilityPolicy.RELIABLE, 60)
        )
        self._set = node.create_client(SetTarget, "/stm_tracker/set_target", qos_profile=qos.service())
        self._clear = node.create_client(Trigger, "/stm_tracker/clear_target", qos_profile=qos.service())

    def run(self, late_s: float) -> Run:
        """Name the target late, then the same box on the newest image."""
        camera = self._camera
        seen = self._seen(late_s)
        answer, overlap, first_age_s, answer_s = self._first(*seen)
        time.sleep(SETTLED_S)
        later = self._overlap(self._heard[-1]) if self._heard else 0.0
        prompt = self._prompt(late_s + answer_s)
        box, _ = self._seen(late_s)
        unmoved = overlap_of(box, camera.truth[camera.newest_ns])
        return Run(
            sequence="",
            speed=camera.speed,
            late_s=late_s,
            overlap=overlap,
            later=later,
            prompt=prompt,
            on_newest=self._first(box, 0)[1],
            unmoved=unmoved,
            answer_s=answer_s,
            age_s=answer.age,
            frames_replayed=answer.frames_replayed,
            first_age_s=first_age_s,
            message=answer.message,
        )

    def _prompt(self, seconds: float) -> float:
        """The overlap so long after the target was named on the newest image where it is there."""
        box, stamp_ns = self._seen(0.0)
        self._first(box, stamp_ns)
        time.sleep(seconds)
        return self._overlap(self._heard[-1]) if self._heard else 0.0

    def _seen(self, late_s: float) -> tuple[Box, int]:
        """What the operator draws now: the true box of so many seconds ago, and the stamp of its image.

        Without a target: what is published from now on is of the next one.
        """
        self._call(self._clear, Trigger.Request())
        time.sleep(0.05)
        self._heard.clear()
        stamp_ns = self._camera.nearest(self._camera.newest_ns - round(late_s * 1e9))
        return self._camera.truth[stamp_ns], stamp_ns

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        """Until it holds. Raises SystemExit if it never does."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > end:
                raise SystemExit(f"in vain waited for {what}; last heartbeat: {self.status}")
            time.sleep(0.002)

    def _first(self, box: Box, stamp_ns: int) -> tuple[Any, float, float, float]:
        """Name it; the answer, the first published box's overlap, its image's age, the time to the answer."""
        request = SetTarget.Request(stamp=messages.to_time(stamp_ns))
        request.box.center.position.x, request.box.center.position.y = box.center
        request.box.size_x, request.box.size_y = box.width, box.height
        asked = time.monotonic()
        answer = self._call(self._set, request)
        answer_s = time.monotonic() - asked
        if not answer.success:
            return answer, 0.0, math.nan, answer_s
        self.wait(lambda: bool(self._heard), "a first array")
        first = self._heard[0]
        return answer, self._overlap(first), first[1], answer_s

    def _overlap(self, heard: tuple[int, float, Box | None]) -> float:
        stamp_ns, _, box = heard
        return 0.0 if box is None else overlap_of(box, self._camera.truth[stamp_ns])

    def _call(self, client: Any, request: Any) -> Any:
        future = client.call_async(request)
        self.wait(future.done, "an answer")
        return future.result()

    def _hear_status(self, message: TrackerStatus) -> None:
        self.status = message

    def _hear(self, message: Detection2DArray) -> None:
        stamp_ns = messages.to_ns(message.header.stamp)
        age_s = (self._node.get_clock().now().nanoseconds - stamp_ns) / 1e9
        found = [messages.upright_box(one.bbox) for one in message.detections]
        self._heard.append((stamp_ns, age_s, found[0] if found else None))


def measure(options: argparse.Namespace, operator: Operator, camera: Camera) -> list[Run]:
    """All runs; each is told as it ends."""
    runs: list[Run] = []
    for number, sequence in enumerate(read_sequences(options.data, options.sequences)):
        camera.footage = Footage(sequence, options.size, options.scale)
        operator.wait(lambda: operator.status.received > 0, "a first image")
        for turn, speed in enumerate(options.speeds, number):
            camera.speed = speed
            time.sleep(max(options.late) + 0.3)
            for late_s in options.late[turn % options.every :: options.every] * options.rounds:
                run = Run(**{**asdict(operator.run(late_s)), "sequence": sequence.name})
                runs.append(run)
                print(json.dumps(asdict(run)), flush=True)
        camera.footage = None
    return runs


def report(runs: Sequence[Run]) -> str:
    """A row a cell, and all together: shares of runs in percent."""

    def row(name: str, those: Sequence[Run]) -> str:
        shares = (
            100 * np.mean([getattr(run, figure) >= 0.5 for run in those])
            for figure in ("overlap", "later", "prompt", "on_newest", "unmoved")
        )
        medians = (
            float(np.nanmedian([getattr(run, figure) for run in those]))
            for figure in ("frames_replayed", "answer_s", "first_age_s")
        )
        figures = " | ".join([*(f"{share:.0f}" for share in shares), *(f"{median:.2f}" for median in medians)])
        return f"| {name} | {len(those)} | {figures} |"

    lines = ["| cell | runs | first >= .5 | 0.5 s later | prompt | on newest | unmoved | replayed | answer s | age s |"]
    lines.append("|---" * 10 + "|")
    speeds, lates = sorted({run.speed for run in runs}), sorted({run.late_s for run in runs})
    for late_s, speed in itertools.product(lates, speeds):
        name, those = f"{late_s:g} s, {speed:g} px/s", [r for r in runs if (r.late_s, r.speed) == (late_s, speed)]
        lines.append(row(name, those))
    lines += [
        row(name, [run for run in runs if run.sequence == name]) for name in dict.fromkeys(r.sequence for r in runs)
    ]
    return "\n".join([*lines, row("all", runs)])


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sequences", nargs="+", default=list(SEQUENCES))
    parser.add_argument(
        "--size", type=program.picture_size, default=(640, 480), metavar="WxH", help="of the camera's images"
    )
    parser.add_argument("--scale", type=float, help="of the video's frames; by default the target becomes 64 px")
    parser.add_argument("--speeds", nargs="+", type=float, default=list(SPEEDS), help="px/s")
    parser.add_argument("--late", nargs="+", type=float, default=list(LATE_S), help="s")
    parser.add_argument(
        "--every", type=whole_number, default=1, help="run one of so many cells of a sequence, another one of the next"
    )
    parser.add_argument("--rounds", type=whole_number, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the node")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    chosen, domain = transport.choose(), transport.free_domain()
    of_node = transport.environment(
        os.environ, domain, chosen.discovery_range, chosen.profile if chosen.for_all else None
    )
    os.environ.update(transport.environment(os.environ, domain, chosen.discovery_range, chosen.profile))
    arguments = ["--ros-args", "-r", "image:=/image"]
    arguments += [part for pair in options.set for part in ("-p", pair.replace("=", ":=", 1))]
    tracker = Child("node", "stm_tracker_ros.ros.node", arguments, of_node, print)
    rclpy.init()
    node, executor = rclpy.create_node("operator"), SingleThreadedExecutor()
    executor.add_node(node)
    spinner = threading.Thread(target=executor.spin, daemon=True)
    spinner.start()
    camera = Camera(node, options.size)
    try:
        operator = Operator(node, camera)
        operator.wait(lambda: operator.status.state == State.NO_TARGET, "the node")
        print(report(measure(options, operator, camera)), f"load {os.getloadavg()[0]:.1f}", sep="\n")
    finally:
        camera.close()
        end_all([tracker])
        executor.shutdown()
        spinner.join(PATIENCE_S)  # a thread that rclpy still works in aborts the interpreter's end
        rclpy.try_shutdown()


if __name__ == "__main__":
    program.run(__file__, main)
