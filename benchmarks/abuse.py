"""One node process, put through abuse: does it live, answer, keep its memory, and track afterwards as if nothing were?

  .venv/bin/python benchmarks/abuse.py [--images 20000] [--requests 5000] [--transitions 500] [--parameters 1000]

A fresh node follows the packaged sample first, then the same process gets images that cannot be used (fields that do
not fit, bytes that are no message), requests that make no sense, transitions in any order and of any number, and
parameters of odd names, types and values, in turns with nothing left out. Afterwards the sample is played once more:
the boxes must be the same, digit for digit, and resident memory within 2 % of what it was after the first run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import program
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters, SetParametersAtomically
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger
from vision_msgs.msg import Detection2D, Detection2DArray

from stm_tracker_msgs.msg import TrackerStatus
from stm_tracker_msgs.srv import SetTarget
from stm_tracker_ros.cli.options import whole_number
from stm_tracker_ros.core.output_folder import new_file
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.demo import sample, transport
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import convert, qos

NODE = "/stm_tracker"
PATIENCE_S = 120.0
AT_ONCE = 50
TRANSITIONS_AT_ONCE = 5  # rcl makes that service itself, and lets ten requests wait
TRACKED = 60
WARM_RUNS = 4
PERIOD_NS = 33_333_333
ALLOWED_GROWTH = 0.02
ENCODINGS = (*convert.ENCODINGS, "", "nv99", "16UC7", "bgr8 ", "\x00", "ö" * 300, "32FC1", "8UC3")


class Operator(Node):
    """Camera, client and listener in one."""

    def __init__(self) -> None:
        super().__init__("operator")
        self.camera = self.create_publisher(Image, f"{NODE}/image", qos.service())
        self.init = self.create_publisher(Detection2D, f"{NODE}/init", qos.service())
        self.boxes: dict[int, tuple[float, ...]] = {}
        self.last = TrackerStatus(state=255)
        self.create_subscription(Detection2DArray, f"{NODE}/detections", self._hear, qos.service())
        self.create_subscription(TrackerStatus, f"{NODE}/status", self._beat, qos.output())
        self._callers: dict[str, Any] = {}

    def ask(self, kind: type, name: str, request: Any) -> Any:
        """A future of the answer."""
        if name not in self._callers:
            client = self.create_client(kind, f"{NODE}/{name}", qos_profile=qos.service())
            if not client.wait_for_service(PATIENCE_S):
                raise SystemExit(f"no service {name}")
            self._callers[name] = client
        return self._callers[name].call_async(request)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Until it holds; the operator is spun in another thread."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(f"in vain waited for {what}; last heartbeat: {self.last}")
            time.sleep(0.005)

    def answers(self, asked: Iterator[Any], at_once: int = AT_ONCE) -> list[Any]:
        """Of many requests, so many under way; all must come."""
        done: list[Any] = []
        for request in asked:
            done.append(request)
            if len(done) % at_once == 0:
                self.wait(lambda: all(one.done() for one in done[-at_once:]), "answers")
        self.wait(lambda: all(one.done() for one in done), "the last answers")
        return [one.result() for one in done]

    def answer(self, kind: type, name: str, request: Any) -> Any:
        """The answer to one request."""
        return self.answers(iter([self.ask(kind, name, request)]))[0]

    def _hear(self, message: Detection2DArray) -> None:
        box = message.detections[0].bbox if message.detections else None
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        place = () if box is None else (box.center.position.x, box.center.position.y, box.size_x, box.size_y)
        self.boxes[stamp] = place

    def _beat(self, message: TrackerStatus) -> None:
        self.last = message


def follow_sample(operator: Operator, start_ns: int) -> list[tuple[float, ...]]:
    """Name the target on the sample's first image and play the next ones, each after the answer to the one before."""
    scene = sample.packaged()
    operator.boxes.clear()
    for number, frame in zip(range(TRACKED), frames(str(scene.video)), strict=False):
        stamp = start_ns + number * PERIOD_NS
        show(operator, convert.fill_image(Image(), frame.bgr(), "bgr8"), stamp)
        if number == 0:
            operator.wait(partial(name_target, operator, scene.first_box, stamp), "the target to be taken")
        else:
            operator.wait(partial(operator.boxes.__contains__, stamp), f"the answer to image {number}")
    return [operator.boxes[start_ns + number * PERIOD_NS] for number in range(1, TRACKED)]


def name_target(operator: Operator, box: Any, stamp_ns: int) -> bool:
    """Whether the box is taken on the image of that stamp."""
    request = SetTarget.Request()
    request.box.center.position.x, request.box.center.position.y = box.center
    request.box.size_x, request.box.size_y = float(box.width), float(box.height)
    request.stamp.sec, request.stamp.nanosec = divmod(stamp_ns, 10**9)
    return bool(operator.answer(SetTarget, "set_target", request).success)


def show(operator: Operator, message: Image, stamp_ns: int) -> None:
    """Publish an image."""
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    operator.camera.publish(message)


def odd_image(chance: random.Random) -> Image | bytes:
    """Nothing that a camera should send: fields that do not fit one another, or bytes that are no message."""
    message = Image(height=chance.choice((0, 1, 48, 2**32 - 1)), width=chance.choice((0, 1, 64, 2**32 - 1)))
    message.encoding, message.is_bigendian = chance.choice(ENCODINGS), chance.choice((0, 1, 255))
    message.step = chance.choice((0, 1, 7, 64, 2**32 - 1))
    message.data.frombytes(chance.randbytes(chance.choice((0, 1, 100, 3000))))
    message.header.stamp.sec = chance.choice((0, -(2**31), 2**31 - 1, 5))
    message.header.stamp.nanosec = chance.choice((0, 1, 2**32 - 1))
    message.header.frame_id = chance.choice(("", "camera", "x" * 5000))
    if chance.random() < 0.3:
        wire = bytearray(serialize_message(message))
        for _ in range(chance.randint(1, 4)):  # letters that are no UTF-8 among them, and lengths
            wire[chance.randrange(12, min(len(wire), 60))] = chance.choice((0xFF, 0xC3, 0x80))
        return bytes(wire if chance.random() < 0.7 else wire[: chance.randrange(4, 60)])
    return message


def odd_number(chance: random.Random) -> float:
    """What floats may hold."""
    return chance.choice((0.0, -1.0, 1e308, -1e308, math.nan, math.inf, -math.inf, 5e-324, 100.0, 2.5))


def odd_target(chance: random.Random) -> SetTarget.Request:
    """Boxes, masks, names and stamps that no operator means."""
    request = SetTarget.Request(id=chance.choice(("", "x" * 257, "ö" * 100000, "target-1", "\n")))
    request.class_id = chance.choice(("", "y" * 1000, "person"))
    request.stamp.sec = chance.choice((0, -5, 2**31 - 1))
    request.box.center.position.x, request.box.center.position.y = odd_number(chance), odd_number(chance)
    request.box.size_x, request.box.size_y = odd_number(chance), odd_number(chance)
    request.box.center.theta = odd_number(chance)
    if chance.random() < 0.5:
        mask = odd_image(chance)
        request.mask = mask if isinstance(mask, Image) else request.mask
    return request


def odd_parameter(chance: random.Random, known: list[str]) -> Parameter:
    """Known and unknown names, types that exist and others."""
    value = ParameterValue(type=chance.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99, 255)))
    value.double_value, value.integer_value = odd_number(chance), chance.choice((-(2**63), 2**63 - 1, -1, 7))
    value.string_value = chance.choice(("", "x" * 10000, "nan", "ö"))
    value.double_array_value = [math.nan] * chance.randint(0, 5)
    name = chance.choice((*known, "", "no.such.name", "use_sim_time", "x" * 5000, "tracker.", ".", "qos_overrides.a"))
    return Parameter(name=name, value=value)


def odd_requests(operator: Operator, chance: random.Random, count: int, known: list[str]) -> Iterator[Any]:
    """Of every service, in any order."""
    for _ in range(count):
        kind = chance.randrange(7)
        if kind < 2:
            yield operator.ask(SetTarget, "set_target", odd_target(chance))
        elif kind == 2:
            operator.init.publish(Detection2D(bbox=odd_target(chance).box, id="z" * chance.choice((0, 300))))
            yield operator.ask(SetBool, "pause", SetBool.Request(data=chance.random() < 0.5))
        elif kind == 3:
            odd = [odd_parameter(chance, known) for _ in range(chance.randint(0, 4))]
            yield operator.ask(SetParametersAtomically, "set_parameters_atomically", parameters(odd, atomically=True))
        elif kind == 4:
            names = [chance.choice((*known, "", "no", "x" * 3000)) for _ in range(chance.randint(0, 5))]
            yield operator.ask(DescribeParameters, "describe_parameters", DescribeParameters.Request(names=names))
            yield operator.ask(GetParameters, "get_parameters", GetParameters.Request(names=names))
        elif kind == 5:
            request = ListParameters.Request(prefixes=["", "tracker", "."], depth=chance.choice((0, 1, 2**64 - 1)))
            yield operator.ask(ListParameters, "list_parameters", request)
        else:
            yield operator.ask(Trigger, "confirm", Trigger.Request())
            yield operator.ask(Trigger, "clear_target", Trigger.Request())


def parameters(odd: list[Parameter], *, atomically: bool) -> Any:
    """A request to set them."""
    return (SetParametersAtomically if atomically else SetParameters).Request(parameters=odd)


def transitions(operator: Operator, chance: random.Random, count: int) -> Iterator[Any]:
    """All numbers but those that shut down for good; labels that exist and others."""
    numbers = [n for n in range(256) if n not in (Transition.TRANSITION_UNCONFIGURED_SHUTDOWN, *range(5, 9))]
    for _ in range(count):
        number = chance.choice((1, 2, 3, 4, 1, 2, 3, 4, chance.choice(numbers)))
        label = chance.choice(("", "", "", "no such transition", "transition_success"))
        yield operator.ask(
            ChangeState, "change_state", ChangeState.Request(transition=Transition(id=number, label=label))
        )


def reload(operator: Operator) -> None:
    """Give the tracker back and load it again: the first time leaves other holes in the heap than all later ones."""
    for number in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        operator.answer(ChangeState, "change_state", ChangeState.Request(transition=Transition(id=number)))
    bring_up(operator)


def bring_up(operator: Operator) -> None:
    """Active, without target, unpaused, whatever it was before."""
    for number in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        operator.answer(ChangeState, "change_state", ChangeState.Request(transition=Transition(id=number)))
    operator.answer(SetBool, "pause", SetBool.Request(data=False))
    operator.answer(Trigger, "clear_target", Trigger.Request())
    operator.wait(lambda: operator.last.state == State.NO_TARGET, "the node to be ready")


def resident_mib(process_id: int) -> float:
    """Memory of a process that is in use now."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def put_through(operator: Operator, chance: random.Random, options: argparse.Namespace) -> dict[str, int]:
    """Everything, in turns; gives how many answers came."""
    listed = operator.answer(ListParameters, "list_parameters", ListParameters.Request())
    known = list(listed.result.names)
    count: dict[str, int] = dict.fromkeys(("images", "requests", "parameters", "transitions"), 0)
    for part in range(options.turns):
        for _ in range(options.images // options.turns):
            operator.camera.publish(odd_image(chance))
            count["images"] += 1
            if count["images"] % 20 == 0:
                time.sleep(0.004)  # let some of them arrive
        count["requests"] += len(
            operator.answers(odd_requests(operator, chance, options.requests // options.turns, known))
        )
        sets = (
            operator.ask(SetParameters, "set_parameters", parameters([odd_parameter(chance, known)], atomically=False))
            for _ in range(options.parameters // options.turns)
        )
        count["parameters"] += len(operator.answers(sets))
        asked = transitions(operator, chance, options.transitions // options.turns)
        count["transitions"] += len(operator.answers(asked, TRANSITIONS_AT_ONCE))
        bring_up(operator)
        memory = f"{resident_mib(options.process_id):.0f} MiB"
        print(f"turn {part + 1} of {options.turns}: {count}, {memory}", file=sys.stderr, flush=True)
    return count


def reset_parameters(operator: Operator, before: dict[str, ParameterValue]) -> None:
    """What the odd ones changed, for some are allowed."""
    odd = [Parameter(name=name, value=value) for name, value in before.items()]
    operator.answer(SetParametersAtomically, "set_parameters_atomically", parameters(odd, atomically=True))


def live_values(operator: Operator) -> dict[str, ParameterValue]:
    """The parameters that may be set, and what they are."""
    names = operator.answer(ListParameters, "list_parameters", ListParameters.Request()).result.names
    described = operator.answer(DescribeParameters, "describe_parameters", DescribeParameters.Request(names=names))
    live = [one.name for one in described.descriptors if not one.read_only and one.name != "use_sim_time"]
    values = operator.answer(GetParameters, "get_parameters", GetParameters.Request(names=live)).values
    return dict(zip(live, values, strict=True))


def measure(operator: Operator, process: subprocess.Popen[bytes], options: argparse.Namespace) -> dict[str, Any]:
    """The whole story; what it showed."""
    operator.wait(lambda: operator.last.state == State.NO_TARGET, "the node")
    before = live_values(operator)
    start_ns = 1_700_000_000 * 10**9 + 5
    for hour in range(WARM_RUNS):
        reload(operator)
        undisturbed = follow_sample(operator, start_ns + hour * 3600 * 10**9)
    warm_mib = resident_mib(process.pid)
    count = put_through(operator, random.Random(options.seed), options)
    reset_parameters(operator, before)
    afterwards = follow_sample(operator, start_ns + WARM_RUNS * 3600 * 10**9)
    after_mib = resident_mib(process.pid)
    return {
        **count,
        "alive": process.poll() is None,
        "same_boxes": undisturbed == afterwards and sum(map(bool, undisturbed)) > TRACKED // 2,
        "boxes": len(afterwards),
        "warm_mib": round(warm_mib, 1),
        "after_mib": round(after_mib, 1),
        "growth_percent": round(100 * (after_mib / warm_mib - 1), 2),
    }


def main() -> int:
    """Parse, abuse, print; 1 if something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("images", 20000), ("requests", 5000), ("transitions", 500), ("parameters", 1000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--turns", type=whole_number, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tracker", default="stmtrack_lite")
    parser.add_argument("--log", type=Path, help="where the node's log goes; a new file (default: nowhere)")
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ["ROS_DOMAIN_ID"] = str(transport.free_domain())
    arguments = ["--ros-args", "-r", f"image:={NODE}/image", "-p", f"tracker.name:={options.tracker}"]
    with Path(os.devnull).open("wb") if options.log is None else new_file(options.log) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stm_tracker_ros.ros.node", *arguments], stdout=log, stderr=log
        )
        options.process_id = process.pid
        rclpy.init()
        operator, executor = Operator(), SingleThreadedExecutor()
        executor.add_node(operator)
        spinner = threading.Thread(target=executor.spin, daemon=True)
        spinner.start()
        try:
            result = measure(operator, process, options)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)
            executor.shutdown()
            spinner.join(PATIENCE_S)
            rclpy.try_shutdown()
    print(json.dumps(result))
    good = result["alive"] and result["same_boxes"] and abs(result["growth_percent"]) <= 100 * ALLOWED_GROWTH
    return 0 if good else 1


if __name__ == "__main__":
    program.run(__file__, main)
