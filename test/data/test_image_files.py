from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.image_files import image_paths, natural_order, page_count, read_image
from stm_tracker_ros.data.readers import frames, read_mask

pytestmark = pytest.mark.pure

RAMP = np.arange(600, dtype=np.float64).reshape(20, 30)


def with_orientation(jpeg: bytes, value: int) -> bytes:
    """A JPEG with EXIF that holds the orientation alone."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, value, 0, 0)
    exif = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize(
    "names",
    [
        ["1.png", "2.png", "10.png"],
        ["a1.png", "A2.png", "a10.png", "b1.png"],
        ["frame.png", "frame1.png", "frame02.png"],
        ["1a.png", "1b.png", "a1.png"],
        ["1_2.png", "1_10.png", "2_1.png"],
        ["01.png", "1.png", "²3.png"],
        ["1700000000.0512345.png", "1700000000.123456.png", "1700000000.2.png", "1700000001.05.png"],
        ["shot.1.2.png", "shot.1.10.png"],
    ],
)
def test_numbers_in_names_count_as_numbers(names):
    assert [p.name for p in sorted((Path(n) for n in reversed(names)), key=natural_order)] == names


def test_a_jpeg_ends_where_its_scan_ends_whatever_comes_behind(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
    behind = np.random.default_rng(1).integers(0, 256, 200_000, np.uint8).tobytes()
    thumbnail = b"\xff\xe1" + (len(jpeg) + 2).to_bytes(2, "big") + jpeg
    files = {"plain": jpeg, "moving": jpeg + behind + b"\xff\xda", "thumb": jpeg[:2] + thumbnail + jpeg[2:]}
    for name, data in files.items():
        (tmp_path / f"{name}.jpg").write_bytes(data)
        assert np.array_equal(read_image(tmp_path / f"{name}.jpg"), read_image(tmp_path / "plain.jpg"))
    (tmp_path / "cut.jpg").write_bytes(jpeg[:2] + thumbnail + jpeg[2:1500])
    with pytest.raises(DataError, match="cut short"):
        read_image(tmp_path / "cut.jpg")


def test_hidden_files_and_other_kinds_are_no_frames(tmp_path):
    for name in ("1.PNG", "2.pgm", ".3.png", "._1.png", "Thumbs.db", "thumbs.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in image_paths(tmp_path)] == ["1.PNG", "2.pgm"]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".ppm"])
def test_8_bits_stay_as_opencv_reads_them(tmp_path, suffix):
    path = str(tmp_path / f"image{suffix}")
    cv2.imwrite(path, np.random.default_rng(1).integers(90, 110, (24, 32, 3), np.uint8))
    assert np.array_equal(read_image(path), cv2.imread(path))


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [(".png", np.uint16), (".tiff", np.uint16), (".pgm", np.uint16), (".tiff", np.float32), (".pfm", np.float32)],
)
def test_more_than_8_bits_are_stretched(tmp_path, suffix, kind):
    path = str(tmp_path / f"image{suffix}")
    cv2.imwrite(path, (7300 + RAMP).astype(kind))
    image = read_image(path)
    assert (image.shape, image.dtype) == ((20, 30, 3), np.uint8)
    assert len(np.unique(image)) > 200


def test_16_bits_of_colour_keep_their_colours(tmp_path):
    picture = np.zeros((20, 30, 3), np.uint16)
    picture[:, :15, 2] = 4000
    cv2.imwrite(str(tmp_path / "1.png"), picture)
    image = read_image(tmp_path / "1.png")
    assert image[5, 5].tolist() == [0, 0, 255]


def test_a_stream_keeps_its_limits(tmp_path):
    for number, hot in enumerate((0, 0, 6000)):
        picture = (7300 + RAMP).astype(np.uint16)
        picture[:4] += hot
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    first, _, warm = (frame.bgr() for frame in frames(tmp_path))
    assert abs(int(first[19, 29, 0]) - int(warm[19, 29, 0])) < 40


@pytest.mark.parametrize(("value", "corner"), [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))])
def test_the_orientation_of_a_phone_is_applied(tmp_path, value, corner):
    picture = np.zeros((40, 64, 3), np.uint8)
    picture[:8, :8] = 255
    (tmp_path / "1.jpg").write_bytes(with_orientation(cv2.imencode(".jpg", picture)[1].tobytes(), value))
    assert read_image(tmp_path / "1.jpg")[corner].min() > 200


def test_alpha_is_left_out(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.dstack([np.full((8, 8, 3), 70, np.uint8), np.zeros((8, 8), np.uint8)]))
    assert np.array_equal(read_image(tmp_path / "1.png"), np.full((8, 8, 3), 70))


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / "1.png").write_bytes(b"nonsense")
    for path in (tmp_path / "1.png", tmp_path, tmp_path / "none.png"):
        with pytest.raises(DataError, match=path.name):
            read_image(path)


def tiff(pages, order="<", big=False):
    """A TIFF of pages, each width, height and kind of page (0: a picture, 1: a preview, 4: a mask), without pixels."""
    count, place, size = ("Q", "Q", 8) if big else ("H", "I", 4)
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    data = start + (struct.pack(order + "HHQ", 8, 0, 16) if big else struct.pack(order + "I", 8))
    for number, (width, height, kind) in enumerate(pages, start=1):
        fields = {254: kind, 256: width, 257: height}.items()
        page = b"".join(struct.pack(order + "HH" + place + "I", tag, 4, 1, n) + bytes(size - 4) for tag, n in fields)
        behind = len(data) + struct.calcsize(order + count) + len(page) + size
        data += struct.pack(order + count, 3) + page + struct.pack(order + place, behind * (number < len(pages)))
    return data


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True), (">", True)])
def test_of_a_tiff_its_pictures_are_counted(order, big):
    def count(*pages):
        return page_count(tiff(pages, order, big))

    picture, preview, mask, small = (80, 60, 0), (20, 15, 1), (80, 60, 4), (20, 15, 0)
    assert count(picture) == count(picture, preview) == count(picture, mask, preview) == count(picture, small) == 1
    assert count(picture, picture, preview, picture) == 3
    whole = tiff([picture, picture], order, big)
    assert all(page_count(whole[:length]) <= 2 for length in range(len(whole)))
    assert page_count(whole[:8] + b"\xff" * 24) == 0


def test_a_tiff_of_several_pages_is_refused_and_one_in_a_folder_is_a_gap(tmp_path, caplog):
    picture = np.full((20, 30, 3), 90, np.uint8)
    for name in ("0.tif", "2.tif"):
        assert cv2.imwrite(str(tmp_path / name), picture)
    assert cv2.imwritemulti(str(tmp_path / "1.tif"), [picture] * 3)
    words = r"1\.tif cannot be read as an image: it has 3 pages; allowed is a folder of files with one"
    for read in (read_image, lambda path: next(frames(path))):
        with pytest.raises(DataError, match=words):
            read(tmp_path / "1.tif")
    with pytest.raises(DataError, match=words.replace("an image", "a mask")):
        read_mask(tmp_path / "1.tif")
    assert [frame.gap for frame in frames(tmp_path)] == [0, 1]
    assert "it has 3 pages" in caplog.text
