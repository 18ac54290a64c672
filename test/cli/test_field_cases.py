"""Inputs that failed in the field, each for a kind of fault, with the shipped tracker: what the user gets."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
av = pytest.importorskip("av")
pytestmark = pytest.mark.torch

import stm_tracker_ros  # noqa: E402
from stm_tracker_ros.cli.main import main  # noqa: E402
from stm_tracker_ros.core.boxes import iou  # noqa: E402
from stm_tracker_ros.core.errors import TargetError  # noqa: E402
from stm_tracker_ros.core.types import Box, Frame  # noqa: E402
from stm_tracker_ros.demo.sample import packaged  # noqa: E402
from stm_tracker_ros.engine.set_target import RefusalError, TargetRequest, target_on  # noqa: E402

SAMPLE = packaged()
TRUE = {frame: np.array(box) / 2 for frame, box in SAMPLE.true_boxes.items()}
START = "285.25,100.75,19.75,39.25"
SIZE = (384, 288)


@pytest.fixture(scope="module")
def frames():
    """The first of the sample's frames, at half their size."""
    capture = cv2.VideoCapture(str(SAMPLE.video))
    halved = [cv2.resize(capture.read()[1], SIZE, interpolation=cv2.INTER_AREA) for _ in range(31)]
    capture.release()
    return halved


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_images(folder, images, name="{:04d}.png", first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, first):
        assert cv2.imwrite(str(folder / name.format(number)), image)
    return folder


def write_video(path, images, **options):
    with av.open(f"file:{path}", "w", **options) as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def track(source, *more, out="run", box=START):
    named = ["--box", box] if box else []
    return main(["track", str(source), *named, "--out", str(out), "--threads", "1", *more])


def rows(out):
    lines = (out / "trajectory.csv").read_text().splitlines()[1:]
    return {int(line.split(",")[0]): np.array(line.split(",")[2:6], float) for line in lines}


def overlap(out, frame):
    return float(iou(rows(out)[frame], TRUE[frame]))


def test_own_annotations_stay(here, frames, capsys):
    own = here / "own"
    write_images(own / "img", frames[:3])
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[101:140, 285:305] = 255
    masks = write_images(own / "masks", [mask] * 3, "{:05d}.png")
    before = [path.read_bytes() for path in sorted(masks.iterdir())]
    arguments = ("--mask", str(masks / "00000.png"), "--tracker", "dmb_lite")
    assert track(own / "img", *arguments, out=own, box=None) == 2
    assert [path.read_bytes() for path in sorted(masks.iterdir())] == before
    assert "masks" in capsys.readouterr().err


def test_a_source_named_like_a_result_stays(here, frames, capsys):
    source = write_video(here / "overlay.mp4", frames[:5])
    before = source.read_bytes()
    assert track("overlay.mp4", out=".") == 2
    assert source.read_bytes() == before
    assert "overlay.mp4" in capsys.readouterr().err


def test_numbers_without_zeros_are_in_order(here, frames):
    write_images(here / "padded", frames[:12])
    write_images(here / "bare", frames[:12], "{}.png", first=1)
    assert track("padded", out="one") == track("bare", out="two") == 0
    assert (here / "one/trajectory.csv").read_bytes() == (here / "two/trajectory.csv").read_bytes()
    assert overlap(here / "two", 10) > 0.7


def test_one_empty_file_is_a_gap(here, frames, capsys):
    folder = write_images(here / "images", frames[:20])
    (folder / "0012.png").write_bytes(b"")
    (folder / "._0003.png").write_bytes(b"what a Mac leaves")
    assert track(folder) == 0
    found = rows(here / "run")
    assert len(found) == 19
    assert 12 not in found
    assert 19 in found
    said = capsys.readouterr()
    assert "19 frames tracked" in said.out
    assert "0012.png" in said.out


def test_a_video_cut_short_says_so(here, frames, capsys, caplog):
    whole = write_video(here / "whole.mp4", frames, options={"movflags": "faststart"}).read_bytes()
    (here / "cut.mp4").write_bytes(whole[: int(len(whole) * 0.6)])
    assert track("cut.mp4") == 0
    count = len(rows(here / "run"))
    assert 5 < count < 31
    text = f"{count} of its 31 frames"
    assert text in capsys.readouterr().out
    assert text in caplog.text


@pytest.mark.parametrize(
    ("source", "out"),
    [("2026-05-01T12:30:00.mp4", "run:1"), ("100%03d.mp4", "run%d"), ("vid\udcff.mp4", "r\udcfc"), ("0", "1")],
)
def test_any_path_is_a_path(here, frames, source, out):
    video = write_video(here / "plain.mp4", frames[:4])
    shutil.move(video, here / source)
    assert track(source, out=out) == 0
    assert len(rows(here / out)) == 4
    assert (here / out / "overlay.mp4").stat().st_size > 1000


def test_a_folder_with_the_name_of_a_camera_is_a_folder(here, frames):
    write_images(here / "0001", frames[:3])
    assert track("0001") == 0
    assert len(rows(here / "run")) == 3


@pytest.mark.parametrize("kind", ["ids of 16 bits", "alpha", "many ids"])
def test_masks_are_labels(here, frames, kind, capsys):
    write_images(here / "images", frames[:2])
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[101:140, 285:305] = 255
    if kind == "alpha":
        mask = np.dstack([np.zeros((*mask.shape, 3), np.uint8), mask])
    elif kind == "ids of 16 bits":
        mask = (mask > 0).astype(np.uint16)
    else:
        mask = (mask > 0).astype(np.uint8) * 2
        mask[:9, :9] = 1
    assert cv2.imwrite("mask.png", mask)
    if kind == "many ids":
        assert track("images", "--mask", "mask.png", box=None) == 2
        said = capsys.readouterr().err
        assert "2 labels" in said
        assert "--mask-id" in said
        assert track("images", "--mask", "mask.png", "--mask-id", "2", box=None) == 0
    else:
        assert track("images", "--mask", "mask.png", box=None) == 0
    assert rows(here / "run")[0].tolist() == [285, 101, 20, 39]


def test_thermal_pictures_of_14_bits_are_spread(here, frames):
    grey = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint16) for image in frames]
    write_images(here / "thermal", [7300 + 3 * image for image in grey])
    assert track("thermal") == 0
    assert overlap(here / "run", 10) >= 0.7
    assert overlap(here / "run", 30) >= 0.7


def test_images_of_another_size_are_followed(here, frames):
    smaller = [cv2.resize(image, None, fx=0.75, fy=0.75) for image in frames[10:16]]
    write_images(here / "images", frames[:10] + smaller)
    assert track("images") == 0
    found = rows(here / "run")
    assert float(iou(found[10], TRUE[10] * 0.75)) >= 0.6
    assert found[15][0] + found[15][2] <= 288


BOXES = [
    ("-5,100,20,40", None),
    ("375,100,60,40", None),
    ("285,100,0,0", "box (285, 100, 0, 0) is 0 x 0 px; allowed is at least 3 px a side"),
    ("285,100,-19,39", "box (285, 100, -19, 39) is -19 x 39 px; allowed is at least 3 px a side"),
    ("0.74,0.35,0.05,0.13", "if these are shares of the image's sides, give (284.16, 100.8, 19.2, 37.44)"),
    ("285,100,305,140", "if these are two corners, give (285, 100, 20, 40)"),
    ("nan,100,20,40", "box (nan, 100, 20, 40) is not finite; allowed are finite numbers"),
    ("900,100,20,40", "box (900, 100, 20, 40) lies outside the image of 384 x 288 px"),
]


@pytest.mark.parametrize(("text", "refusal"), BOXES)
def test_one_judge_of_boxes(here, frames, text, refusal, capsys):
    write_images(here / "images", frames[:1])
    box = Box(*map(float, text.split(",")))
    request = TargetRequest(box=box)
    frame = Frame(image=frames[0], stamp_ns=0)
    status = track("images", box=text)
    if refusal is None:
        cut = target_on(request, frame).box
        assert status == 0
        assert rows(here / "run")[0].tolist() == list(cut)
        assert cut[0] >= 0
        assert cut[0] + cut[2] <= SIZE[0]
        return
    with pytest.raises(RefusalError) as of_the_node:
        target_on(request, frame)
    with pytest.raises(TargetError) as of_the_library:
        stm_tracker_ros.load().init(frames[0], box)
    assert status == 2
    assert refusal in str(of_the_node.value)
    assert str(of_the_node.value) == str(of_the_library.value)
    assert str(of_the_node.value) in capsys.readouterr().err
