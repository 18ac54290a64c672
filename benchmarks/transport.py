"""How many raw images reach the node from a camera process whose transport settings are those of a stock Fast DDS.

  .venv/bin/python benchmarks/transport.py --reliability reliable --size 640x480 --rate 30 --seconds 10 [--follow]

Three processes: this one listens, the node is the product's program with its defaults (qos: auto), the camera plays a
fixed picture. One line of JSON: published, received by the node, superseded in its reader, lost; the share of each.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import program
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from sensor_msgs.msg import Image

from stm_tracker_msgs.msg import TrackerStatus
from stm_tracker_msgs.srv import SetTarget
from stm_tracker_ros.cli.options import rate
from stm_tracker_ros.demo import transport
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import convert, qos
from stm_tracker_ros.ros.diagnostics import lost_before_us

PATIENCE_S = 120
CAMERA_SETTLES_S = 1.0


def play(reliability: str, size: tuple[int, int], rate: float, seconds: float) -> None:
    """The camera's process: images at that rate after the node has found it, then a line with their number."""
    rclpy.init()
    node = rclpy.create_node("camera")
    width, height = size
    picture = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    publisher = node.create_publisher(Image, "image", qos.keep_last(qos.choose(reliability, ())))
    while not publisher.get_subscription_count():
        time.sleep(0.01)
    time.sleep(CAMERA_SETTLES_S)  # auto subscribes again where this publisher calls for another QoS
    count, due = round(rate * seconds), time.monotonic()
    for _ in range(count):
        message = convert.fill_image(Image(), picture, "bgr8")
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        due += 1 / rate
        time.sleep(max(0.0, due - time.monotonic()))
    print(count, flush=True)
    time.sleep(CAMERA_SETTLES_S)


class Listener(Node):
    """Hears the node's heartbeat and diagnostics."""

    def __init__(self) -> None:
        super().__init__("listener")
        self.last = TrackerStatus(state=255)
        self.lost: dict[str, int] = {}
        self.create_subscription(TrackerStatus, "/stm_tracker/status", self._hear, qos.output())
        self.create_subscription(DiagnosticArray, "/diagnostics", self._hear_diagnostics, qos.output())

    def _hear(self, message: TrackerStatus) -> None:
        self.last = message

    def _hear_diagnostics(self, message: DiagnosticArray) -> None:
        self.lost = lost_before_us(message, "/stm_tracker") or self.lost

    def wait(self, condition, what: str) -> None:  # noqa: ANN001
        """Until the heartbeat says so."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(f"in vain waited for {what}; last heartbeat: {self.last}")
            rclpy.spin_once(self, timeout_sec=0.1)

    def follow(self, size: tuple[int, int]) -> None:
        """Name a target in the middle, so that the tracker works while images come."""
        client = self.create_client(SetTarget, "/stm_tracker/set_target")
        client.wait_for_service(PATIENCE_S)
        request = SetTarget.Request()
        request.box.center.position.x, request.box.center.position.y = size[0] / 2, size[1] / 2
        request.box.size_x = request.box.size_y = 60.0
        self.wait(lambda: self.last.received > 0, "a first image")
        future = client.call_async(request)
        self.wait(future.done, "the answer of set_target")
        if not future.result().success:
            raise SystemExit(future.result().message)


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Start both, listen, count."""
    command = [sys.executable, str(Path(__file__).resolve()), "--play"]
    command += [f"--{name}={getattr(options, name)}" for name in ("reliability", "rate", "seconds")]
    command += [f"--size={options.size[0]}x{options.size[1]}"]
    tracker = subprocess.Popen([sys.executable, "-m", "stm_tracker_ros.ros.node"], stderr=subprocess.DEVNULL)
    rclpy.init()
    listener = Listener()
    try:
        listener.wait(lambda: listener.last.state == State.NO_TARGET, "the node")
        cpu_before_s = cpu_seconds(tracker.pid)
        camera = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        if options.follow:
            listener.follow(options.size)
        listener.wait(lambda: camera.poll() is not None, "the end of the camera")
        listener.wait(lambda: "no images" in listener.last.message, "the node to miss the images")
        assert camera.stdout is not None
        cpu_s = cpu_seconds(tracker.pid) - cpu_before_s
        return account(int(camera.stdout.read()), listener) | {"node_cpu_s": round(cpu_s, 2)}
    finally:
        tracker.send_signal(signal.SIGINT)
        tracker.wait(PATIENCE_S)
        rclpy.shutdown()


def cpu_seconds(process_id: int) -> float:
    """CPU time that a process has used."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def account(published: int, listener: Listener) -> dict[str, object]:
    """What became of the images."""
    status = listener.last
    drops = dict(zip(status.drop_reasons, status.drop_counts, strict=True))
    superseded = listener.lost.get("superseded_in_reader", 0)
    return {
        "published": published,
        "received": status.received,
        "superseded_in_reader": superseded,
        "lost": published - status.received - superseded,
        "percent_received": round(100 * status.received / published, 1),
        "percent_reached_reader": round(100 * (status.received + superseded) / published, 1),
        "tracked": status.tracked,
        "drops": {reason: count for reason, count in drops.items() if count},
        "load_1_min": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reliability", choices=("reliable", "best_effort"), default="reliable")
    parser.add_argument(
        "--size", type=program.picture_size, default=(640, 480), metavar="WxH", help="(default: 640x480)"
    )
    parser.add_argument("--rate", type=rate, default=30.0, help="images a second (default: %(default)g)")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--follow", action="store_true", help="name a target, so that the tracker works meanwhile")
    parser.add_argument("--play", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        play(options.reliability, options.size, options.rate, options.seconds)
        return
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ["ROS_DOMAIN_ID"] = str(transport.free_domain())
    print(json.dumps(measure(options)))


if __name__ == "__main__":
    program.run(__file__, main)
