import array
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from test_convert import Message, bayer

from stm_tracker_ros.core.errors import FrameError
from stm_tracker_ros.core.types import Frame
from stm_tracker_ros.ros import convert

pytestmark = pytest.mark.pure

HEIGHT, WIDTH = 48, 64


@dataclass
class Compressed:
    """What convert uses of sensor_msgs/CompressedImage."""

    format: str = ""
    data: array.array = field(default_factory=lambda: array.array("B"))


def compressed(pixels, kind="png", text=None):
    coded, data = cv2.imencode(f".{kind}", pixels)
    assert coded
    return Compressed(kind if text is None else text, array.array("B", data.tobytes()))


def bgr(message):
    return Frame(image=convert.view(message), stamp_ns=0).bgr()


@pytest.fixture
def picture():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([40 + 2 * x, 60 + 3 * y, 200 - x - y], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("text", ["jpeg", "jpg", "", "bgr8; jpeg compressed bgr8", "rgb8; jpeg compressed bgr8"])
def test_jpeg_comes_close_and_its_size_is_known(picture, text):
    view = convert.view(compressed(picture, "jpg", text))
    assert view.shape == picture.shape
    assert np.abs(view.region(0, 0, WIDTH, HEIGHT).astype(int) - picture).max() <= 12


@pytest.mark.parametrize(
    ("text", "is_swapped"),
    [
        ("png", False),
        ("rgb8; png compressed bgr8", False),
        ("yuv422; png compressed bgr8", False),
        ("mono8; png compressed", False),
        ("rgb8; png compressed", True),
        ("rgb8; png compressed rgb8", True),
        ("bgr8; png compressed rgb8", True),
    ],
)
def test_the_order_of_colours_is_that_of_image_transport(picture, text, is_swapped):
    expected = picture[..., ::-1] if is_swapped else picture
    np.testing.assert_array_equal(bgr(compressed(picture, "png", text)), expected)


def test_grey_and_alpha_are_taken(picture):
    gray = picture[..., 0]
    np.testing.assert_array_equal(bgr(compressed(gray)), np.dstack([gray] * 3))
    np.testing.assert_array_equal(bgr(compressed(np.dstack([picture, gray]))), picture)


def test_a_png_of_16_bits_is_what_its_raw_image_is(picture):
    wide = picture[..., 0].astype(np.uint16) * 3 + 8000
    raw = Message(HEIGHT, WIDTH, "mono16", 0, WIDTH * 2, array.array("B", wide.tobytes()))
    found = bgr(compressed(wide, "png", "mono16; png compressed "))
    np.testing.assert_array_equal(found, bgr(raw))
    assert np.ptp(found) == 255


def test_a_mosaic_is_coloured(picture):
    mosaic = bayer(picture, "rggb")
    found = bgr(compressed(mosaic, "png", "bayer_rggb8; png compressed ")).astype(int)
    assert np.abs(found - picture)[2:-2, 2:-2].max() <= 8


def test_a_crop_is_that_part_of_the_whole_and_decoded_once(picture, monkeypatch):
    calls = []
    real = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda *given: calls.append(1) or real(*given))
    frame = Frame(image=convert.view(compressed(picture)), stamp_ns=0)
    assert (frame.width, frame.height, calls) == (WIDTH, HEIGHT, [])
    np.testing.assert_array_equal(frame.region(5, 7, 20, 30), picture[7:30, 5:20])
    np.testing.assert_array_equal(frame.bgr(), picture)
    assert calls == [1]


def test_another_picture_that_opencv_can_decode_is_taken(picture):
    assert convert.view(compressed(picture, "bmp")).shape == picture.shape


def exif(orientation):
    """The segment that says how a viewer should turn a JPEG."""
    entry = bytes.fromhex("4d4d002a00000008 0001 0112 0003 00000001") + orientation.to_bytes(2, "big") + bytes(6)
    body = b"Exif\x00\x00" + entry
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body


def test_orientation_is_left_alone_as_in_image_transport(picture):
    sent = compressed(picture, "jpg")
    data = sent.data.tobytes()
    sent.data = array.array("B", data[:2] + exif(6) + data[2:])
    assert convert.view(sent).shape == picture.shape
    assert np.abs(bgr(sent).astype(int) - picture).max() <= 12


def test_bytes_behind_the_picture_do_no_harm(picture):
    """Buffers of MJPEG cameras are longer than their images."""
    sent = compressed(picture, "jpg")
    sent.data.frombytes(bytes(len(sent.data) * 3))
    assert bgr(sent).shape == picture.shape


def cut(message, share):
    message.data = message.data[: int(len(message.data) * share)]
    return message


def jpeg_that_claims(width, height):
    data = bytearray(compressed(np.zeros((8, 8, 3), np.uint8), "jpg").data.tobytes())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return Compressed("jpeg", array.array("B", data))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (Compressed("jpeg"), ["'jpeg'", "no data", "JPEG and PNG"]),
        (cut(compressed(np.full((60, 80, 3), 9, np.uint8), "jpg"), 0.8), ["JPEG", "cut short"]),
        (cut(compressed(np.full((60, 80, 3), 9, np.uint8), "jpg"), 0.05), ["JPEG", "cut short"]),
        (cut(compressed(np.full((60, 80, 3), 9, np.uint8)), 0.9), ["PNG", "cut short"]),
        (Compressed("png", array.array("B", b"\x89PNG\r\n\x1a\n")), ["PNG", "cut short"]),
        (jpeg_that_claims(0, 0), ["JPEG", "damaged"]),
        (jpeg_that_claims(65000, 65000), ["65000 x 65000", "100 million"]),
        (Compressed("h264", array.array("B", b"\0\0\0\1gB")), ["'h264'", "6 bytes", "JPEG and PNG"]),
        (Compressed("16UC1; compressedDepth png", array.array("B", b"1")), ["compressedDepth", "raw depth image"]),
    ],
)
def test_what_cannot_be_used_is_said_before_anybody_looks(message, words):
    with pytest.raises(FrameError) as refusal:
        _ = convert.view(message).shape
    for word in words:
        assert word in str(refusal.value)


def test_a_body_that_cannot_be_decoded_is_found_at_the_first_look(picture):
    sent = compressed(picture)
    middle = sent.data.tobytes().index(b"IDAT") + 4
    sent.data[middle : middle + 40] = array.array("B", bytes(40))
    view = convert.view(sent)
    with pytest.raises(FrameError, match="cannot be decoded; allowed are JPEG and PNG"):
        view.region(0, 0, 1, 1)


def test_two_compressed_messages_hold_the_same_picture_if_every_byte_is_the_same(picture):
    one, other = compressed(picture), compressed(picture)
    assert convert.same_picture(one, other)
    other.data[-20] ^= 1
    assert not convert.same_picture(one, other)
    assert not convert.same_picture(one, compressed(picture, text="jpeg"))


def test_a_raw_and_a_compressed_message_are_never_the_same():
    raw = Message(1, 1, "bgr8", 0, 3, array.array("B", b"abc"))
    assert not convert.same_picture(raw, Compressed("bgr8", array.array("B", b"abc")))


def test_a_few_bytes_that_claim_a_large_picture_are_damaged(picture):
    data = bytearray(compressed(picture, "jpg").data)
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = (9999).to_bytes(2, "big") + (10_000).to_bytes(2, "big")
    sent = compressed(picture, "jpg")
    sent.data = bytes(data)
    with pytest.raises(FrameError, match="claims 10000 x 9999 pixels in"):
        convert.view(sent)
