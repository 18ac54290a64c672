"""Tiny data sets as they are downloaded: a bright block that moves through dark pictures, laid out as each has it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from stm_tracker_ros.data.sequence import VALIDATION
from stm_tracker_ros.data.synthetic import OCCLUDERS

WIDTH, HEIGHT = 96, 80
STEP_PX = 3


def box(number: int, row: int = 20) -> tuple[float, float, float, float]:
    """The block on picture `number`, counted from 0, in pixels counted from 0."""
    return (10.0 + STEP_PX * number, float(row), 16.0, 24.0)


def mask(number: int, row: int = 20) -> np.ndarray:
    x, y, width, height = map(int, box(number, row))
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    found[y : y + height, x : x + width] = 255
    return found


def picture(number: int) -> np.ndarray:
    return np.repeat(mask(number)[..., None], 3, axis=2)


def write_pictures(folder: Path, name: str, numbers: range, shown: range | None = None) -> Path:
    """Pictures named by `numbers`; `shown`: which ones, from 0 if not given."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture_number in zip(numbers, shown or range(len(numbers)), strict=True):
        assert cv2.imwrite(str(folder / name.format(number)), picture(picture_number))
    return folder


def lines(count: int, separator: str = ",", plus: int = 0, first: int = 0) -> str:
    """Boxes as text; plus: what pixels are counted from."""
    rows = [(x + plus, y + plus, w, h) for x, y, w, h in (box(first + number) for number in range(count))]
    return "".join(separator.join(f"{value:g}" for value in row) + "\n" for row in rows)


def folder(root: Path, name: str, count: int = 5, place: str = "") -> Path:
    """Our own layout with images."""
    write_pictures(root / name / place, "{}.png", range(count))
    (root / name / "groundtruth.txt").write_text(lines(count))
    return root / name


def development(root: Path, *more: str) -> Path:
    """The validation sequences and what occludes, in train_video/, and these of eval/: all in our own layout."""
    for name in {*VALIDATION, *OCCLUDERS}:
        folder(root / "train_video", name)
    for name in more:
        folder(root / "eval", name)
    return root


def otb(root: Path) -> Path:
    write_pictures(root / "Bolt/img", "{:04d}.jpg", range(1, 6))
    (root / "Bolt/groundtruth_rect.txt").write_text(lines(5, ",", plus=1))
    write_pictures(root / "Jogging/img", "{:04d}.jpg", range(1, 6))
    for target in (1, 2):
        (root / f"Jogging/groundtruth_rect.{target}.txt").write_text(lines(5, "\t", plus=1))
    write_pictures(root / "David/img", "{:04d}.jpg", range(296, 306))
    (root / "David/groundtruth_rect.txt").write_text(lines(5, " ", plus=1, first=4))
    write_pictures(root / "Football1/img", "{:04d}.jpg", range(1, 8))
    (root / "Football1/groundtruth_rect.txt").write_text(lines(5, "\t", plus=1).replace("\t", " ", 3))
    write_pictures(root / "Human4/img", "{:04d}.jpg", range(1, 6))
    (root / "Human4/groundtruth_rect.1.txt").write_text("")
    (root / "Human4/groundtruth_rect.2.txt").write_text(lines(5, ",", plus=1))
    return root


def uav123(root: Path, data_set: str = "UAV123", starts: tuple[int, int] = (1, 415)) -> Path:
    """bike1, and car16 of which the second sequence begins at a later image; one absent frame."""
    images, truth = root / "data_seq" / data_set, root / "anno" / data_set
    (truth / "att").mkdir(parents=True)
    (truth / "att/bike1.txt").write_text("0,1,0\n")
    write_pictures(images / "bike1", "{:06d}.jpg", range(1, 6))
    rows = lines(5, ",", plus=1).splitlines()
    (truth / "bike1.txt").write_text("\n".join([*rows[:2], "NaN,NaN,NaN,NaN", *rows[3:]]))
    for part, start in enumerate(starts, start=1):
        write_pictures(images / "car16", "{:06d}.jpg", range(start, start + 5))
        (truth / f"car16_{part}.txt").write_text(lines(5, ",", plus=1))
    return root


def got10k(split: Path, count: int = 5) -> Path:
    """A split with one sequence, absent by one label on frame 2 and by the other on frame 3."""
    name = f"GOT-10k_{split.name.title()}_000001"
    sequence = write_pictures(split / name, "{:08d}.jpg", range(1, count + 1))
    (split / "list.txt").write_text(f"{name}\n")
    if split.name == "test":
        (sequence / "groundtruth.txt").write_text(lines(1))
        return sequence
    (sequence / "groundtruth.txt").write_text(lines(count))
    (sequence / "absence.label").write_text("".join(f"{int(number == 2)}\n" for number in range(count)))
    (sequence / "cover.label").write_text("".join(f"{0 if number == 3 else 8}\n" for number in range(count)))
    return sequence


def png_with_palette(path: Path, labels: np.ndarray) -> None:
    """Labels as indices of a palette whose entries all look alike: nothing but the index tells them apart."""
    cv2.imwrite(str(path), labels)
    grey = path.read_bytes()
    header = bytearray(grey[12:29])
    header[13] = 3
    path.write_bytes(grey[:8] + _chunk(bytes(header)) + _chunk(b"PLTE" + b"\x80\x00\x00" * 256) + grey[33:])


def davis(root: Path, count: int = 5) -> Path:
    """dog with two objects, the second of which is gone on frame 2, and bear, which only the list of training names."""
    for name in ("dog", "bear"):
        write_pictures(root / "JPEGImages/480p" / name, "{:05d}.jpg", range(count))
        masks = root / "Annotations/480p" / name
        masks.mkdir(parents=True)
        for number in range(count):
            labels = (mask(number) > 0).astype(np.uint8)
            if number != 2:
                labels[60:70, 5:15] = 2
            png_with_palette(masks / f"{number:05d}.png", labels)
    for year, split, name in (("2017", "val", "dog"), ("2017", "train", "bear"), ("2016", "val", "bear")):
        (root / "ImageSets" / year).mkdir(parents=True, exist_ok=True)
        (root / f"ImageSets/{year}/{split}.txt").write_text(f"{name}\n")
    return root


def _chunk(body: bytes) -> bytes:
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
