from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.readers import read_mask

pytestmark = pytest.mark.pure

BOX = (4, 3, 6, 5)
SHAPE = (20, 30)


def painted(value: int, kind: type = np.uint8) -> np.ndarray:
    labels = np.zeros(SHAPE, kind)
    labels[3:8, 4:10] = value
    return labels


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(pixels: np.ndarray, palette: list[int] = (), depth: int = 8, orientation: int = 1) -> bytes:
    """A PNG of palette indices, or of RGBA."""
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    if depth < 8:
        bits = np.unpackbits(rows[..., None], axis=2)[..., -depth:].reshape(height, -1)
        rows = np.packbits(bits, axis=1)
    header = struct.pack(">IIBBBBB", width, height, depth, 3 if palette else 6, 0, 0, 0)
    exif = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    parts = chunk(b"IHDR", header) + (chunk(b"PLTE", bytes(palette)) if palette else b"") + chunk(b"eXIf", exif)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def boxed(path, label=None):
    mask = read_mask(path, label)
    assert set(np.unique(mask)) <= {0, 255}
    return cv2.boundingRect(mask)


@pytest.mark.parametrize(("value", "kind"), [(1, np.uint8), (255, np.uint8), (1, np.uint16), (300, np.uint16)])
def test_one_label_is_the_target_whatever_its_number(tmp_path, value, kind):
    cv2.imwrite(str(tmp_path / "m.png"), painted(value, kind))
    assert boxed(tmp_path / "m.png") == BOX


def test_one_colour_is_the_target(tmp_path):
    cv2.imwrite(str(tmp_path / "m.png"), np.dstack([painted(0), painted(0), painted(128)]))
    assert boxed(tmp_path / "m.png") == BOX
    assert boxed(tmp_path / "m.png", 0x800000) == BOX


def test_floats_that_are_not_0_are_the_target(tmp_path):
    labels = painted(1, np.float32)
    labels[0, 0] = np.nan
    cv2.imwrite(str(tmp_path / "m.tiff"), labels)
    assert boxed(tmp_path / "m.tiff") == BOX


@pytest.mark.parametrize("color", [0, 200])
def test_a_target_in_alpha_is_found_under_one_colour(tmp_path, color):
    cv2.imwrite(str(tmp_path / "m.png"), np.dstack([np.full((*SHAPE, 3), color, np.uint8), painted(255)]))
    assert boxed(tmp_path / "m.png") == BOX


def test_a_cut_out_photo_is_its_alpha_and_an_opaque_mask_its_colours(tmp_path):
    photo = np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), np.dstack([photo, painted(255)]))
    assert boxed(tmp_path / "photo.png") == BOX
    opaque = np.full(SHAPE, 255, np.uint8)
    cv2.imwrite(str(tmp_path / "opaque.png"), np.dstack([painted(255)] * 3 + [opaque]))
    assert boxed(tmp_path / "opaque.png") == BOX


def test_colours_and_alpha_that_contradict_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "m.png"), np.dstack([painted(255)] * 3 + [np.roll(painted(255), 9, 1)]))
    with pytest.raises(DataError, match=r"m\.png: colours and alpha"):
        read_mask(tmp_path / "m.png")


@pytest.mark.parametrize("depth", [2, 4, 8])
def test_a_palette_is_read_by_its_indices(tmp_path, depth):
    labels = painted(1)
    labels[15:, 20:] = 2
    # Index 2 is as dark as the background to an eye, and to a reader of colours.
    (tmp_path / "m.png").write_bytes(png(labels, [0, 0, 0, 128, 0, 0, 0, 0, 0], depth))
    assert boxed(tmp_path / "m.png", 1) == BOX
    assert boxed(tmp_path / "m.png", 2) == (20, 15, 10, 5)
    with pytest.raises(DataError, match=r"2 labels besides 0: 2 \(50 pixels, box 20,15,10,5\); 1 \(30 .*--mask-id"):
        read_mask(tmp_path / "m.png")


def test_a_palette_that_a_drawing_program_sorted_is_read_by_its_colours(tmp_path):
    (tmp_path / "m.png").write_bytes(png(1 - painted(1), [255, 255, 255, 0, 0, 0]))
    assert boxed(tmp_path / "m.png") == BOX


@pytest.mark.parametrize("kind", ["palette", "alpha"])
def test_masks_are_turned_as_they_are_shown(tmp_path, kind):
    pixels = painted(1) if kind == "palette" else np.dstack([np.zeros((*SHAPE, 3), np.uint8), painted(255)])
    (tmp_path / "m.png").write_bytes(png(pixels, [0, 0, 0, 9, 9, 9] if kind == "palette" else [], orientation=6))
    assert read_mask(tmp_path / "m.png").shape == (30, 20)
    assert boxed(tmp_path / "m.png") == (20 - 3 - 5, 4, 5, 6)


def test_a_label_that_is_not_there_is_an_empty_mask(tmp_path):
    cv2.imwrite(str(tmp_path / "m.png"), painted(1))
    assert not read_mask(tmp_path / "m.png", 7).any()


def test_lossy_edges_are_refused_in_other_words(tmp_path):
    disc = cv2.circle(np.zeros((80, 80), np.uint8), (40, 40), 21, 255, -1)
    cv2.imwrite(str(tmp_path / "m.jpg"), disc, (cv2.IMWRITE_JPEG_QUALITY, 60))
    with pytest.raises(DataError, match="labels besides 0: 255 .*lossy"):
        read_mask(tmp_path / "m.jpg")


def test_what_is_no_mask_is_named(tmp_path):
    (tmp_path / "m.png").write_bytes(b"nonsense")
    for name in ("m.png", "none.png"):
        with pytest.raises(DataError, match=f"{name} cannot be read as a mask"):
            read_mask(tmp_path / name)
