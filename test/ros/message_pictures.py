"""Image messages as convert sees them, without ROS."""

import array
from dataclasses import dataclass, field

import numpy as np

from stm_tracker_ros.core.types import Frame
from stm_tracker_ros.ros import convert

HEIGHT, WIDTH = 24, 32


@dataclass
class Message:
    """What convert uses of sensor_msgs/Image."""

    height: int = 0
    width: int = 0
    encoding: str = ""
    is_bigendian: int = 0
    step: int = 0
    data: array.array = field(default_factory=lambda: array.array("B"))


def message(pixels, encoding, *, padding=0, big_endian=False):
    rows = pixels.astype(pixels.dtype.newbyteorder(">" if big_endian else "<")).reshape(len(pixels), -1)
    raw = np.pad(rows.view(np.uint8), ((0, 0), (0, padding)), constant_values=77)
    data = array.array("B", raw.tobytes())
    height, width = pixels.shape[:2]
    return Message(height, width, encoding, int(big_endian), raw.shape[1], data)


def bgr(image_message):
    return Frame(image=convert.view(image_message), stamp_ns=0).bgr()
