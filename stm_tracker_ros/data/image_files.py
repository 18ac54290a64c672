"""Image files: which ones of a folder are frames, in which order, and their pixels as a viewer shows them."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.stretch import Stretch, spread
from stm_tracker_ros.core.types import Pixels

IMAGE_SUFFIXES = (
    ".avif", ".bmp", ".dib", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pfm", ".pgm", ".png", ".pnm", ".ppm",
    ".ras", ".sr", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""Of the files in a folder that are frames, in any case. An animated GIF is a video."""

# Written by file managers beside the images of a folder.
_LEFT_BY_FILE_MANAGERS = ("thumbs.db", "thumbs.jpg", "thumbs.png", "thumb.jpg")
# IMREAD_COLOR alone would cut 16 bits to the high byte, IMREAD_UNCHANGED would ignore EXIF's orientation.
_AS_SHOWN = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8\xff", 0xDA, b"\xff\xd9"
# How a TIFF and a BigTIFF begin: byte order, and the types of counts and of places.
_TIFF_STARTS = {
    b"II*\0": ("<", "H", "I"),
    b"MM\0*": (">", "H", "I"),
    b"II+\0": ("<", "Q", "Q"),
    b"MM\0+": (">", "Q", "Q"),
}
_KIND_OF_PAGE, _WIDTH, _HEIGHT, _SMALLER_OR_MASK = 254, 256, 257, 0b101
_SECONDS = re.compile(r"([0-9]{9,})\.([0-9]+)")  # a stamp for a name: what is behind the point are decimals


def image_paths(folder: Path) -> list[Path]:
    """The image files of a folder in natural order (2 before 10); hidden ones are left out.

    Raises DataError if there are none, or the folder cannot be read.
    """
    try:
        paths = [path for path in folder.iterdir() if is_image_name(path.name) and not path.is_dir()]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None
    if not paths:
        raise DataError(f"{folder} holds no images; allowed are files ending in {', '.join(IMAGE_SUFFIXES)}")
    return sorted(paths, key=natural_order)


def is_image_name(name: str) -> bool:
    """Whether a file of that name is taken for a frame."""
    if name.startswith(".") or name.lower() in _LEFT_BY_FILE_MANAGERS:
        return False
    return Path(name).suffix.lower() in IMAGE_SUFFIXES


def natural_order(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """A key that sorts names by the numbers in them, letters regardless of case; equal ones by the bare text."""
    if stamp := _SECONDS.fullmatch(path.stem):
        return [(0, int(stamp[1]), ""), (1, 0, stamp[2])], path.name
    parts = re.split(r"([0-9]+)", path.stem.casefold())
    # Every second part is a number: the text before the first one may be empty.
    key = [(0, int(part), "") if place % 2 else (1, 0, part) for place, part in enumerate(parts) if part]
    return key, path.name


def read_image(path: Path | str) -> Pixels:
    """An image file as height x width x 3 uint8 BGR, as a viewer shows it; more than 8 bits are stretched.

    Raises DataError if it is none.
    """
    return eight_bits(read_raw(Path(path)), Stretch(), 0)


def read_raw(path: Path) -> NDArray[Any]:
    """An image file as height x width x 3, BGR, of the file's own type; alpha is left out, EXIF's orientation applied.

    Raises DataError if it cannot be read.
    """
    return decoded(read_bytes(path, "an image"), str(path))


def read_bytes(path: Path, kind: str) -> bytes:
    """What a regular file holds.

    Raises DataError for anything else (a pipe would be waited for), for an empty one, and for a TIFF of several pages.
    """
    try:
        data = path.read_bytes() if path.is_file() else None
    except OSError as error:
        raise DataError(f"{path} cannot be read as {kind}: {error.strerror}") from None
    if data is None:
        raise DataError(f"{path} cannot be read as {kind}: there is no file of that name")
    if not data:
        raise DataError(f"{path} cannot be read as {kind}: it is empty")
    if (pages := page_count(data)) > 1:
        raise DataError(f"{path} cannot be read as {kind}: it has {pages} pages; allowed is a folder of files with one")
    return data


def decoded(data: bytes, name: str) -> NDArray[Any]:
    """An encoded image as `read_raw`. Raises DataError with its `name` if it cannot be decoded, or is cut short."""
    if _is_cut_short(data):
        raise DataError(f"{name} cannot be read as an image: it is cut short")
    image = decode(data, _AS_SHOWN)
    if image is None:  # OpenCV colours no floats of one channel
        image = decode(data, cv2.IMREAD_UNCHANGED)
    if image is None:
        raise DataError(f"{name} cannot be read as an image")
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    return image[..., :3]


def decode(data: bytes, flags: int) -> NDArray[Any] | None:
    """`cv2.imdecode`, None also where it raises (sizes that it does not allow)."""
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None


def eight_bits(raw: NDArray[Any], stretch: Stretch, stamp_ns: int) -> Pixels:
    """Pixels of 8 bits as they are; others spread by the limits of their stream."""
    return raw if raw.dtype == np.uint8 else spread(raw, stretch.limits(raw, stamp_ns))


def _is_cut_short(data: bytes) -> bool:
    """Whether a JPEG ends within its scan: older OpenCV fills the rest with grey and says nothing.

    Behind its end there may be anything, such as a phone's video.
    """
    if not data.startswith(_JPEG_START):
        return False
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:  # segments, each with its length, until the first scan
        if data[place + 1] == _JPEG_SCAN:
            return _JPEG_END not in data[place:]
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return _JPEG_END not in data


def page_count(data: bytes) -> int:
    """How many pages of one size a TIFF has; previews and masks, which some cameras and maps add, are none.

    0 for another file.
    """
    pages = list(_pages(data))
    same = [page for page in pages if all(page.get(tag) == pages[0].get(tag) for tag in (_WIDTH, _HEIGHT))]
    # Of the four bytes of a kind one says all, whatever their order.
    return sum(not max(page.get(_KIND_OF_PAGE, b"\0")) & _SMALLER_OR_MASK for page in same)


def _pages(data: bytes) -> Iterator[dict[int, bytes]]:
    """The fields of each page of a TIFF by their tags (TIFF 6.0, section 2); nothing for another file."""
    if data[:4] not in _TIFF_STARTS:
        return
    order, count_type, place_type = _TIFF_STARTS[data[:4]]
    width = struct.calcsize(order + place_type)
    field = struct.Struct(f"{order}HH{place_type}{width}s")  # tag, type, how many values, the first of them
    link, seen = width, {0}
    try:
        while (place := struct.unpack_from(order + place_type, data, link)[0]) not in seen:
            seen.add(place)
            (count,) = struct.unpack_from(order + count_type, data, place)
            first = place + struct.calcsize(order + count_type)
            link = first + count * field.size
            yield {tag: value for tag, _, _, value in field.iter_unpack(data[first:link])}
    except (struct.error, OverflowError):  # it is damaged here: whoever decodes it says so
        return
