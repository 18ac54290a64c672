"""Masks beside a trajectory: masks/%06d.png, one bit a pixel, numbered like its column `frame`, from 0."""

from __future__ import annotations

from pathlib import Path

import cv2

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Pixels

FOLDER_NAME = "masks"
_NAME = "{:06d}.png"


class MaskWriter:
    """Writes the masks of a run as they come; the folder is made with the first one."""

    def __init__(self, run_folder: Path) -> None:
        """`run_folder`: that of the trajectory. Masks of an earlier run there are removed: they belong to its boxes."""
        self._folder = run_folder / FOLDER_NAME
        for path in self._folder.glob("[0-9]*.png"):
            path.unlink()

    def write(self, frame: int, mask: Pixels | None) -> None:
        """Write the mask of a frame, height x width, non-zero = target; does nothing for a tracker that has none.

        Raises DataError if the file cannot be written.
        """
        if mask is None:
            return
        path = self._folder / _NAME.format(frame)
        _, data = cv2.imencode(".png", mask, (cv2.IMWRITE_PNG_BILEVEL, 1))
        try:
            self._folder.mkdir(exist_ok=True)
            path.write_bytes(data.tobytes())
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error}") from None


def has_masks(run_folder: Path) -> bool:
    """Whether the run in that folder left masks."""
    return mask_path(run_folder, 0).is_file()


def mask_path(run_folder: Path, frame: int) -> Path:
    """Where the mask of a frame lies."""
    return run_folder / FOLDER_NAME / _NAME.format(frame)
