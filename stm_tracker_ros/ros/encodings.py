"""How the encodings of sensor_msgs/Image lie in memory, and how their pixels become BGR.

The names are those of sensor_msgs' image_encodings.hpp, and `nv12`, which drivers use and that header lacks. Nothing of
ROS is imported here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.types import Pixels

Raw = NDArray[Any]
ToBgr = Callable[[Raw], Pixels]


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """One encoding whose pixels lie in one plane.

    dtype, channels: of one pixel; to_bgr: pixels of a region to BGR uint8.
    grid: regions are widened to multiples of this many pixels before conversion (chroma pairs, Bayer cells).
    margin: and by this many pixels on every side, so that interpolation at the crop's edge sees its neighbours.
    stretch: the values have no fixed white: `to_bgr` gets them spread to 8 bits, by the limits of the stream, and
        without alpha, which is no brightness.
    """

    dtype: type
    channels: int
    to_bgr: ToBgr
    grid: tuple[int, int] = (1, 1)
    margin: int = 0
    stretch: bool = False


@dataclass(frozen=True, kw_only=True)
class TwoPlanes:
    """One encoding of a plane of luma, and one of two chroma bytes for each cell of `grid` pixels behind it.

    The message's height is the image's; both planes have the message's step, of which a row of chroma that is as fine
    as the luma takes two. order: code of OpenCV for the order of the chroma bytes.
    """

    grid: tuple[int, int]
    order: int


def _cv(code: int) -> ToBgr:
    return lambda raw: np.asarray(cv2.cvtColor(np.ascontiguousarray(raw), code), np.uint8)


def _drop_alpha(raw: Raw) -> Pixels:
    return raw[..., :3]


def _as_it_is(raw: Raw) -> Pixels:
    return raw


_gray, _swap = _cv(cv2.COLOR_GRAY2BGR), _cv(cv2.COLOR_RGB2BGR)
_COLOUR = {
    "bgr8": Encoding(dtype=np.uint8, channels=3, to_bgr=_as_it_is),
    "rgb8": Encoding(dtype=np.uint8, channels=3, to_bgr=_swap),
    "bgra8": Encoding(dtype=np.uint8, channels=4, to_bgr=_drop_alpha),
    "rgba8": Encoding(dtype=np.uint8, channels=4, to_bgr=_cv(cv2.COLOR_RGBA2BGR)),
    "bgr16": Encoding(dtype=np.uint16, channels=3, to_bgr=_as_it_is, stretch=True),
    "rgb16": Encoding(dtype=np.uint16, channels=3, to_bgr=_swap, stretch=True),
    "bgra16": Encoding(dtype=np.uint16, channels=4, to_bgr=_as_it_is, stretch=True),
    "rgba16": Encoding(dtype=np.uint16, channels=4, to_bgr=_swap, stretch=True),
    "32FC3": Encoding(dtype=np.float32, channels=3, to_bgr=_as_it_is, stretch=True),
}


def _numbers(dtype: type) -> Encoding:
    return Encoding(dtype=dtype, channels=1, to_bgr=_gray, stretch=True)


_GRAY = {
    "mono8": Encoding(dtype=np.uint8, channels=1, to_bgr=_gray),
    "mono16": _numbers(np.uint16),
    "16SC1": _numbers(np.int16),
    "32SC1": _numbers(np.int32),
    "32FC1": _numbers(np.float32),
    "64FC1": _numbers(np.float64),
}
# sensor_msgs: yuv422 is UYVY, yuv422_yuy2 is YUYV; uyvy and yuyv are their later names.
_UYVY = Encoding(dtype=np.uint8, channels=2, to_bgr=_cv(cv2.COLOR_YUV2BGR_UYVY), grid=(2, 1))
_YUYV = Encoding(dtype=np.uint8, channels=2, to_bgr=_cv(cv2.COLOR_YUV2BGR_YUY2), grid=(2, 1))


def _bayer(cell: str, code: int) -> dict[str, Encoding]:
    eight, sixteen = (
        Encoding(dtype=dtype, channels=1, to_bgr=_cv(code), grid=(2, 2), margin=2, stretch=stretch)
        for dtype, stretch in ((np.uint8, False), (np.uint16, True))
    )
    return {f"bayer_{cell}8": eight, f"bayer_{cell}16": sixteen}


# OpenCV names a Bayer pattern by the second row's second and third pixel, ROS by the first cell.
_BAYER = {
    **_bayer("rggb", cv2.COLOR_BayerBG2BGR),
    **_bayer("bggr", cv2.COLOR_BayerRG2BGR),
    **_bayer("gbrg", cv2.COLOR_BayerGR2BGR),
    **_bayer("grbg", cv2.COLOR_BayerGB2BGR),
}
COLOURS_AND_NUMBERS: dict[str, Encoding] = {
    **_COLOUR,
    "8UC3": _COLOUR["bgr8"],
    "8UC4": _COLOUR["bgra8"],
    "16UC3": _COLOUR["bgr16"],
    "16UC4": _COLOUR["bgra16"],
    **_GRAY,
    "8UC1": _GRAY["mono8"],
    "16UC1": _GRAY["mono16"],
}
"""Those whose zero is black, or nothing; chroma and mosaics have no such zero."""
ENCODINGS: dict[str, Encoding] = {
    **COLOURS_AND_NUMBERS,
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    **_BAYER,
}
TWO_PLANES: dict[str, TwoPlanes] = {
    "nv12": TwoPlanes(grid=(2, 2), order=cv2.COLOR_YUV2BGR_NV12),
    "nv21": TwoPlanes(grid=(2, 2), order=cv2.COLOR_YUV2BGR_NV21),
    "nv24": TwoPlanes(grid=(1, 1), order=cv2.COLOR_YUV2BGR_NV12),
}
KNOWN = (*ENCODINGS, *TWO_PLANES)
"""Names of all encodings that need no cv_bridge."""
