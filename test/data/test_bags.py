from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.readers import open_source
from stm_tracker_ros.ros.convert import Converter

rosbag2 = pytest.importorskip("rosbags.rosbag2")
typesys = pytest.importorskip("rosbags.typesys")

pytestmark = pytest.mark.pure

STORE = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE)
STORAGES = {"mcap": rosbag2.StoragePlugin.MCAP, "sqlite3": rosbag2.StoragePlugin.SQLITE3}


def header(stamp_ns):
    stamp = STORE.types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return STORE.types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")


def raw(stamp_ns, level, encoding="bgr8"):
    data = np.full(48 * 64 * 3, level, np.uint8)
    return STORE.types["sensor_msgs/msg/Image"](
        header=header(stamp_ns), height=48, width=64, encoding=encoding, is_bigendian=0, step=192, data=data
    )


def compressed(stamp_ns, level, suffix=".png"):
    data = cv2.imencode(suffix, np.full((48, 64, 3), level, np.uint8))[1].ravel()
    return STORE.types["sensor_msgs/msg/CompressedImage"](header=header(stamp_ns), format=suffix[1:], data=data)


def record(path, storage, **topics):
    """A bag with these messages, a second apart; underscores in names of topics stand for slashes."""
    with rosbag2.Writer(path, version=9, storage_plugin=STORAGES[storage]) as writer:
        for name, messages in topics.items():
            kind = messages[0].__msgtype__
            connection = writer.add_connection("/" + name.replace("_", "/"), kind, typestore=STORE)
            for second, message in enumerate(messages):
                writer.write(connection, 10**9 * second, STORE.serialize_cdr(message, kind))
    return path


def levels(source):
    return [int(frame.bgr()[0, 0, 0]) for frame in source]


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("message", [raw, compressed])
def test_a_bag_gives_its_images_with_the_stamps_of_their_headers(tmp_path, storage, message):
    messages = [message(10**9 * (5 + number) + 7, 40 * number) for number in range(3)]
    bag = record(tmp_path / "bag", storage, camera=messages)
    source = open_source(bag, view=Converter().view)
    stream = list(source)
    assert [frame.stamp_ns for frame in stream] == [5_000_000_007, 6_000_000_007, 7_000_000_007]
    assert levels(stream) == [0, 40, 80]
    assert source.troubles == []
    file = next(path for path in bag.iterdir() if path.suffix in (".mcap", ".db3"))
    assert levels(open_source(file, view=Converter().view, start=1)) == [40, 80]


def test_of_several_topics_one_is_to_be_chosen(tmp_path):
    bag = record(tmp_path / "bag", "mcap", left=[raw(1, 10)], right_compressed=[compressed(1, 20)])
    with pytest.raises(DataError, match=r"choose one with --topic: /left, /right/compressed"):
        open_source(bag, view=Converter().view)
    assert levels(open_source(bag, view=Converter().view, topic="right/compressed")) == [20]
    with pytest.raises(DataError, match="no images on topic /up"):
        open_source(bag, view=Converter().view, topic="/up")


def test_messages_that_cannot_be_used_are_gaps(tmp_path):
    messages = [raw(1, 10), raw(2, 20, "no_encoding"), raw(1, 30), raw(3, 40)]
    source = open_source(record(tmp_path / "bag", "mcap", camera=messages), view=Converter().view)
    stream = list(source)
    assert levels(stream) == [10, 40]
    assert stream[1].gap == 2
    assert "message 1 at 2 ns, message 2 at 1 ns" in source.troubles[0]


def test_the_message_that_the_target_is_given_on_has_to_be_usable(tmp_path):
    bag = record(tmp_path / "bag", "mcap", camera=[compressed(1, 10), raw(2, 10)][:1])
    assert levels(open_source(bag, view=Converter().view)) == [10]
    bag = record(tmp_path / "broken", "mcap", camera=[raw(2, 20, "no_encoding")])
    with pytest.raises(DataError, match="the target is given on this one"):
        list(open_source(bag, view=Converter().view))


def test_a_bag_without_images_and_a_damaged_one_are_refused(tmp_path):
    text = STORE.types["std_msgs/msg/String"](data="x")
    with pytest.raises(DataError, match="no topic with images; it has /words"):
        open_source(record(tmp_path / "bag", "mcap", words=[text]), view=Converter().view)
    bag = record(tmp_path / "cut", "mcap", camera=[raw(1, 10)])
    file = next(bag.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(DataError, match="cannot be read as a bag.*mcap recover"):
        open_source(file, view=Converter().view)


def damaged(folder, storage):
    """A bag whose 51st image is overwritten, together with what stands before it in the file."""
    bag = record(folder / "bag", storage, camera=[raw(1 + number, 3 * number) for number in range(80)])
    file = next(path for path in bag.iterdir() if path.suffix in (".mcap", ".db3"))
    content = file.read_bytes()
    at = content.index(bytes([150]) * 2000) - 4000
    file.write_bytes(content[:at] + b"\xff" * 4000 + content[at + 4000 :])
    return open_source(bag, view=Converter().view)


def test_a_bag_that_is_damaged_in_its_middle_is_read_as_far_as_it_goes(tmp_path):
    source = damaged(tmp_path, "sqlite3")
    assert 0 < len(list(source)) < 80
    assert "cannot be read to its end" in " ".join(source.troubles)


def test_a_bag_of_one_damaged_chunk_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="bag cannot be read: "):
        list(damaged(tmp_path, "mcap"))


def test_without_rosbags_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "bag.mcap").write_bytes(b"\x89MCAP0\r\n")
    monkeypatch.setitem(sys.modules, "rosbags.highlevel", None)
    with pytest.raises(DataError, match=r"bag.mcap is a bag, and .* pip install 'stm_tracker_ros\[bags\]' \(.*\)$"):
        open_source(tmp_path / "bag.mcap", view=Converter().view)
