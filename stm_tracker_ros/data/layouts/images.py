"""Which image belongs to which box."""

from __future__ import annotations

import re
from pathlib import Path

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.image_files import image_paths

IMAGE_FOLDERS = ("img", "color", "frames", "imgs", "images")
_DIGITS = re.compile(r"(\d+)")


def images_in(folder: Path) -> list[Path]:
    """The images right in a folder, hidden files aside, numbers in their names in the order of numbers."""
    try:
        return image_paths(folder) if folder.is_dir() else []
    except DataError:
        return []


def image_folder(sequence: Path) -> Path | None:
    """Where the images of a sequence lie: in a folder of a usual name, or right in its own; None without any."""
    places = (*(sequence / name for name in IMAGE_FOLDERS), sequence)
    return next((place for place in places if images_in(place)), None)


def images_of_boxes(folder: Path, count: int, first: int | None = None) -> tuple[Path, ...]:
    """The images of `count` boxes, in order, of which the first has the number `first` (None: the lowest).

    Where there are as many images as boxes, and no number is left out, each has its own. Else the numbers count, from
    the lowest one where there is no `first`: a number without an image gives the name of a file that is not there, for
    what comes after it must not move up. Without numbers the images count as they come.
    """
    images = images_in(folder)
    numbers = [_number(path) for path in images]
    steps = {None if a is None or b is None else b - a for a, b in zip(numbers, numbers[1:], strict=False)}
    if len(images) == count and (len(steps) <= 1 or None in steps):
        return tuple(images)
    by_number = {number: path for number, path in zip(numbers, images, strict=True) if number is not None}
    if not images or len(by_number) != len(images):
        return tuple(images[:count])
    start = first if first is not None and first in by_number else min(by_number)
    width, suffix = len(images[0].stem), images[0].suffix
    wanted = range(start, start + count)
    return tuple(by_number.get(number, folder / f"{number:0{width}d}{suffix}") for number in wanted)


def _number(path: Path) -> int | None:
    """The last number in a file's name."""
    found = _DIGITS.findall(path.stem)
    return int(found[-1]) if found else None
