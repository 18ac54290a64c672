"""Files as a user has them, small, and what is in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from stm_tracker_ros.core.types import Box

BOX = "10,12.5,20,30"
GIVEN = Box(10, 12.5, 20, 30)
IMAGES = [np.full((80, 96, 3), 20 * number, np.uint8) for number in range(4)]


def video(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (96, 80))
    for image in IMAGES:
        writer.write(image)
    writer.release()
    return path


def images(folder: Path, name: str = "{}.png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(IMAGES):
        cv2.imwrite(str(folder / name.format(number)), image)
    return folder


def masks(folder: Path) -> Path:
    mask = np.zeros((80, 96), np.uint8)
    mask[20:50, 10:40] = 255
    folder.mkdir(parents=True)
    for number in range(4):
        cv2.imwrite(str(folder / f"{number:06d}.png"), mask)
    return folder


def sequences(root: Path, *names: str) -> Path:
    for name in names or ("A/one", "B/two"):
        video(root / name / "video.mp4")
        (root / name / "groundtruth.txt").write_text(f"{BOX}\n" * 4)
    return root


def state_of(root: Path) -> dict[str, object]:
    """Everything below `root`: links by where they lead, files by number in the file system and content."""
    paths = sorted(path for path in root.rglob("*"))
    return {
        str(path): os.readlink(path)
        if path.is_symlink()
        else (path.stat().st_ino, path.read_bytes())
        if path.is_file()
        else "folder"
        for path in paths
    }
