"""Image messages as masks: whatever is not 0 is the target."""

import array

import numpy as np
import pytest
from message_pictures import HEIGHT, WIDTH, Message, message

from stm_tracker_ros.core.errors import FrameError
from stm_tracker_ros.ros import convert

pytestmark = pytest.mark.pure


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
