"""CompressedImage messages to images, decoded when somebody looks; nothing of ROS is imported here.

A message is whatever has `format` and `data` of sensor_msgs/CompressedImage. Size and completeness of JPEG and PNG are
read from the bytes themselves, so that an image which nobody looks at costs no decoding. Orientation of EXIF is left
alone, as image_transport does: camera_info and the other topics of the camera know nothing of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np

from stm_tracker_ros.core.errors import FrameError
from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.ros.encodings import ENCODINGS, Raw
from stm_tracker_ros.ros.views import LimitsOf, PixelView

_ALLOWED = "allowed are JPEG and PNG"
# 12 times 4K; what claims to be larger is damaged, or meant to eat the memory.
_MOST_PIXELS = 100_000_000
# A JPEG of one colour has some hundred pixels a byte. What claims more would take seconds to decode, into grey.
_MOST_PIXELS_A_BYTE = 1000
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_JPEG_END, _PNG_END = b"\xff\xd9", b"IEND"
# Markers of JPEG without a length behind them; and those that begin a frame: C0 to CF but for tables and extensions.
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))
_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN = 0xDA


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


def is_compressed(message: Any) -> bool:
    """Whether it is a CompressedImage rather than an Image."""
    return hasattr(message, "format")


class CompressedView:
    """A CompressedImage as BGR, decoded at the first look; a core.types.ImageView. Keeps the message's bytes alive.

    Raises FrameError at once for what is cut short or no picture, and at the first look for what cannot be decoded.
    limits_of: of images of 16 bits.
    """

    def __init__(self, message: Any, limits_of: LimitsOf) -> None:
        self._message, self._limits_of = message, limits_of
        self._pixels: PixelView | None = None
        if "compresseddepth" in message.format.lower():
            raise FrameError(f"{_name(message)} is no picture; {_ALLOWED}: take the raw depth image, or one of colour")
        self._size = size_of(bytes(message.data), _name(message))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, 3."""
        return (self._size.height, self._size.width, 3) if self._size is not None else self._decoded().shape

    def region(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        """BGR uint8 pixels of columns [left, right) and rows [top, bottom), which lie inside the image."""
        return self._decoded().region(left, top, right, bottom)

    def _decoded(self) -> PixelView:
        if self._pixels is None:
            raw = _decode(self._message)
            if self._size is not None and raw.shape[:2] != (self._size.height, self._size.width):
                said, is_so = f"{self._size.width} x {self._size.height}", f"{raw.shape[1]} x {raw.shape[0]}"
                raise FrameError(f"{_name(self._message)} has {is_so} pixels, and {said} by its header")
            self._pixels = PixelView(raw, ENCODINGS[encoding_of(raw, self._message.format)], self._limits_of)
        return self._pixels


def size_of(data: bytes, name: str) -> Size | None:
    """The size of a whole JPEG or PNG by its header, without decoding; None for what is neither.

    Raises FrameError, which speaks of it as `name`, for one that is empty, cut short, or larger than allowed.
    """
    if not data:
        raise FrameError(f"{name} has no data; {_ALLOWED}")
    if data.startswith(_JPEG):
        kind, size, end = "JPEG", *_jpeg_frame(data)
        is_whole = data.rfind(_JPEG_END, end) >= 0
    elif data.startswith(_PNG):
        kind, size = "PNG", Size(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
        is_whole = data.rfind(_PNG_END) >= 0
    else:
        return None
    if min(size) < 1 or not is_whole:
        raise FrameError(f"{name} is a {kind} of {len(data)} bytes that is cut short or damaged")
    if size.width * size.height > _MOST_PIXELS:
        text = f"{name} claims {size.width} x {size.height} pixels"
        raise FrameError(f"{text}; allowed are at most {_MOST_PIXELS // 1_000_000} million")
    if kind == "JPEG" and size.width * size.height > _MOST_PIXELS_A_BYTE * len(data):
        raise FrameError(f"{name} claims {size.width} x {size.height} pixels in {len(data)} bytes: it is damaged")
    return size


def encoding_of(raw: Raw, text: str) -> str:
    """The encoding of decoded pixels (height x width [x channels]) from a message of that `format`.

    As image_transport reads it: "rgb8; jpeg compressed bgr8" is the camera's encoding and that of what was compressed.
    Where the latter is not said to be BGR, a colour image was compressed as RGB; a format without `;` is BGR.
    Raises FrameError for a type of pixels that no encoding has.
    """
    source, _, how = (part.strip() for part in text.partition(";"))
    channels, bits = 1 if raw.ndim == 2 else raw.shape[2], raw.dtype.itemsize * 8
    if raw.dtype not in (np.uint8, np.uint16) or channels not in (1, 3, 4):
        raise FrameError(f"compressed image of format {text[:60]!r} has {channels} channels of {raw.dtype}; {_ALLOWED}")
    if channels == 1:
        is_mosaic = source.startswith("bayer_") and source.endswith(str(bits)) and "mono" not in how
        return source if is_mosaic and source in ENCODINGS else f"mono{bits}"
    is_color = source.startswith(("rgb", "bgr"))
    order = "rgb" if is_color and how and "compressed bgr" not in how else "bgr"
    return f"{order}{'a' if channels == 4 else ''}{bits}"


def _jpeg_frame(data: bytes) -> tuple[Size, int]:
    """The size (0 x 0 where none is found) and where it stands; thumbnails, which may lie before, end before it too."""
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF and data[at + 1] != _SCAN:
        marker = data[at + 1]
        if marker in _FRAME:
            height, width = (int.from_bytes(data[at + skip : at + skip + 2], "big") for skip in (5, 7))
            return Size(width, height), at
        if marker == 0xFF:  # a marker may have as many of these before it as it likes
            at += 1
        else:
            at += 2 if marker in _BARE else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return Size(0, 0), at


def _decode(message: Any) -> Raw:
    """Height x width [x channels], channels as OpenCV gives them. Raises FrameError."""
    try:
        raw = cv2.imdecode(np.frombuffer(memoryview(message.data), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise FrameError(f"{_name(message)} cannot be decoded: {str(error)[:100].strip()}; {_ALLOWED}") from error
    if raw is None:
        raise FrameError(f"{_name(message)} and {len(message.data)} bytes cannot be decoded; {_ALLOWED}")
    return np.asarray(raw)


def _name(message: Any) -> str:
    return f"compressed image of format {message.format[:60]!r}"
