"""Images of a rosbag2 recording (mcap or sqlite3), without ROS: read by the package `rosbags`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from stm_tracker_ros.core.errors import DataError, FrameError
from stm_tracker_ros.core.types import ImageView, Pixels
from stm_tracker_ros.data.image_files import is_image_name
from stm_tracker_ros.data.sources import Picture, Source

View = Callable[[Any, int], "Pixels | ImageView"]

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_SUFFIXES = (".mcap", ".db3", ".bag")
_STARTS = (b"\x89MCAP0\r\n", b"SQLite format 3\0", b"#ROSBAG V2.0\n")
_METADATA = "metadata.yaml"
_RECOVERY = "of a recording that was not finished, `mcap recover` or `ros2 bag reindex` make a whole one"


def is_bag(path: Path) -> bool:
    """Whether a file or folder is a recording of ROS, by what it holds."""
    if path.is_dir():
        return bool(_parts(path)) and ((path / _METADATA).is_file() or _is_copied_alone(path))
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        return False
    return any(start.startswith(known) for known in _STARTS)


class Bag(Source):
    """Images of one topic in the order of their recording; stamps are those of the messages' headers.

    A message that cannot be used, or is not newer than the one before it, is a gap.
    """

    def __init__(self, path: Path, view: View, topic: str | None = None, start: int = 0) -> None:
        """`view`: gives the image of a message and its time. topic: None where the bag has one topic with images.

        Raises DataError if the bag cannot be read, or the topic is not to be found or chosen.
        """
        super().__init__(str(path), start)
        self._view, self._stack, self._end = view, ExitStack(), ""
        try:
            self._reader = self._stack.enter_context(_reader(path))
        except DataError:
            raise
        except Exception as error:  # noqa: BLE001  rosbags lets through whatever its parts raise
            raise DataError(f"{path} cannot be read as a bag: {error}; {_RECOVERY}") from None
        try:
            self._connections = _of_topic(self._reader.connections, topic, str(path))
        except DataError:
            self.close()
            raise

    def close(self) -> None:
        """Close the bag."""
        self._stack.close()

    def _pictures(self) -> Iterator[tuple[int, Picture]]:
        newest_ns: int | None = None
        for index, (received_ns, message) in enumerate(self._messages()):
            if index < self.start:
                continue
            stamp_ns = _stamp_of(message) or received_ns
            name = f"message {index} at {stamp_ns} ns"
            picture: Picture = None
            if newest_ns is not None and stamp_ns <= newest_ns:
                self._lose(name, f"{self.name}: {name} is not newer than the one before it")
            else:
                picture = self._picture(message, stamp_ns, name, first=index == self.start)
            if picture is not None:
                newest_ns = stamp_ns
            yield stamp_ns, picture

    def _messages(self) -> Iterator[tuple[int, Any]]:
        try:
            for connection, received_ns, data in self._reader.messages(connections=self._connections):
                yield received_ns, self._reader.deserialize(data, connection.msgtype)
        except Exception as error:  # noqa: BLE001  as above; told at the end
            self._end = str(error) or type(error).__name__

    def _picture(self, message: Any, stamp_ns: int, name: str, *, first: bool) -> Picture:
        try:
            picture = self._view(message, stamp_ns)
            # What is compressed is decoded when somebody looks, and may fail there.
            return picture if isinstance(picture, np.ndarray) else picture.region(0, 0, *picture.shape[1::-1])
        except (FrameError, DataError) as error:
            if first:
                raise DataError(f"{self.name}: {error}; the target is given on this one, {name}") from None
            self._lose(name, f"{self.name}: {error}")
            return None

    def _check_end(self) -> None:
        if self._end:
            self._trouble(f"{self.name} cannot be read to its end: {self._end}")

    def _emptiness(self) -> str:
        return f"cannot be read: {self._end}" if self._end else super()._emptiness()


def _parts(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES[:2])
    except OSError:
        return []


def _is_copied_alone(folder: Path) -> bool:
    """Whether a folder without metadata holds one file of a bag, and nothing else to look at."""
    return len(_parts(folder)) == 1 and not any(is_image_name(path.name) for path in folder.iterdir())


def _reader(path: Path) -> Any:
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        text = "reading bags needs the package rosbags; install it with: pip install 'stm_tracker_ros[bags]'"
        raise DataError(f"{path} is a bag, and {text} ({error})") from None
    if path.is_dir() and not (path / _METADATA).is_file():
        path = _parts(path)[0]
    # For bags that hold no definitions; images and headers are the same in all distributions of ROS 2.
    return AnyReader([path], default_typestore=get_typestore(Stores.ROS2_HUMBLE))


def _of_topic(connections: list[Any], topic: str | None, name: str) -> list[Any]:
    images = [connection for connection in connections if connection.msgtype in (IMAGE, COMPRESSED)]
    topics = sorted({connection.topic for connection in images})
    if not topics:
        known = ", ".join(sorted({connection.topic for connection in connections})) or "nothing"
        raise DataError(f"{name} has no topic with images; it has {known}")
    # compressedDepth wraps its PNG into a header of its own.
    usual = [one for one in topics if not one.endswith("/compressedDepth")]
    if topic is None and len(usual) != 1:
        raise DataError(f"{name} has several topics with images; choose one with --topic: {', '.join(topics)}")
    wanted = usual[0] if topic is None else "/" + topic.lstrip("/")
    chosen = [connection for connection in images if "/" + connection.topic.lstrip("/") == wanted]
    if not chosen:
        raise DataError(f"{name} has no images on topic {topic}; allowed are {', '.join(topics)}")
    return chosen


def _stamp_of(message: Any) -> int:
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
