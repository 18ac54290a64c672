"""Masks as labels: the number that each pixel of a PNG holds, not the colour that it is shown in."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_END = len(_SIGNATURE) + 25
_GREY, _PALETTE = 0, 3


def read_labels(path: Path | str) -> NDArray[np.integer]:
    """Labels of a PNG, height x width: indices of its palette, or the values of a grey one of 8 or 16 bits.

    Raises DataError if it cannot be read, or is a colour image: it has no labels.
    """
    data = Path(path).read_bytes() if Path(path).is_file() else b""
    depth, kind = (data[24], data[25]) if data.startswith(_SIGNATURE) and len(data) > _HEADER_END else (0, None)
    if kind == _PALETTE:
        data = _as_grey(data)
    labels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if labels is None or labels.ndim != 2:
        what = "cannot be read" if labels is None else "is a colour image, and cannot be read"
        raise DataError(f"{path} {what} as a mask of labels; allowed is a PNG with a palette or in grey")
    if kind is not None and depth < 8:
        labels = labels // (255 // (2**depth - 1))  # a decoder stretches few bits to the whole range
    return np.asarray(labels)


def _as_grey(png: bytes) -> bytes:
    """The same indices as a grey image: OpenCV decodes a palette to colours, and two labels may share one."""
    header = png[len(_SIGNATURE) + 4 : len(_SIGNATURE) + 21]
    header = header[:13] + bytes((_GREY,)) + header[14:]
    chunks, position = [_chunk(header)], _HEADER_END
    while position + 12 <= len(png):
        (length,) = struct.unpack(">I", png[position : position + 4])
        kind = png[position + 4 : position + 8]
        if kind in (b"IDAT", b"IEND"):
            chunks.append(png[position : position + 12 + length])
        position += 12 + length
    return _SIGNATURE + b"".join(chunks)


def _chunk(body: bytes) -> bytes:
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
