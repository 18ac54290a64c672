"""Masks beside a trajectory: masks/%06d.png, one bit a pixel, numbered like its column `frame`, from 0."""

from __future__ import annotations

from pathlib import Path

import cv2

from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.types import Pixels

FOLDER_NAME = "masks"
_NAME = "{:06d}.png"


class MaskWriter:
    """Writes the masks of a run as they come; the folder is made with the first one."""

    def __init__(self, files: OutputFolder) -> None:
        """`files`: the folder of the trajectory. Masks that an earlier run listed there are removed: they belong to its
        boxes. Raises DataError where others lie.
        """
        self._files = files
        files.clear(FOLDER_NAME)

    def write(self, frame: int, mask: Pixels | None) -> None:
        """Write the mask of a frame, height x width, non-zero = target; does nothing for a tracker that has none.

        Raises DataError if the file cannot be written.
        """
        if mask is None:
            return
        _, data = cv2.imencode(".png", mask, (cv2.IMWRITE_PNG_BILEVEL, 1))
        self._files.write(f"{FOLDER_NAME}/{_NAME.format(frame)}", data.tobytes())


def has_masks(run_folder: Path) -> bool:
    """Whether the run in that folder left masks."""
    return mask_path(run_folder, 0).is_file()


def mask_path(run_folder: Path, frame: int) -> Path:
    """Where the mask of a frame lies."""
    return run_folder / FOLDER_NAME / _NAME.format(frame)
