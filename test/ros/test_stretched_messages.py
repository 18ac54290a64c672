"""Messages without a fixed white, thermal cameras' for one: the limits of a stream."""

import numpy as np
import pytest
from message_pictures import HEIGHT, WIDTH, bgr, message

from stm_tracker_ros.core.errors import FrameError
from stm_tracker_ros.core.types import Frame
from stm_tracker_ros.ros import convert

pytestmark = pytest.mark.pure


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


def test_a_picture_without_a_finite_pixel_cannot_be_used():
    view = convert.view(message(np.full((8, 8), np.nan, np.float32), "32FC1"))
    with pytest.raises(FrameError, match="no finite pixel"):
        view.region(0, 0, 1, 1)
