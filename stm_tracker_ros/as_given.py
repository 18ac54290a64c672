"""What users hand over as a frame or a target -> arrays in the package's form, or a refusal that says how to get there.

What cannot be told apart from a right one, such as RGB for BGR in an array, is taken as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import FrameError, TargetError
from stm_tracker_ros.core.masks import binary
from stm_tracker_ros.core.types import Box, Pixels, Target

IMAGE = "allowed is a height x width x 3 array of uint8, BGR"
TARGET = "allowed are a box of 4 numbers or a height x width mask"


def image(given: Any) -> Pixels:
    """The frame as an array. Raises FrameError, with what to do, for whatever is no height x width x 3 uint8."""
    if given is None:
        raise FrameError(f"image is None; {IMAGE}: cv2.imread gives None for a file that it cannot read")
    if type(given).__module__.partition(".")[0] == "PIL":
        raise FrameError(f"image is one of Pillow, which are RGB; {IMAGE}: np.asarray(image.convert('RGB'))[..., ::-1]")
    if not isinstance(given, np.ndarray):
        given = _array(given, FrameError, "image", IMAGE)
    if hint := _hint(given.shape, given.dtype):
        raise FrameError(f"image has shape {given.shape} and type {given.dtype}; {IMAGE}: {hint}")
    return given


def _hint(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """What to do with such an array; empty if it is right, or wrong in a way that speaks for itself."""
    if len(shape) == 2 or (len(shape) == 3 and shape[2] == 1):
        return "one channel is made three by cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)"
    if len(shape) == 3 and shape[2] == 4:
        return "drop the fourth channel, image[..., :3]"
    if len(shape) == 4 and shape[0] == 1:
        return "give one image, not a batch: image[0]"
    if len(shape) == 3 and shape[0] == 3 and shape[2] != 3:
        return "channels come last: image.transpose(1, 2, 0)"
    if dtype.kind == "f":
        return "numbers from 0 to 1 are brought to 0 to 255 by (image * 255).astype('uint8')"
    if dtype.kind in "iub" and dtype != np.uint8:
        return "bring it to 0 to 255, then image.astype('uint8')"
    return ""


def target(given: Sequence[float] | Pixels | Target) -> Target:
    """A box x, y, width, height (4, 1 x 4 or 4 x 1 numbers), or a mask; a Target as it is. Raises TargetError."""
    if isinstance(given, Target):
        return given
    array = _array(given, TargetError, "target", TARGET)
    if array.dtype != bool and array.shape in ((4,), (1, 4), (4, 1)):
        return Target(box=Box(*_numbers(array.ravel())))
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2:
        what = f"{given!r}" if array.ndim == 0 else f"of shape {array.shape}"
        raise TargetError(f"target is {what}; {TARGET}")
    if array.shape[1] == 4 and array.dtype.kind == "f":
        raise TargetError(f"target is {array.shape[0]} rows of 4 numbers; {TARGET}: give one row")
    return Target(mask=binary(array))


def _numbers(array: NDArray[Any]) -> list[float]:
    try:
        return [float(value) for value in array]
    except (TypeError, ValueError):
        raise TargetError(f"target is {array.tolist()}; {TARGET}") from None


def _array(given: Any, error_class: type[FrameError] | type[TargetError], what: str, allowed: str) -> NDArray[Any]:
    try:
        array = np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, tensors on a GPU
        raise error_class(f"{what} is a {type(given).__name__} that makes no array ({error}); {allowed}") from None
    if array.dtype.kind not in "biuf":
        raise error_class(f"{what} is {_short(given)}; {allowed}")
    return array


def _short(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"a {type(given).__name__}"
