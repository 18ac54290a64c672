"""Masks as they come from annotation tools: numbers of objects in 8 or 16 bits, palettes, colours, alpha.

Labels are whole numbers, 0 is the background. Of a palette they are its indices, of grey images the grey values, of
colours 0xRRGGBB. A mask that does not say by itself what the target is, is refused.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.data.image_files import decode, read_bytes

Labels = NDArray[Any]

_PNG_START, _HEADER_END = b"\x89PNG\r\n\x1a\n", 33
_GREY, _PALETTE = 0, 3
_MOST_TOLD = 5
# More labels than that are no objects, but the edges of a lossy or smoothed picture.
_MOST_OBJECTS = 64


def read_mask(path: Path | str, label: int | None = None) -> Pixels:
    """A mask file as height x width uint8, 255 on the target, else 0; all 0 where the file does not show it.

    label: the one of the target; None where the file has only one. Raises DataError if the file cannot be read, or has
    several labels and `label` is None: with what was found.
    """
    labels = read_labels(path)
    if label is not None:
        return _where(labels == label)
    found = _found(labels)
    if len(found) > 1:
        raise DataError(f"{path} is no mask of one target: it has {described(labels)}; {_advice(len(found))}")
    return _where(labels != 0)


def read_labels(path: Path | str) -> Labels:
    """The labels of a mask file, height x width, in the orientation that a viewer shows. Raises DataError."""
    data = read_bytes(Path(path), "a mask")
    labels = _of_palette(data)
    if labels is None:
        labels = _of_picture(data, str(path))
    if labels is None:
        raise DataError(f"{path} cannot be read as a mask; allowed is an image, not 0 where the target is")
    return np.nan_to_num(labels) if labels.dtype.kind == "f" else labels


def described(labels: Labels) -> str:
    """What labels there are, for a message: the largest first, with pixels and boxes x,y,width,height."""
    found = _found(labels)
    if not found:
        return "no label but 0"
    largest = sorted(found, key=lambda value: -found[value])[:_MOST_TOLD]
    told = "; ".join(_told(labels, value, found[value]) for value in largest)
    more = f"; and {len(found) - len(largest)} more" if len(found) > len(largest) else ""
    return f"{len(found)} label{'s' * (len(found) > 1)} besides 0: {told}{more}"


def _told(labels: Labels, value: float, count: int) -> str:
    x, y, width, height = cv2.boundingRect(_where(labels == value))
    name = f"0x{value:06x}" if isinstance(value, int) and value > 0xFFFF else f"{value:g}"
    return f"{name} ({count} pixels, box {x},{y},{width},{height})"


def _advice(count: int) -> str:
    if count > _MOST_OBJECTS:
        return "lossy or smooth edges leave so many: save it as PNG with two values, 0 and 255"
    return "name the target's with --mask-id, or save it as PNG with two values, 0 and 255"


def _found(labels: Labels) -> dict[float, int]:
    """Every label but 0 with the number of its pixels."""
    if labels.dtype == np.uint8:
        counts = np.bincount(labels.ravel(), minlength=256)
        return {int(value): int(counts[value]) for value in np.flatnonzero(counts) if value}
    values, counts = np.unique(labels, return_counts=True)
    return {value.item(): int(count) for value, count in zip(values, counts, strict=True) if value}


def _where(mask: NDArray[np.bool_]) -> Pixels:
    return np.asarray(mask * np.uint8(255))


def _of_picture(data: bytes, name: str) -> Labels | None:
    # Without IMREAD_UNCHANGED the orientation is applied, but alpha is lost: it is turned as the colours were.
    shown, stored = decode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH), decode(data, cv2.IMREAD_UNCHANGED)
    if stored is None:
        return None
    shown = stored if shown is None else shown
    colors = _of_colors(shown[..., :3]) if shown.ndim == 3 else shown
    alpha = stored[..., 3] if stored.ndim == 3 and stored.shape[2] == 4 else None
    if alpha is None or alpha.min() == alpha.max():
        return colors
    alpha = _turned(alpha, orientation(data))
    return alpha if _alpha_is_the_mask(colors, alpha, name) else colors


def _alpha_is_the_mask(colors: Labels, alpha: Labels, name: str) -> bool:
    """Whether alpha, not the colours, shows the target: the colours say nothing, or they are a photo's."""
    if colors.min() == colors.max() or len(_found(colors)) > _MOST_OBJECTS:
        return True
    if np.array_equal(colors != 0, alpha != 0):
        return False
    # What is painted in several colours on nothing at all is labels as well; else two masks would contradict.
    if not ((colors != 0) & (alpha == 0)).any():
        return False
    raise DataError(f"{name}: colours and alpha show different targets; save the one that is meant, without alpha")


def _of_colors(bgr: NDArray[Any]) -> Labels:
    blue, green, red = (bgr[..., channel] for channel in range(3))
    if np.array_equal(blue, green) and np.array_equal(green, red):
        return red
    bits = 16 if bgr.dtype.itemsize > 1 else 8
    return (red.astype(np.int64) << 2 * bits) | (green.astype(np.int64) << bits) | blue.astype(np.int64)


def _of_palette(data: bytes) -> Labels | None:
    """The indices of a PNG with a palette; None for any other file, and where the colours contradict the indices."""
    if not data.startswith(_PNG_START) or len(data) < _HEADER_END or data[25] != _PALETTE:
        return None
    # Read as grey, the same bytes are the indices (OpenCV would give colours), spread over 8 bits.
    header = data[12:25] + bytes([_GREY]) + data[26:29]
    parts = [(kind, body) for kind, body in _chunks(data) if kind not in (b"IHDR", b"PLTE", b"tRNS")]
    grey = data[:12] + header + struct.pack(">I", zlib.crc32(header)) + b"".join(_chunk(*part) for part in parts)
    indices = decode(grey, cv2.IMREAD_GRAYSCALE)
    if indices is None:
        return None
    depth = data[24]
    indices = np.asarray(indices // np.uint8(255 // (2**depth - 1)))
    return indices if _background_is_0(indices, data) else None


def _background_is_0(indices: Labels, data: bytes) -> bool:
    """Whether index 0 is the palette's black one, or no used one is: drawing programs sort colours as they like."""
    palette = np.frombuffer(dict(_chunks(data)).get(b"PLTE", b""), np.uint8)
    colors = palette[: len(palette) // 3 * 3].reshape(-1, 3)
    used = [index for index in np.unique(indices) if index < len(colors)]
    black = [index for index in used if not colors[index].any()]
    return not black or 0 in black or not len(colors) or not colors[0].any()


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = len(_PNG_START)
    while start + 8 <= len(png):
        (length,) = struct.unpack_from(">I", png, start)
        yield png[start + 4 : start + 8], png[start + 8 : start + 8 + length]
        start += length + 12


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def orientation(data: bytes) -> int:
    """EXIF's orientation of a PNG or WebP, 1 (upright) to 8; 1 where it says none."""
    if data.startswith(_PNG_START):
        exif = dict(_chunks(data)).get(b"eXIf", b"")
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        found = data.find(b"EXIF", 12)
        exif = data[found + 8 :].removeprefix(b"Exif\0\0") if found > 0 else b""
    else:
        return 1
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        entries = (struct.unpack_from(order + "HHIH", exif, start + 2 + 12 * index) for index in range(count))
        value = next((entry[3] for entry in entries if entry[0] == 0x0112), 1)
    except struct.error:
        return 1
    return value if 1 <= value <= 8 else 1


def _turned(pixels: Labels, exif: int) -> Labels:
    """Pixels as they were stored, turned as EXIF's orientation says."""
    if exif >= 5:
        pixels = pixels.T
    if exif in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if exif in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
