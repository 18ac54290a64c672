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
    if len(images) == count and not _leave_one_out(numbers):
        return tuple(images)
    by_number = {number: path for number, path in zip(numbers, images, strict=True) if number is not None}
    if not images or len(by_number) != len(images):
        return tuple(images[:count])
    start = first if first is not None and first in by_number else min(by_number)
    width, suffix = len(images[0].stem), images[0].suffix
    wanted = range(start, start + count)
    return tuple(by_number.get(number, folder / f"{number:0{width}d}{suffix}") for number in wanted)


def _leave_one_out(numbers: list[int | None]) -> bool:
    """Whether they count by ones for the most part, and not all the way; stamps and every fifth frame do not."""
    pairs = zip(numbers, numbers[1:], strict=False)
    by_one = [a is not None and b is not None and b - a == 1 for a, b in pairs]
    return len(by_one) / 2 < sum(by_one) < len(by_one)


def _number(path: Path) -> int | None:
    """The last number in a file's name."""
    found = _DIGITS.findall(path.stem)
    return int(found[-1]) if found else None
