"""A client of the tracker node: names the target by service, lets the camera play, listens until the camera ends.

`python -m stm_tracker_ros.ros.demo_client --ros-args -p box:="[10, 20, 30, 40]" -p tracker:=/stm_tracker`
Writes all that it heard to `record` where that is given, a file that does not exist yet.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.client import Client
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from rclpy.time import Time
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger
from vision_msgs.msg import Detection2DArray

from stm_tracker_msgs.msg import TrackerStatus
from stm_tracker_msgs.srv import SetTarget
from stm_tracker_ros import as_given
from stm_tracker_ros.core.errors import StmTrackerError, TargetError
from stm_tracker_ros.core.output_folder import refuse_existing
from stm_tracker_ros.core.surroundings import guarded
from stm_tracker_ros.core.types import Box, RotatedBox
from stm_tracker_ros.engine.drop_policy import DropReason
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import convert, log_folder, qos
from stm_tracker_ros.ros.demo_record import Answer, ClientRecord, Heartbeat, pack_mask, write
from stm_tracker_ros.ros.demo_start import parameter, started, text
from stm_tracker_ros.ros.diagnostics import lost_before_us
from stm_tracker_ros.ros.messages import upright_box

# Loading torch and weights takes its time on a small machine.
READY_WITHIN_S = 90.0
ASK_AGAIN_S = 0.2
# Answers and heartbeats wait here while the client is slow; none may be lost, they are counted.
DEPTH = 200
# How ~/status speaks of a node that will not become active by waiting.
BROKEN, FAILED = (State.UNCONFIGURED.name, State.INACTIVE.name), "cannot"
# The diagnostics come once a second.
FRESH_S = 1.5
NOT_YET = (SetTarget.Response.CODE_NO_IMAGE, SetTarget.Response.CODE_INACTIVE)


class DemoClient(Node):
    """Parameters tracker and camera (names of those nodes), box, record. Raises StmTrackerError for them."""

    def __init__(self) -> None:
        super().__init__("client")
        self._tracker, camera = text(self, "tracker", "/stm_tracker"), text(self, "camera", "/camera")
        self._box = _box(parameter(self, "box", [0.0, 0.0, 0.0, 0.0]))
        self._record = text(self, "record")
        if self._record:
            refuse_existing(Path(self._record))
        self._answers: list[Answer] = []
        self._heartbeats: list[Heartbeat] = []
        self._masks: dict[int, str] = {}
        self._lost: dict[str, int] = {}
        self._set_target = self.create_client(SetTarget, f"{self._tracker}/set_target")
        self._play = self.create_client(Trigger, f"{camera}/play")
        profile = qos.keep_last(ReliabilityPolicy.RELIABLE, DEPTH)
        self.create_subscription(Detection2DArray, f"{self._tracker}/detections", self._take_answer, profile)
        # Trackers without masks do not publish there.
        self.create_subscription(Image, f"{self._tracker}/mask", self._take_mask, profile)
        self.create_subscription(TrackerStatus, f"{self._tracker}/status", self._take_status, profile)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, profile)

    def run(self) -> None:
        """The whole conversation. Raises StmTrackerError if the target is refused or somebody does not answer."""
        self._name_target()
        self._call(self._play, Trigger.Request(), READY_WITHIN_S)
        # The camera leaves the graph when the video has ended.
        self._spin_until(lambda: not self._play.service_is_ready(), None, "the camera to end")
        self._spin_until(self._has_settled, READY_WITHIN_S, f"{self._tracker} to finish")
        self._spin_for(FRESH_S)
        self._add_lost()
        if self._record:
            rmw = get_rmw_implementation_identifier()
            heard = ClientRecord(rmw=rmw, answers=self._answers, heartbeats=self._heartbeats, masks=self._masks)
            write(Path(self._record), heard)

    def _name_target(self) -> None:
        request = SetTarget.Request(class_id="person")
        request.box.center.position.x, request.box.center.position.y = self._box.center
        request.box.size_x, request.box.size_y = float(self._box.width), float(self._box.height)
        deadline = monotonic() + READY_WITHIN_S
        answer = self._call(self._set_target, request, READY_WITHIN_S)
        while answer.code in NOT_YET and monotonic() < deadline:
            self._spin_for(ASK_AGAIN_S)
            self._raise_if_broken()
            answer = self._call(self._set_target, request, READY_WITHIN_S)
        if not answer.success:
            raise StmTrackerError(f"{self._tracker} refused the box {tuple(self._box)}: {answer.message}")
        self.get_logger().info(f"{answer.id} named; its image was {answer.age * 1e3:.0f} ms old at the answer")

    def _raise_if_broken(self) -> None:
        last = self._heartbeats[-1] if self._heartbeats else None
        if last is not None and last.state in BROKEN and last.message.startswith(FAILED):
            raise StmTrackerError(f"{self._tracker} {last.message}")

    def _call(self, client: Client, request: Any, timeout_s: float) -> Any:
        self._spin_until(client.service_is_ready, timeout_s, f"the service {client.srv_name}")
        future = client.call_async(request)
        self._spin_until(future.done, timeout_s, f"an answer of {client.srv_name}")
        return future.result()

    def _spin_until(self, done: Callable[[], bool], timeout_s: float | None, what: str) -> None:
        deadline = None if timeout_s is None else monotonic() + timeout_s
        while not done():
            if deadline is not None and monotonic() > deadline:
                raise StmTrackerError(f"waited {timeout_s:.0f} s for {what}")
            rclpy.spin_once(self, timeout_sec=0.1)

    def _spin_for(self, seconds: float) -> None:
        end = monotonic() + seconds
        while monotonic() < end:
            rclpy.spin_once(self, timeout_sec=max(0.0, end - monotonic()))

    def _has_settled(self) -> bool:
        """Whether no image waits in the node, and no more came between the last two heartbeats."""
        last = [(one.received, one.tracked, dict(one.drops)) for one in self._heartbeats[-2:]]
        return len(last) == 2 and last[0] == last[1] and not _waiting(self._heartbeats[-1])

    def _add_lost(self) -> None:
        """Put what was lost before the node beside what it dropped itself."""
        last = self._heartbeats[-1]
        self._heartbeats[-1] = replace(last, drops={**last.drops, **self._lost})

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        self._lost = lost_before_us(message, self._tracker) or self._lost

    def _take_answer(self, message: Detection2DArray) -> None:
        detection = message.detections[0] if message.detections else None
        box = score = rotated = None
        if detection is not None:
            box, score = upright_box(detection.bbox), detection.results[0].hypothesis.score
            center, theta = detection.bbox.center.position, detection.bbox.center.theta
            if theta:
                rotated = RotatedBox(center.x, center.y, detection.bbox.size_x, detection.bbox.size_y, theta)
        stamp_ns, now_ns = Time.from_msg(message.header.stamp).nanoseconds, self.get_clock().now().nanoseconds
        self._answers.append(Answer(stamp_ns=stamp_ns, arrival_ns=now_ns, box=box, score=score, rotated=rotated))

    def _take_mask(self, message: Image) -> None:
        self._masks[Time.from_msg(message.header.stamp).nanoseconds] = pack_mask(convert.mask(message))

    def _take_status(self, message: TrackerStatus) -> None:
        heartbeat = Heartbeat(
            image_stamp_ns=Time.from_msg(message.image_stamp).nanoseconds,
            state=State(message.state).name,
            confidence=float(message.confidence),
            received=int(message.received),
            tracked=int(message.tracked),
            drops={
                str(reason): int(count) for reason, count in zip(message.drop_reasons, message.drop_counts, strict=True)
            },
            message=str(message.message),
        )
        if not self._heartbeats or self._heartbeats[-1].state != heartbeat.state:
            self.get_logger().info(f"{heartbeat.state} {heartbeat.message}".rstrip())
        self._heartbeats.append(heartbeat)


def _box(given: Any) -> Box:
    """Of a parameter, numbers or text. Raises TargetError for what is no box."""
    try:
        numbers = [float(one) for one in given.strip("[] ").split(",")] if isinstance(given, str) else given
        box = as_given.target(numbers).box
    except (TargetError, ValueError):
        box = None
    if box is None:
        raise TargetError(f"box is {given}; allowed is [x, y, width, height] in pixels")
    return box


def _waiting(heartbeat: Heartbeat) -> int:
    """Images received and not answered yet; those lost before the node are no part of its sum."""
    dropped = sum(heartbeat.drops.get(reason.value, 0) for reason in DropReason)
    return heartbeat.received - heartbeat.tracked - dropped


def main() -> int:
    """Entry point."""
    return guarded("demo_client", _main)


def _main() -> int:
    log_folder.make_sure("demo_client")
    client = started(DemoClient)
    try:
        client.run()
    except StmTrackerError as error:
        client.get_logger().error(str(error))
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    finally:
        client.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
