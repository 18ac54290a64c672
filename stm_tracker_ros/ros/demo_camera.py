"""A camera that plays a video: shows its first frame until told to play, publishes bgr8 at a fixed rate.

`python -m stm_tracker_ros.ros.demo_camera --ros-args -p video:=FILE -p fps:=30 -r image:=/camera/image_raw`
Ends when the video has ended, unless `loop` is true; writes what it published to `record` where that is given,
a file that does not exist yet.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.output_folder import refuse_existing
from stm_tracker_ros.core.surroundings import guarded
from stm_tracker_ros.core.types import HIGHEST_FPS, LEAST_FPS, Pixels
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.ros import log_folder, qos
from stm_tracker_ros.ros.convert import fill_image
from stm_tracker_ros.ros.demo_record import CameraRecord, Shot, write
from stm_tracker_ros.ros.demo_start import parameter, started, text, truth

FRAME_ID = "camera_optical_frame"
# The last image has to reach everybody before its publisher is gone.
LINGER_S = 1.0
LOOK_FOR_READER_S = 0.02
# The writer knows its reader a little before the reader knows its writer; what is published between is in no count.
MATCHED_BOTH_WAYS_S = 0.5


class DemoCamera(Node):
    """Parameters video, fps, loop, record; topic image; service ~/play. Raises StmTrackerError for the parameters."""

    def __init__(self) -> None:
        super().__init__("camera")
        self._video = text(self, "video")
        self._fps = _rate(parameter(self, "fps", 30.0))
        self._loop = truth(self, "loop", False)
        self._record = text(self, "record")
        if self._record:
            refuse_existing(Path(self._record))
        self._first = _first_of(self._video)
        self._publisher = self.create_publisher(Image, "image", qos.output())
        self._play, self._ended = Event(), Event()
        self.create_service(Trigger, "~/play", self._start_to_play)
        self._shots: list[Shot] = []

    def run(self) -> None:
        """Wait for a reader, show the first frame until told to play, play; returns at the end of the video."""
        while not self._publisher.get_subscription_count():
            if self._ended.wait(LOOK_FOR_READER_S):
                return
        self._ended.wait(MATCHED_BOTH_WAYS_S)
        due = monotonic()
        for frame, image, playing in self._shown():
            due = max(due + 1 / self._fps, monotonic())
            if self._ended.wait(max(0.0, due - monotonic())):
                return
            self._publish(frame, image, playing)
        self._ended.wait(LINGER_S)
        self._write_record()

    def end(self) -> None:
        """Make `run` return soon; from any thread."""
        self._ended.set()

    def _shown(self) -> Iterator[tuple[int, Pixels, bool]]:
        """Frame number, image and whether it plays: frame 0 again and again, then all from 0."""
        first = self._first
        self.get_logger().info(f"showing the first frame of {self._video} ({first.shape[1]} x {first.shape[0]})")
        while not self._play.is_set():
            yield 0, first, False
        self.get_logger().info(f"playing at {self._fps:g} Hz")
        for _ in itertools.count() if self._loop else range(1):
            for number, frame in enumerate(frames(self._video)):
                yield number, frame.bgr(), True

    def _publish(self, frame: int, image: Pixels, playing: bool) -> None:
        message = fill_image(Image(), image, "bgr8")
        stamp: Time = self.get_clock().now()
        message.header.stamp, message.header.frame_id = stamp.to_msg(), FRAME_ID
        self._publisher.publish(message)
        self._shots.append(Shot(frame=frame, stamp_ns=stamp.nanoseconds, playing=playing))

    def _start_to_play(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = not self._play.is_set(), "playing"
        self._play.set()
        return response

    def _write_record(self) -> None:
        if self._record:
            write(Path(self._record), CameraRecord(shots=self._shots))


def _rate(given: Any) -> float:
    """Of a parameter, Hz. Raises DataError for what is none."""
    if isinstance(given, (int, float)) and not isinstance(given, bool) and LEAST_FPS <= given <= HIGHEST_FPS:
        return float(given)
    raise DataError(f"fps is {given}; allowed are {LEAST_FPS:g} to {HIGHEST_FPS:g} images a second")


def _first_of(video: str) -> Pixels:
    """Its first frame. Raises DataError for what is no video."""
    if not video:
        raise DataError("video is empty; allowed is a file with a video: -p video:=FILE")
    return next(frames(video)).bgr()


def main() -> int:
    """Entry point."""
    return guarded("demo_camera", _main)


def _main() -> int:
    log_folder.make_sure("demo_camera")
    camera = started(DemoCamera)
    executor = SingleThreadedExecutor()
    executor.add_node(camera)
    thread = Thread(target=_spin, args=(executor, camera), name="executor")
    thread.start()
    try:
        camera.run()
    except KeyboardInterrupt:
        camera.end()
    finally:
        executor.shutdown()
        thread.join()
        camera.destroy_node()
        rclpy.try_shutdown()
    return 0


def _spin(executor: SingleThreadedExecutor, camera: DemoCamera) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        camera.end()


if __name__ == "__main__":
    sys.exit(main())
