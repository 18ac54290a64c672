"""What is kept of an image message when there is no room for all of it."""

import array
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from message_pictures import Message, bgr

from stm_tracker_ros.core.errors import FrameError
from stm_tracker_ros.ros import convert
from stm_tracker_ros.ros.encodings import ENCODINGS
from stm_tracker_ros.ros.shrink import halved

pytestmark = pytest.mark.pure

HEIGHT, WIDTH = 96, 130


@dataclass
class Stamped(Message):
    """With a header, as sensor_msgs/Image."""

    header: str = ""


@dataclass
class Compressed:
    format: str = "jpeg"
    data: array.array = field(default_factory=lambda: array.array("B"))


def picture(height=HEIGHT, width=WIDTH):
    y, x = np.mgrid[:height, :width]
    return np.stack([40 + x, 60 + y, 200 - x / 2 - y / 2], axis=-1).clip(0, 255).astype(np.uint8)


def stamped(pixels, encoding):
    pixels = np.ascontiguousarray(pixels)
    data = array.array("B", pixels.tobytes())
    return Stamped(pixels.shape[0], pixels.shape[1], encoding, 0, pixels.strides[0], data, header="that of the image")


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("bgr8", lambda p: p),
        ("rgb8", lambda p: p[..., ::-1]),
        ("bgra8", lambda p: cv2.cvtColor(p, cv2.COLOR_BGR2BGRA)),
        ("8UC3", lambda p: p),
    ],
)
def test_colours_of_8_bits_become_an_eighth_of_bgr8(encoding, encode):
    message = stamped(encode(picture()), encoding)
    made = halved(message)
    assert (made.size, made.nbytes) == ((WIDTH, HEIGHT), len(made.message.data))
    assert (made.message.width, made.message.height, made.message.encoding) == (66, 48, "nv12")
    assert made.message.header == "that of the image"
    assert made.nbytes == 66 * 48 * 3 // 2
    true = cv2.resize(picture(), (66, 48), interpolation=cv2.INTER_AREA)
    assert np.abs(bgr(made.message).astype(int) - true).max() <= 6


def test_what_was_made_smaller_can_be_again():
    once = halved(stamped(picture(300, 400), "bgr8"))
    twice = halved(once.message)
    assert (once.size, twice.size) == ((400, 300), (200, 150))
    assert (twice.message.width, twice.message.height) == (100, 76)
    assert twice.nbytes * 4 == pytest.approx(once.nbytes, rel=0.03)


@pytest.mark.parametrize("encoding", sorted(name for name, one in ENCODINGS.items() if not one.stretch))
def test_every_encoding_of_8_bits_keeps_its_picture(encoding):
    channels = ENCODINGS[encoding].channels
    rng = np.random.default_rng(1)
    smooth = cv2.resize(rng.integers(60, 190, (6, 8), np.uint8), (128, 96), interpolation=cv2.INTER_CUBIC)
    message = stamped(np.repeat(smooth[..., None], channels, axis=2), encoding)
    made = halved(message)
    assert made.nbytes < len(message.data)
    true = cv2.resize(bgr(message), (64, 48), interpolation=cv2.INTER_AREA)
    assert np.abs(bgr(made.message).astype(int) - true).mean() <= 6


@pytest.mark.parametrize("encoding", ["mono16", "32FC1", "bayer_rggb16", "rgb16", "no such encoding"])
def test_the_others_stay_as_they_are(encoding):
    assert halved(stamped(np.zeros((96, 128, 16), np.uint8), encoding)) is None


def test_compressed_and_small_images_stay_as_they_are():
    assert halved(Compressed()) is None
    assert halved(stamped(picture(60, 400), "bgr8")) is None


def test_an_image_that_is_cut_short_is_refused():
    message = stamped(picture(), "bgr8")
    del message.data[-500:]
    with pytest.raises(FrameError):
        halved(message)


def test_the_picture_is_read_by_the_converter_of_the_stream():
    made = halved(stamped(picture(), "bgr8"))
    assert convert.Converter().view(made.message, 5).shape == (48, 66, 3)
