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
@pytest.mark.parametrize(
    ("encoding", "dtype"),
    [
        ("mono16", np.uint16),
        ("16UC1", np.uint16),
        ("16SC1", np.int16),
        ("32SC1", np.int32),
        ("32FC1", np.float32),
        ("64FC1", np.float64),
    ],
)
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


@pytest.mark.parametrize("factor", [1e-30, 1e38])
def test_numbers_as_large_or_small_as_a_float_can_be_are_stretched(factor):
    values = (np.linspace(-3, 3, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * factor).astype(np.float32)
    found = bgr(message(values, "32FC1"))
    assert (found[0, 0, 0], found[-1, -1, 0]) == (0, 255)
    assert abs(int(found[HEIGHT // 2, 0, 0]) - 128) < 4


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
    for left, top, right, bottom in [
        (0, 0, 1, 1),
        (5, 3, 18, 20),
        (7, 7, 9, 8),
        (WIDTH - 3, HEIGHT - 3, WIDTH, HEIGHT),
    ]:
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


def thermal(warm_pixels=0):
    """14 bits, of which the scene uses two hundred; some pixels are much warmer."""
    values = np.linspace(7900, 8100, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    values.flat[:warm_pixels] = 9000
    return message(values.astype(np.uint16), "mono16")


def test_limits_follow_the_stream_slowly_so_that_a_warm_object_does_not_make_it_flicker():
    converter, second = convert.Converter(), 1_000_000_000
    level = [
        int(Frame(image=converter.view(thermal(warm), received_ns), stamp_ns=0).bgr()[12, 0, 0])
        for received_ns, warm in [(second, 0), (second + second // 30, 60), (60 * second, 60)]
    ]
    assert abs(level[1] - level[0]) <= 10
    assert level[2] < level[0] - 60


def test_an_older_image_of_the_stream_is_seen_by_its_limits_and_moves_none():
    converter, second = convert.Converter(), 1_000_000_000

    def seen(sent, received_ns):
        return Frame(image=converter.view(sent, received_ns), stamp_ns=0).bgr()

    first = seen(thermal(), 10 * second)
    seen(thermal(60), 5 * second)
    np.testing.assert_array_equal(seen(thermal(), 10 * second), first)


def test_an_image_keeps_its_limits_while_the_stream_goes_on():
    converter, second = convert.Converter(), 1_000_000_000
    frame = Frame(image=converter.view(thermal(), second), stamp_ns=0)
    before = frame.bgr()
    Frame(image=converter.view(thermal(60), 9 * second), stamp_ns=0).bgr()
    np.testing.assert_array_equal(frame.bgr(), before)


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
        ("8SC1", np.int8, -1),
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


def test_a_picture_without_a_finite_pixel_cannot_be_used():
    view = convert.view(message(np.full((8, 8), np.nan, np.float32), "32FC1"))
    with pytest.raises(FrameError, match="no finite pixel"):
        view.region(0, 0, 1, 1)
