from __future__ import annotations

import os
import struct
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data import containers
from stm_tracker_ros.data.readers import open_source
from stm_tracker_ros.data.videos import Live

pytestmark = pytest.mark.pure

av = pytest.importorskip("av")

COUNT = 20
KINDS = {
    "a.mp4": ("libx264", "yuv420p"),
    "a.mov": ("libx264", "yuv420p"),
    "a.mkv": ("libx264", "yuv420p"),
    "a.webm": ("libvpx", "yuv420p"),
    "a.avi": ("mjpeg", "yuvj420p"),
    "b.avi": ("mpeg4", "yuv420p"),
    "a.ts": ("libx264", "yuv420p"),
}
FOLLOWED = ("a.mp4", "a.mkv", "a.webm", "a.avi")


def write(path, codec="libx264", pixels="yuv420p", count=COUNT, kind=np.uint8, **options):
    """A noisy video, white in its top left corner."""
    noise = np.random.default_rng(0).integers(0, 120, (48, 64), np.uint8).astype(kind)
    with av.open(str(path), "w", options={"movflags": "faststart"} if path.suffix == ".mp4" else {}) as container:
        stream = container.add_stream(codec, rate=10, options=options)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pixels
        for number in range(count):
            image = np.roll(noise, number, 1)
            image[:12, :12] = 255
            format_ = "gray" if kind == np.uint8 else pixels
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format=format_)))
        container.mux(stream.encode(None))
    return path


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize("name", KINDS)
def test_a_whole_video_is_not_said_to_be_cut(tmp_path, name):
    source = open_source(write(tmp_path / name, *KINDS[name]))
    assert len(list(source)) == COUNT
    assert source.troubles == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_short_video_is_whole_as_well(tmp_path, count):
    source = open_source(write(tmp_path / "a.webm", "libvpx", count=count))
    assert len(list(source)) == count
    assert source.troubles == []


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_video_cut_short_says_how_much_of_it_was_read(tmp_path, name, caplog):
    source = open_source(cut(write(tmp_path / name, *KINDS[name], g="5"), 0.6))
    count = len(list(source))
    assert 0 < count < COUNT
    assert f"{count} of its {COUNT} frames could be decoded" in source.troubles[0]
    assert source.troubles[0] in caplog.text


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.avi"])
def test_a_video_whose_end_was_never_written_says_so(tmp_path, name):
    path = write(tmp_path / name, *KINDS[name], g="5")
    size = path.stat().st_size
    os.truncate(path, int(size * 0.6))
    os.truncate(path, size)  # zeros, as of space that was set aside
    source = open_source(path)
    count = len(list(source))
    assert 0 < count < COUNT
    assert f"{count} of its {COUNT} frames could be decoded" in source.troubles[0]


@pytest.mark.parametrize("start", [0, 3])
def test_frames_that_are_missing_in_the_middle_are_told_by_the_clock(tmp_path, start):
    """Matroska counts no frames: a cluster that cannot be read is passed over."""
    with (
        av.open(str(write(tmp_path / "a.webm", "libvpx", g="1"))) as given,
        av.open(str(tmp_path / "b.webm"), "w") as b,
    ):
        copy = b.add_stream_from_template(given.streams.video[0])
        for number, packet in enumerate(given.demux(video=0)):
            if packet.dts is not None and number not in (7, 8, 12):
                packet.stream = copy
                b.mux(packet)
    source = open_source(tmp_path / "b.webm", start=start)
    assert len(list(source)) == COUNT - 3 - start
    (told,) = source.troubles
    assert "about 3 frames are missing by its clock, the first of them after frame 6" in told


def test_a_video_that_is_left_early_is_not_judged(tmp_path):
    source = open_source(cut(write(tmp_path / "a.mp4", g="5"), 0.6))
    next(iter(source))
    assert source.troubles == []


def test_a_recording_without_its_index_says_so(tmp_path):
    with pytest.raises(DataError, match="cut short by [0-9]+ bytes"):
        open_source(cut(write(tmp_path / "a.mov"), 0.6))


def test_frames_that_an_edit_list_hides_are_not_missed(tmp_path):
    write(tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as given, av.open(str(tmp_path / "b.mp4"), "w") as trimmed:
        copy = trimmed.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                late = round(0.75 / packet.time_base)
                packet.stream, packet.pts, packet.dts = copy, packet.pts - late, packet.dts - late
                trimmed.mux(packet)
    assert containers.shown_share(tmp_path / "b.mp4") < 0.7
    source = open_source(tmp_path / "b.mp4")
    assert containers.frame_count(tmp_path / "b.mp4") <= len(list(source)) < COUNT - 5
    assert source.troubles == []


@pytest.mark.parametrize("name", KINDS)
def test_every_byte_that_a_container_lacks_is_seen(tmp_path, name):
    path = write(tmp_path / name, *KINDS[name])
    assert containers.missing_bytes(path) == 0
    size = path.stat().st_size
    os.truncate(path, size - 100)
    assert containers.missing_bytes(path) == (0 if name == "a.ts" else 100)


@pytest.mark.parametrize("data", [b"", b"\0" * 40, b"\x1a\x45\xdf\xa3", b"RIFF\0\0\0\0AVI ", b"\0\0\0\x08moov" * 3])
def test_odd_bytes_are_no_error(tmp_path, data):
    (tmp_path / "odd").write_bytes(data)
    assert containers.missing_bytes(tmp_path / "odd") >= 0
    assert containers.shown_share(tmp_path / "odd") == 1
    assert containers.frame_count(tmp_path / "odd") == 0


@pytest.mark.parametrize(("name", "count"), [("a.mp4", COUNT), ("a.mov", COUNT), ("a.mkv", 0), ("b.avi", 0)])
def test_the_index_of_a_movie_tells_how_many_frames_it_has(tmp_path, name, count):
    assert containers.frame_count(write(tmp_path / name, *KINDS[name])) == count
    assert containers.frame_count(tmp_path / "nowhere.mp4") == 0


@pytest.mark.parametrize(("turn", "corner"), [((0, 1, -1, 0), (0, -1)), ((-1, 0, 0, -1), (-1, -1))])
def test_a_video_is_turned_as_a_player_shows_it(tmp_path, turn, corner):
    data = write(tmp_path / "a.mp4").read_bytes()
    matrix = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    a, b, c, d = (value << 16 for value in turn)
    turned = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    place = data.index(matrix, data.index(b"tkhd"))
    (tmp_path / "a.mp4").write_bytes(data[:place] + turned + data[place + len(matrix) :])
    image = next(iter(open_source(tmp_path / "a.mp4"))).bgr()
    assert image.shape[:2] == ((64, 48) if turn[0] == 0 else (48, 64))
    bright = cv2.blur(image[..., 0], (5, 5))
    assert [bright[y, x] > 200 for y, x in ((3, 3), (3, -4), (-4, 3), (-4, -4))] == [
        (y, x) == corner for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1))
    ]


def test_grey_video_of_16_bits_is_stretched(tmp_path):
    if tuple(int(part) for part in cv2.__version__.split(".")[:2]) < (4, 6):
        pytest.skip("OpenCV hands over 8 bits only")
    image = next(iter(open_source(write(tmp_path / "a.mkv", "ffv1", "gray16le", kind=np.uint16)))).bgr()
    assert image.shape == (48, 64, 3)
    assert len(np.unique(image)) > 100


def test_bits_that_opencv_cuts_are_told(tmp_path, caplog):
    list(open_source(write(tmp_path / "a.mkv", "ffv1", "gray12le", kind=np.uint16)))
    assert "12 bits" in caplog.text


@pytest.mark.parametrize("name", [b"12:30:00.mp4", b"rtsp:x.mp4", b"a%03d.mp4", b"100%.mp4", b"\xff\xfe.mp4", b"-.mp4"])
def test_names_are_names_and_neither_addresses_nor_patterns(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    os.rename(write(tmp_path / "a.mp4", count=3), name)
    write(tmp_path / "a001.mp4", count=2)
    assert len(list(open_source(os.fsdecode(name)))) == 3


def test_frames_before_the_start_are_left_out_and_stamps_stay(tmp_path):
    source = open_source(write(tmp_path / "a.mp4"), fps=10, start=18)
    assert [frame.stamp_ns for frame in source] == [1_800_000_000, 1_900_000_000]
    with pytest.raises(DataError, match="has 20 frames; frame 20"):
        list(open_source(tmp_path / "a.mp4", start=20))


def test_an_address_is_a_stream(tmp_path, monkeypatch):
    write(tmp_path / "a.mp4", count=3)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    monkeypatch.chdir(tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        source = open_source(f"http://name:secret@127.0.0.1:{server.server_port}/a.mp4")
        assert len(list(source)) == 3
        server.shutdown()
    assert source.name == f"http://127.0.0.1:{server.server_port}/a.mp4"
    assert "gives no more images" in source.troubles[0]


def test_a_stream_that_ends_says_so_and_its_stamps_are_of_the_clock(tmp_path):
    source = Live(str(write(tmp_path / "a.mp4", count=3)), "rtsp://camera")
    stamps = [frame.stamp_ns for frame in source]
    assert len(stamps) == 3
    assert 0 < stamps[0] < stamps[1] < stamps[2]
    assert source.troubles == ["rtsp://camera gives no more images: it ended, or the connection to it was lost"]
