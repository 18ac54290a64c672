"""What stands around a node under test: its process, and camera and operator in the test's own process."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger
from vision_msgs.msg import Detection2DArray

from stm_tracker_msgs.msg import TrackerStatus
from stm_tracker_msgs.srv import SetTarget
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import convert, qos

PATIENCE_S, PATIENCE_FRAMES = 60, 3000
WIDTH, HEIGHT = 160, 120
BLOB = 20


class Graph:
    """The test's own ROS node, spun in a thread; `changed` is notified at every message and answer."""

    def __init__(self):
        rclpy.init()
        self.node = rclpy.create_node("operator")
        self.changed = threading.Condition()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def wait(self, condition, what):
        """Wait until `condition()` holds; fails with `what` after a long time."""
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE_S), f"in vain waited for {what}"

    def call(self, service_type, name, request):
        client = self.node.create_client(service_type, name)
        assert client.wait_for_service(PATIENCE_S), f"no service {name}"
        future = client.call_async(request)
        future.add_done_callback(lambda _: self._notify())
        self.wait(future.done, f"an answer of {name}")
        self.destroy("destroy_client", client)
        return future.result()

    def destroy(self, method, what):
        """Destroy in the executor's thread: rclpy's executor does not survive it elsewhere."""
        task = self._executor.create_task(getattr(self.node, method), what)
        task.add_done_callback(lambda _: self._notify())
        self.wait(task.done, method)

    def close(self):
        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()
        rclpy.try_shutdown()

    def _notify(self):
        with self.changed:
            self.changed.notify_all()

    def _spin(self):
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()


class Ear:
    """All messages of one topic since the last `clear`."""

    def __init__(self, graph, message_type, topic, profile=None):
        self.messages = []
        self._graph = graph
        self._subscription = graph.node.create_subscription(
            message_type, topic, self._hear, profile or qos.keep_last(qos.ReliabilityPolicy.RELIABLE, 100)
        )

    def _hear(self, message):
        with self._graph.changed:
            self.messages.append(message)
            self._graph.changed.notify_all()

    def stamps(self):
        return [stamp_ns(message.header) for message in self.messages]

    def close(self):
        self._graph.destroy("destroy_subscription", self._subscription)


class NodeUnderTest:
    """The node's process, and the camera and the operator that it has to do with."""

    def __init__(self, graph, environment, namespace, log, parameters, program):
        self.graph, self.namespace, self.name, self.log = graph, namespace, f"{namespace}/stm_tracker", Path(log)
        given = {"tracker.name": "brightest", "status_rate_hz": 20.0, "silent_after_s": 0.3} | {
            name.replace("__", "."): value for name, value in parameters.items()
        }
        self.exit_status = 0
        self._ears = {}
        self.status = self.ear("status", TrackerStatus)
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, *program, *ros_arguments(namespace, given)],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def ear(self, name, message_type):
        """What the node says on ~/name."""
        if name not in self._ears:
            self._ears[name] = Ear(self.graph, message_type, f"{self.name}/{name}")
        return self._ears[name]

    def camera(self, reliability="reliable", topic="image", message_type=Image, encode=None):
        return Camera(self.graph, f"{self.namespace}/{topic}", qos.choose(reliability, ()), message_type, encode)

    def wait(self, condition, what):
        def holds():
            assert self.process.poll() is None, f"the node ended: {self.log.read_text()}"
            return condition()

        self.graph.wait(holds, f"{what}; the node's log:\n{self.log.read_text()}")

    def wait_state(self, state):
        self.wait(lambda: self.last.state == state, state.name)

    def wait_ready(self):
        """Until it is active and without target."""
        self.wait_state(State.NO_TARGET)

    def wait_message(self, *words):
        self.wait(lambda: all(word in self.last.message for word in words), f"a status with {words}")
        return self.last.message

    @property
    def last(self):
        return self.status.messages[-1] if self.status.messages else TrackerStatus(state=255)

    def next_status(self, condition=lambda status: True):
        """A status that was sent from now on and fulfils the condition."""
        known = len(self.status.messages)
        found = []

        def search():
            found[:] = [message for message in self.status.messages[known + 1 :] if condition(message)]
            return found

        self.wait(search, "a status like that")
        return found[0]

    def diagnostics(self, part, condition):
        """The next diagnostic status of that part of this node that fulfils the condition."""
        ear = Ear(self.graph, DiagnosticArray, "/diagnostics")
        found = []

        def search():
            statuses = (status for message in ear.messages for status in message.status)
            found[:] = [s for s in statuses if s.name == f"{self.name}: {part}" and condition(s)]
            return found

        self.wait(search, f"diagnostics of {part}")
        ear.close()
        return found[-1]

    def receive_from(self, camera):
        """Show images until one has come through."""
        before = self.last.received
        self.repeat(camera, lambda: self.last.received > before)

    def start_work(self):
        """Name a target and show one image more; until the tracker is at work on it."""
        self.wait_ready()
        camera = self.camera()
        self.receive_from(camera)
        assert self.set_target().success
        camera.show(picture())
        self.wait(lambda: self.last.received > self.last.tracked + sum(self.last.drop_counts), "work")

    def follow(self, camera, **changes):
        """Name a target, and show it until the first answer has come through."""
        detections = self.ear("detections", Detection2DArray)
        self.receive_from(camera)
        answer = self.set_target(**changes)
        assert answer.success, answer.message
        detections.messages.clear()
        self.repeat(camera, lambda: detections.messages)
        return answer

    def track(self, camera, image):
        """Show one image and wait for its answer, which is returned."""
        detections = self.ear("detections", Detection2DArray)
        detections.messages.clear()
        stamp = camera.show(image)
        self.wait(lambda: stamp in detections.stamps(), "the answer")
        return detections.messages[detections.stamps().index(stamp)]

    def track_until(self, camera, image, condition):
        """Show the image, again and again, until `condition(answer)` holds; that answer is returned."""
        for _ in range(PATIENCE_FRAMES):
            answer = self.track(camera, image)
            if condition(answer):
                return answer
        raise AssertionError(f"in vain showed {PATIENCE_FRAMES} frames; the node's log:\n{self.log.read_text()}")

    def lose(self, camera):
        """Show the ground alone until there is no valid box."""
        return self.track_until(camera, picture(blob=0), lambda answer: not answer.detections)

    def set_target(self, box=(40, 30, BLOB, BLOB), **fields):
        request = SetTarget.Request(**fields)
        if box is not None:
            x, y, request.box.size_x, request.box.size_y = (float(value) for value in box)
            request.box.center.position.x = x + request.box.size_x / 2
            request.box.center.position.y = y + request.box.size_y / 2
        return self.graph.call(SetTarget, f"{self.name}/set_target", request)

    def clear_target(self):
        return self.graph.call(Trigger, f"{self.name}/clear_target", Trigger.Request())

    def pause(self, paused):
        return self.graph.call(SetBool, f"{self.name}/pause", SetBool.Request(data=paused))

    def change_state(self, transition):
        """One of configure, activate, deactivate, cleanup; whether it succeeded."""
        request = transition_request(transition)
        return self.graph.call(ChangeState, f"{self.name}/change_state", request).success

    def ask_to_end(self):
        """Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def end(self):
        """It must end by itself, and well unless the test says otherwise, when asked to."""
        code = self.process.wait(PATIENCE_S)
        assert code == self.exit_status, self.log.read_text()
        for ear in self._ears.values():
            ear.close()
        self._ears.clear()

    def repeat(self, camera, condition, image=None):
        """Show the picture, or another image, until the condition holds; heartbeats give the pace."""
        seen = [-1]

        def once_more():
            if condition():
                return True
            if len(self.status.messages) != seen[0]:
                seen[0] = len(self.status.messages)
                camera.show(picture() if image is None else image)
            return False

        self.wait(once_more, "images to come through")


def transition_request(name):
    number = getattr(Transition, f"TRANSITION_{name.upper()}")
    return ChangeState.Request(transition=Transition(id=number))


class Camera:
    """Publishes images with rising stamps; encode: array -> message, bgr8 by default."""

    def __init__(self, graph, topic, reliability, message_type=Image, encode=None):
        self._graph = graph
        self.topic = topic
        self._publisher = graph.node.create_publisher(message_type, topic, qos.keep_last(reliability))
        self._encode = encode or (lambda image: convert.fill_image(Image(), image, "bgr8"))
        self._shown = 0

    def show(self, image, stamp=None):
        """Publish; `image` is an array, which gets a little noise, or a message. The stamp in ns (now by default)."""
        message = self._encode(self._noisy(image)) if isinstance(image, np.ndarray) else image
        message.header.frame_id = "camera_optical_frame"
        stamp = self._graph.node.get_clock().now().nanoseconds if stamp is None else stamp
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 1_000_000_000)
        self._publisher.publish(message)
        return stamp

    def show_bytes(self, wire):
        """Publish what is, or is not, a serialised message."""
        self._publisher.publish(wire)

    def _noisy(self, image):
        """The same bytes again and again are a camera that hangs."""
        self._shown += 1
        image = image.copy()
        image[0, 0] = self._shown % 100
        return image

    def play(self, image, count, rate_hz):
        """Publish many, one after the other."""
        for _ in range(count):
            self.show(image)
            time.sleep(1 / rate_hz)

    def subscribers(self):
        return self._publisher.get_subscription_count()

    def close(self):
        self._graph.destroy("destroy_publisher", self._publisher)


class Stream:
    """A camera at 30 Hz in a thread of its own, as a context; what it shows may be changed at any time.

    image, stamp: called for each image with its number. `last_stamp_ns`: of the last one shown.
    """

    def __init__(self, camera, image=lambda number: picture(), stamp=lambda number: None):
        self.image, self.stamp, self.last_stamp_ns, self.shown = image, stamp, 0, 0
        self._camera = camera
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._ended.set()
        self._thread.join()

    def _run(self):
        while not self._ended.wait(1 / 30):
            self.last_stamp_ns = self._camera.show(self.image(self.shown), self.stamp(self.shown))
            self.shown += 1


def picture(x=40, y=30, blob=BLOB, width=WIDTH, height=HEIGHT):
    """A bright square on dark ground; `blob` 0 shows the ground alone."""
    image = np.full((height, width, 3), 30, np.uint8)
    image[y : y + blob, x : x + blob] = 255
    return image


def stamp_ns(header):
    return header.stamp.sec * 1_000_000_000 + header.stamp.nanosec


def values(diagnostic):
    """Key values of a diagnostic status."""
    return {value.key: value.value for value in diagnostic.values}


def drops(status):
    """Counts by reason of a TrackerStatus."""
    return dict(zip(status.drop_reasons, status.drop_counts, strict=True))


def ros_arguments(namespace, parameters):
    text = {True: "true", False: "false"}
    words = {name: text[value] if isinstance(value, bool) else value for name, value in parameters.items()}
    pairs = [("-p", f"{name}:={word}") for name, word in words.items()]
    return ["--ros-args", "-r", f"__ns:={namespace}", *(part for pair in pairs for part in pair)]
