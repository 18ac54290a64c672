import array
import sys
from types import ModuleType

import cv2
import numpy as np
import pytest
from message_pictures import HEIGHT, WIDTH, Message, bgr, message

from stm_tracker_ros.core.errors import FrameError
from stm_tracker_ros.core.types import Frame
from stm_tracker_ros.ros import convert

pytestmark = pytest.mark.pure

CROPS = [(0, 0, 1, 1), (5, 3, 18, 20), (7, 7, 9, 8), (WIDTH - 3, HEIGHT - 3, WIDTH, HEIGHT)]
"""left, top, right, bottom"""


@pytest.fixture
def picture():
    """A smooth picture with a different ramp in each channel: colour interpolation stays close to it."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([40 + 4 * x, 60 + 5 * y, 200 - 2 * x - 2 * y], axis=-1).astype(np.uint8)


def bayer(picture, cell):
    """A mosaic whose 2 x 2 cell has these channels (b, g, r), row by row."""
    mosaic = np.empty(picture.shape[:2], np.uint8)
    for index, channel in enumerate(cell):
        row, column = divmod(index, 2)
        mosaic[row::2, column::2] = picture[row::2, column::2, "bgr".index(channel)]
    return mosaic


def yuv_pairs(picture, order):
    """YUV 4:2:2 made from BT.601 by hand; order is a permutation of y and chroma bytes."""
    blue, green, red = (picture[..., i].astype(float) for i in range(3))
    luma = 16 + 0.257 * red + 0.504 * green + 0.098 * blue
    u = (128 - 0.148 * red - 0.291 * green + 0.439 * blue)[:, ::2]
    v = (128 + 0.439 * red - 0.368 * green - 0.071 * blue)[:, ::2]
    chroma = np.stack([u, v], axis=-1).reshape(picture.shape[:2])
    planes = (luma, chroma) if order == "yc" else (chroma, luma)
    return np.stack(planes, axis=-1).round().clip(0, 255).astype(np.uint8)


def alpha(picture):
    return np.dstack([picture, np.full(picture.shape[:2], 9, np.uint8)])


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("bgr8", lambda p: p),
        ("8UC3", lambda p: p),
        ("rgb8", lambda p: p[..., ::-1]),
        ("bgra8", alpha),
        ("8UC4", alpha),
        ("rgba8", lambda p: alpha(p[..., ::-1])),
    ],
)
def test_colour_encodings_are_exact(picture, encoding, encode, padding):
    np.testing.assert_array_equal(bgr(message(encode(picture), encoding, padding=padding)), picture)


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize(
    ("encoding", "encode", "tolerance"),
    [
        ("yuv422", lambda p: yuv_pairs(p, "cy"), 12),
        ("uyvy", lambda p: yuv_pairs(p, "cy"), 12),
        ("yuv422_yuy2", lambda p: yuv_pairs(p, "yc"), 12),
        ("yuyv", lambda p: yuv_pairs(p, "yc"), 12),
        ("bayer_rggb8", lambda p: bayer(p, "rggb"), 8),
        ("bayer_bggr8", lambda p: bayer(p, "bggr"), 8),
        ("bayer_gbrg8", lambda p: bayer(p, "gbrg"), 8),
        ("bayer_grbg8", lambda p: bayer(p, "grbg"), 8),
    ],
)
def test_subsampled_encodings_come_close(picture, encoding, encode, tolerance, padding):
    found = bgr(message(encode(picture), encoding, padding=padding)).astype(int)
    assert np.abs(found - picture)[2:-2, 2:-2].max() <= tolerance


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_gray_is_the_same_in_all_channels(picture, encoding):
    gray = picture[..., 0]
    np.testing.assert_array_equal(bgr(message(gray, encoding)), np.dstack([gray] * 3))


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("encoding", ["rgb16", "bgr16", "rgba16", "bgra16", "16UC3", "16UC4"])
def test_colour_of_16_bits_is_stretched_with_one_pair_of_limits_and_without_alpha(picture, encoding, big_endian):
    """Of a 12-bit camera; opaque alpha, 65 535, would leave nothing but black."""
    wide = picture.astype(np.uint16) * 10 + 300
    low, high = np.percentile(wide, (1, 99))
    expected = np.rint((wide.clip(low, high) - low) / (high - low) * 255).astype(int)
    sent = wide[..., ::-1] if encoding.startswith("rgb") else wide
    if encoding in ("rgba16", "bgra16", "16UC4"):
        sent = np.dstack([sent, np.full(sent.shape[:2], 65535, np.uint16)])
    found = bgr(message(sent, encoding, padding=6, big_endian=big_endian)).astype(int)
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("cell", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("big_endian", [False, True])
def test_a_mosaic_of_16_bits_is_that_of_8_bits_stretched(picture, cell, big_endian):
    mosaic = bayer(picture, cell)
    mosaic[0, 0], mosaic[0, 1] = 0, 255
    mosaic[::7, ::5], mosaic[3::7, ::5] = 0, 255  # so that the limits are the whole range
    found = bgr(message(mosaic.astype(np.uint16) * 16, f"bayer_{cell}16", padding=2, big_endian=big_endian))
    np.testing.assert_array_equal(found, bgr(message(mosaic, f"bayer_{cell}8")))


def planes(picture, encoding, padding=0):
    """A picture as luma and chroma of BT.601 made by hand; the message has the image's height."""
    yuv = yuv_pairs(np.repeat(picture, 2, axis=1), "cy").astype(int)
    u, v, luma = yuv[:, ::2, 0], yuv[:, 1::2, 0], yuv[:, ::2, 1]
    if encoding != "nv24":
        u, v = (one.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean(axis=(1, 3)) for one in (u, v))
    chroma = np.stack([v, u] if encoding == "nv21" else [u, v], axis=-1)
    step = WIDTH + padding
    rows = [(luma, step), (chroma.reshape(len(chroma), -1), step * 2 if encoding == "nv24" else step)]
    padded = (np.pad(one, ((0, 0), (0, size - one.shape[1])), constant_values=77) for one, size in rows)
    data = array.array("B", b"".join(one.round().astype(np.uint8).tobytes() for one in padded))
    return Message(HEIGHT, WIDTH, encoding, 0, step, data)


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("encoding", ["nv12", "nv21", "nv24"])
def test_two_planes_come_close_and_every_crop_equals_that_part_of_the_whole(picture, encoding, padding):
    frame = Frame(image=convert.view(planes(picture, encoding, padding)), stamp_ns=0)
    whole = frame.bgr()
    assert whole.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(whole.astype(int) - picture).max() <= 12
    for left, top, right, bottom in CROPS:
        np.testing.assert_array_equal(frame.region(left, top, right, bottom), whole[top:bottom, left:right])


def test_planes_without_padding_may_have_any_step(picture):
    """Drivers disagree about it: some take all bytes of a pixel's share in both planes for it."""
    sent = planes(picture, "nv12")
    expected = bgr(sent)
    sent.step = WIDTH * 3 // 2
    np.testing.assert_array_equal(bgr(sent), expected)


def test_an_image_of_odd_size_may_have_chroma_for_every_pixel():
    sent = Message(5, 7, "nv24", 0, 7, array.array("B", bytes([128]) * (5 * 7 * 3)))
    found = bgr(sent)
    assert found.shape == (5, 7, 3)
    assert len(np.unique(found)) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"width": 31}, ["nv12", "31 x 24", "multiples of 2 x 2"]),
        ({"height": 23}, ["nv12", "32 x 23", "multiples of 2 x 2"]),
        ({"step": 31}, ["nv12", "step 31", "at least 32"]),
        ({"height": 36}, ["nv12", "32 x 36", f"{HEIGHT * (WIDTH + 4) * 3 // 2} bytes", "needed are"]),
    ],
)
def test_planes_that_do_not_fit_are_refused(picture, change, words):
    sent = planes(picture, "nv12", padding=4)
    for name, value in change.items():
        setattr(sent, name, value)
    with pytest.raises(FrameError) as refusal:
        convert.view(sent)
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize("encoding", sorted(convert.ENCODINGS))
def test_every_crop_equals_that_part_of_the_whole(encoding):
    how = convert.ENCODINGS[encoding]
    rng = np.random.default_rng(1)
    shape = (HEIGHT, WIDTH) if how.channels == 1 else (HEIGHT, WIDTH, how.channels)
    pixels = (rng.random(shape) * 255).astype(how.dtype)
    frame = Frame(image=convert.view(message(pixels, encoding, padding=4)), stamp_ns=0)
    whole = frame.bgr()
    for left, top, right, bottom in CROPS:
        np.testing.assert_array_equal(frame.region(left, top, right, bottom), whole[top:bottom, left:right])


def test_only_the_crop_is_converted(monkeypatch, picture):
    sizes = []
    real = cv2.cvtColor
    monkeypatch.setattr(cv2, "cvtColor", lambda raw, code: sizes.append(raw.shape) or real(raw, code))
    convert.view(message(picture[..., ::-1], "rgb8")).region(4, 6, 10, 9)
    assert sizes == [(3, 6, 3)]


def test_the_view_does_not_copy_the_message(picture):
    image_message = message(picture, "bgr8")
    frame = Frame(image=convert.view(image_message), stamp_ns=0)
    image_message.data[0] = 123
    assert frame.bgr()[0, 0, 0] == 123


def test_the_last_row_may_lack_its_padding(picture):
    image_message = message(picture, "bgr8", padding=5)
    del image_message.data[-5:]
    np.testing.assert_array_equal(bgr(image_message), picture)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"step": WIDTH * 3 - 1}, ["bgr8", "32 x 24", f"step {WIDTH * 3 - 1}", f"at least {WIDTH * 3}"]),
        ({"height": HEIGHT + 1}, ["bgr8", "32 x 25", f"{HEIGHT * WIDTH * 3} bytes", f"{(HEIGHT + 1) * WIDTH * 3}"]),
        ({"width": 0}, ["0 x 24", "at least 1 x 1"]),
        ({"height": 0}, ["32 x 0", "at least 1 x 1"]),
        ({"encoding": "yuyv", "width": 31}, ["yuyv", "31 x 24", "multiples of 2 x 1"]),
        ({"encoding": "nv99"}, ["nv99", "bgr8", "cv_bridge"]),
    ],
)
def test_refusals_name_what_is_wrong_and_what_is_allowed(picture, change, words):
    image_message = message(picture, "bgr8")
    for name, value in change.items():
        setattr(image_message, name, value)
    with pytest.raises(FrameError) as refusal:
        convert.view(image_message)
    for word in words:
        assert word in str(refusal.value)


def test_cv_bridge_takes_the_rest(monkeypatch, picture):
    bridge = ModuleType("cv_bridge")

    class CvBridge:
        def imgmsg_to_cv2(self, image_message, encoding):
            assert (image_message.encoding, encoding) == ("odd8", "bgr8")
            return picture

    bridge.CvBridge, bridge.CvBridgeError = CvBridge, TypeError
    monkeypatch.setitem(sys.modules, "cv_bridge", bridge)
    np.testing.assert_array_equal(bgr(message(picture, "odd8")), picture)


def test_a_refusal_of_cv_bridge_is_a_frame_error(monkeypatch, picture):
    bridge = ModuleType("cv_bridge")

    class CvBridge:
        def imgmsg_to_cv2(self, image_message, encoding):
            raise TypeError("not this one")

    bridge.CvBridge, bridge.CvBridgeError = CvBridge, TypeError
    monkeypatch.setitem(sys.modules, "cv_bridge", bridge)
    with pytest.raises(FrameError, match="nv99.*not this one"):
        convert.view(message(picture, "nv99"))


@pytest.mark.parametrize("error", [ImportError("none here"), AttributeError("_ARRAY_API not found")])
def test_a_broken_cv_bridge_is_survived(monkeypatch, picture, error):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "cv_bridge":
                raise error

    monkeypatch.delitem(sys.modules, "cv_bridge", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(FrameError, match=str(error)):
        convert.view(message(picture, "nv99"))


@pytest.mark.parametrize(("encoding", "shape"), [("bgr8", (HEIGHT, WIDTH, 3)), ("mono8", (HEIGHT, WIDTH))])
def test_written_images_read_back(encoding, shape):
    pixels = np.random.default_rng(2).integers(0, 256, (*shape[:1], 2 * shape[1], *shape[2:]), np.uint8)[:, ::2]
    written = convert.fill_image(Message(), pixels, encoding)
    assert (written.height, written.width, written.encoding) == (HEIGHT, WIDTH, encoding)
    assert written.step == WIDTH * (3 if encoding == "bgr8" else 1)
    assert len(written.data) == written.step * HEIGHT
    expected = pixels if encoding == "bgr8" else np.dstack([pixels] * 3)
    np.testing.assert_array_equal(bgr(written), expected)


def test_two_messages_hold_the_same_picture_if_every_byte_is_the_same(picture):
    """Also bytes that a first glance leaves out."""
    one, other = message(picture, "bgr8"), message(picture.copy(), "bgr8")
    assert convert.same_picture(one, other)
    for place in (0, 1, len(other.data) // 2, len(other.data) - 1):
        other = message(picture, "bgr8")
        other.data[place] ^= 1
        assert not convert.same_picture(one, other)


@pytest.mark.parametrize("field_name", ["encoding", "width", "height"])
def test_another_kind_of_picture_is_not_the_same(picture, field_name):
    one, other = message(picture, "bgr8"), message(picture, "bgr8")
    setattr(other, field_name, "rgb8" if field_name == "encoding" else 7)
    assert not convert.same_picture(one, other)
