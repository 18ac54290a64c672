import array
import sys
from dataclasses import dataclass, field
from types import ModuleType

import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.errors import FrameError
from stm_tracker_ros.core.types import Frame
from stm_tracker_ros.ros import convert

pytestmark = pytest.mark.pure

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
def test_mono16_keeps_its_high_byte_in_either_byte_order(picture, big_endian):
    high = picture[..., 0]
    wide = high.astype(np.uint16) * 256 + 200
    np.testing.assert_array_equal(bgr(message(wide, "mono16", big_endian=big_endian)), np.dstack([high] * 3))


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize(("encoding", "dtype"), [("16UC1", np.uint16), ("32FC1", np.float32)])
def test_unscaled_values_are_stretched_alike_in_crop_and_whole(encoding, dtype, big_endian):
    values = np.linspace(1000, 3000, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(dtype)
    frame = Frame(image=convert.view(message(values, encoding, big_endian=big_endian)), stamp_ns=0)
    whole = frame.bgr()
    assert whole[0, 0, 0] == 0
    assert whole[-1, -1, 0] == 255
    assert abs(int(whole[HEIGHT // 2, 0, 0]) - 128) < 4
    np.testing.assert_array_equal(frame.region(3, 5, 9, 8), whole[5:8, 3:9])


def test_distances_that_were_not_measured_are_black():
    depth = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    depth[:, 1::2] = 4.0
    depth[3, 4], depth[3, 5] = np.nan, np.inf
    found = bgr(message(depth, "32FC1"))
    assert found[3, 4].tolist() == found[3, 5].tolist() == [0, 0, 0]
    assert found[0, 1].tolist() == [255, 255, 255]


def test_an_image_of_one_value_has_a_picture():
    assert bgr(message(np.full((HEIGHT, WIDTH), 7, np.uint16), "16UC1")).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("encoding", sorted(convert.ENCODINGS))
def test_every_crop_equals_that_part_of_the_whole(encoding):
    how = convert.ENCODINGS[encoding]
    rng = np.random.default_rng(1)
    shape = (HEIGHT, WIDTH) if how.channels == 1 else (HEIGHT, WIDTH, how.channels)
    pixels = (rng.random(shape) * 255).astype(how.dtype)
    frame = Frame(image=convert.view(message(pixels, encoding, padding=4)), stamp_ns=0)
    whole = frame.bgr()
    for left, top, right, bottom in [
        (0, 0, 1, 1),
        (5, 3, 18, 20),
        (7, 7, 9, 8),
        (WIDTH - 3, HEIGHT - 3, WIDTH, HEIGHT),
    ]:
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
            assert (image_message.encoding, encoding) == ("nv21", "bgr8")
            return picture

    bridge.CvBridge, bridge.CvBridgeError = CvBridge, TypeError
    monkeypatch.setitem(sys.modules, "cv_bridge", bridge)
    np.testing.assert_array_equal(bgr(message(picture, "nv21")), picture)


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


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize(
    ("encoding", "dtype", "value"),
    [
        ("mono8", np.uint8, 1),
        ("8UC1", np.uint8, 255),
        ("mono16", np.uint16, 1),
        ("16UC1", np.uint16, 256),
        ("16SC1", np.int16, -1),
        ("32SC1", np.int32, 65536),
        ("32FC1", np.float32, 0.001),
        ("64FC1", np.float64, 1e-9),
    ],
)
def test_a_mask_is_255_wherever_the_number_is_not_0(encoding, dtype, value, big_endian):
    labels = np.zeros((HEIGHT, WIDTH), dtype)
    labels[3:9, 5:30] = value
    expected = np.where(labels != 0, 255, 0)
    found = convert.mask(message(labels, encoding, padding=dtype().itemsize * 3, big_endian=big_endian))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("encoding", ["bgr8", "rgb8", "8UC3", "bgra8", "rgba8"])
def test_a_coloured_mask_is_target_where_any_colour_is_and_alpha_is_none(encoding):
    channels = 4 if "a" in encoding else 3
    colors = np.zeros((HEIGHT, WIDTH, channels), np.uint8)
    colors[..., 3:] = 255
    colors[2, 3, 0] = colors[4, 5, 2] = 1
    found = convert.mask(message(colors, encoding))
    assert np.argwhere(found).tolist() == [[2, 3], [4, 5]]


def test_what_is_not_a_number_is_no_target():
    labels = np.full((HEIGHT, WIDTH), np.nan, np.float32)
    labels[1, 2] = 0.5
    assert np.argwhere(convert.mask(message(labels, "32FC1"))).tolist() == [[1, 2]]


def test_a_mask_outlives_its_message():
    labels = np.ones((HEIGHT, WIDTH), np.uint8)
    sent = message(labels, "mono8")
    found = convert.mask(sent)
    sent.data[:] = array.array("B", bytes(len(sent.data)))
    assert found.all()


@pytest.mark.parametrize(
    ("encoding", "said"), [("yuv422", "'yuv422'; allowed are .*mono8"), ("bayer_rggb8", "bayer"), ("nv99", "nv99")]
)
def test_a_mask_of_chroma_or_mosaic_is_refused(encoding, said):
    with pytest.raises(FrameError, match=said):
        convert.mask(message(np.zeros((HEIGHT, WIDTH, 2), np.uint8), encoding))


def test_a_mask_without_pixels_or_with_too_few_bytes_is_refused():
    with pytest.raises(FrameError, match="0 x 24"):
        convert.mask(Message(24, 0, "mono8", 0, 0, array.array("B", b"1")))
    short = message(np.ones((HEIGHT, WIDTH), np.uint8), "mono8")
    del short.data[-1:]
    with pytest.raises(FrameError, match="needed are"):
        convert.mask(short)


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
