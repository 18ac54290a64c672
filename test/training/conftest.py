"""A data set of a few drawn pictures in the layout that the pack is built from."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from stm_tracker_ros.training.pack import Pack, build

WIDTH, HEIGHT = 96, 64
BLOB = (30, 20, 60, 44)  # left, top, right, bottom of the drawn object


def _picture(seed: int) -> np.ndarray:
    picture = np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    left, top, right, bottom = BLOB
    picture[top:bottom, left:right] = (40 + 50 * seed % 200, 200, 90)
    return picture


def _mask() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    left, top, right, bottom = BLOB
    mask[top:bottom, left:right] = 255
    return mask


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _encoded(picture: np.ndarray, kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, kind, lossless=True)
    return stream.getvalue()


def _video(folder: Path, seed: int) -> None:
    folder.mkdir(parents=True)
    writer = cv2.VideoWriter(str(folder / "video.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, (WIDTH, HEIGHT))
    for frame in range(6):
        writer.write(np.roll(_picture(seed), frame, 1))
    writer.release()


def _boxes(absent: int) -> str:
    left, top, right, bottom = BLOB
    rows = [f"{left + f},{top},{right - left},{bottom - top}" for f in range(6)]
    rows[absent] = "nan,nan,nan,nan"
    return "\n".join(rows)


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two masked stills, one with a box only, a clip with one object, two videos of which one is for validation."""
    root = tmp_path_factory.mktemp("drawn")
    with tarfile.open(root / "train_images.tar", "w") as tar:
        for number in range(2):
            _add(tar, f"people/{number}.webp", _encoded(_picture(number), "WEBP"))
            _add(tar, f"people/{number}.png", _encoded(_mask(), "PNG"))
        _add(tar, "vedai/7.webp", _encoded(_picture(3), "WEBP"))
        _add(tar, "vedai/boxes_xyxy.json", json.dumps({"7": [list(BLOB)]}).encode())
    _video(root / "clips" / "walk", 4)
    (root / "clips" / "walk" / "object_1.txt").write_text(_boxes(absent=2))
    for name in ("VOT/car1", "TLD/pedestrian2"):
        _video(root / "train_video" / name, 5)
        (root / "train_video" / name / "groundtruth.txt").write_text(_boxes(absent=5))
    return root


@pytest.fixture(scope="session")
def pack_folder(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    build(drawn_data, folder)
    return folder


@pytest.fixture(scope="session")
def stills_alone(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data without its videos."""
    root = tmp_path_factory.mktemp("stills")
    shutil.copy(drawn_data / "train_images.tar", root)
    return root


@pytest.fixture(scope="session")
def stills_pack(stills_alone: Path, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build(stills_alone, tmp_path_factory.mktemp("stills_pack"))


@pytest.fixture(scope="session")
def drawn_pack(pack_folder: Path) -> Pack:
    return Pack(pack_folder)


@pytest.fixture(scope="session")
def filmed(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like `train_video` in which VOT/car1 has masks: its boxes, filled."""
    root = tmp_path_factory.mktemp("filmed")
    (root / "VOT" / "car1" / "mask").mkdir(parents=True)
    for number in range(6):
        mask = np.zeros((64, 96), np.uint8)
        mask[20:44, 30 + number : 60 + number] = 255
        cv2.imwrite(str(root / "VOT" / "car1" / "mask" / f"{number + 1:06d}.png"), mask)
    return root
