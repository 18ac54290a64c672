from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")
pytestmark = pytest.mark.torch

from stm_tracker_ros.core.errors import DataError  # noqa: E402
from stm_tracker_ros.training.pack import Pack, build  # noqa: E402
from stm_tracker_ros.training.run_files import PACK_BLOBS, PACK_INDEX  # noqa: E402


def test_stills_know_their_hull_and_mask(drawn_pack: Pack) -> None:
    masked = [still for still in drawn_pack.stills if still.mask >= 0]
    assert len(masked) == 2
    assert len(drawn_pack.stills) == 3
    assert np.abs(masked[0].hull.min(0) - [30.5, 20.5]).max() < 1e-6
    assert np.abs(masked[0].hull.max(0) - [59.5, 43.5]).max() < 1e-6
    assert drawn_pack.mask(masked[0].mask)[30, 40] == 255
    assert drawn_pack.mask(masked[0].mask)[5, 5] == 0
    assert drawn_pack.image(masked[0].image).shape == (64, 96, 3)


def test_tracks_leave_out_absent_frames_and_validation_sequences(drawn_pack: Pack) -> None:
    tracks = {track.name: track for track in drawn_pack.tracks}
    assert set(tracks) == {"walk/object_1", "car1/target"}
    assert tracks["walk/object_1"].numbers.tolist() == [0, 1, 3, 4, 5]
    assert tracks["car1/target"].numbers.tolist() == [0, 1, 2, 3, 4]
    assert tracks["car1/target"].boxes[1].tolist() == [31, 20, 30, 24]


def test_frames_that_are_not_trusted_stand_beside_a_track_between_its_trusted_boxes(drawn_pack: Pack) -> None:
    tracks = {track.name: track for track in drawn_pack.tracks}
    doubtful = tracks["walk/object_1"].doubtful
    assert doubtful.numbers.tolist() == [2]
    assert doubtful.boxes[0].tolist() == [32, 20, 30, 24]
    assert drawn_pack.image(int(doubtful.images[0])).shape == (64, 96, 3)
    assert len(tracks["car1/target"].doubtful.images) == 0


def test_a_pack_without_doubtful_frames_is_read(pack_folder: Path, tmp_path) -> None:
    with np.load(pack_folder / PACK_INDEX) as index:
        older = {name: index[name] for name in index.files if not name.startswith("doubtful")}
    np.savez(tmp_path / PACK_INDEX, **older)
    (tmp_path / PACK_BLOBS).write_bytes((pack_folder / PACK_BLOBS).read_bytes())
    assert [len(track.doubtful.images) for track in Pack(tmp_path).tracks] == [0, 0]


def test_stills_alone_are_a_pack(stills_pack: Pack) -> None:
    assert (len(stills_pack.stills), stills_pack.tracks) == (3, [])
    assert stills_pack.image(stills_pack.stills[0].image).shape == (64, 96, 3)


def test_stills_need_no_boxes_where_all_have_masks(drawn_data: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    own = tmp_path / "data/train_images.tar"
    with tarfile.open(drawn_data / "train_images.tar") as whole, tarfile.open(own, "w") as masked:
        for member in whole:
            if member.name.startswith("people/"):
                masked.addfile(member, whole.extractfile(member))
    assert [still.mask >= 0 for still in build(tmp_path / "data", tmp_path / "pack").stills] == [True, True]


@pytest.mark.parametrize("content", [b"", b"<html>quota exceeded</html>", b"\x1f\x8b\x08\x00 no more"])
def test_what_is_no_archive_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "train_images.tar").write_bytes(content)
    with pytest.raises(DataError, match=r"^.*train_images\.tar cannot be read \(.+\); needed is a whole tar archive$"):
        build(tmp_path, tmp_path / "pack")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_cut_short_is_named(mode: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "train_images.tar", mode) as tar:  # type: ignore[call-overload]
        for number in range(2):
            noise = np.random.default_rng(number).integers(0, 256, 40_000, np.uint8).tobytes()
            member = tarfile.TarInfo(f"people/{number}.webp")
            member.size = len(noise)
            tar.addfile(member, io.BytesIO(noise))
    whole = (tmp_path / "train_images.tar").read_bytes()
    (tmp_path / "train_images.tar").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(DataError, match=r"train_images\.tar cannot be read"):
        build(tmp_path, tmp_path / "pack")


@pytest.mark.parametrize(
    ("damaged", "words"),
    [
        ("people/0.webp", r"train_images\.tar: people/0\.webp cannot be read as a picture"),
        ("people/1.png", r"train_images\.tar: people/1\.png cannot be read as a picture"),
        ("vedai/boxes_xyxy.json", r"train_images\.tar: vedai/boxes_xyxy\.json cannot be read as boxes"),
    ],
)
def test_a_damaged_file_of_the_archive_is_named(damaged: str, words: str, drawn_data: Path, tmp_path: Path) -> None:
    bad = tmp_path / "train_images.tar"
    with tarfile.open(drawn_data / "train_images.tar") as whole, tarfile.open(bad, "w") as target:
        for member in whole:
            content = whole.extractfile(member).read()  # type: ignore[union-attr]
            cut = content[: len(content) // 2] if member.name == damaged else content
            member.size = len(cut)
            target.addfile(member, io.BytesIO(cut))
    with pytest.raises(DataError, match=words):
        build(tmp_path, tmp_path / "pack")


def test_boxes_that_cannot_be_read_are_named(drawn_data: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(drawn_data, tmp_path / "data"))
    (data / "clips/walk/object_1.txt").write_text("1,2,3,4\n1,2,3\n")
    with pytest.raises(DataError, match=r"object_1\.txt cannot be read as lines of x,y,w,h: line 2 has 3 numbers"):
        build(data, tmp_path / "pack")


@pytest.fixture
def own_data(drawn_data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn_data, tmp_path / "data"))


def test_a_video_that_cannot_be_read_is_named_and_left_out(
    own_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = own_data / "train_video/VOT/car1/video.mp4"
    broken.write_bytes(broken.read_bytes()[:100])
    assert [track.name for track in build(own_data, tmp_path / "pack").tracks] == ["walk/object_1"]
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told.startswith(f"{broken} cannot be opened as video")
    assert told.endswith("; it is left out")


def test_frames_that_a_video_does_not_have_are_told(
    own_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    truth = own_data / "train_video/VOT/car1/groundtruth.txt"
    truth.write_text("30,20,30,24\n" * 8)
    tracks = {track.name: track for track in build(own_data, tmp_path / "pack").tracks}
    assert tracks["car1/target"].numbers.tolist() == [0, 1, 2, 3, 4, 5]
    assert f"{truth.parent / 'video.mp4'} ends early: 6 of its 8 frames with boxes are there" in caplog.text


def test_videos_of_which_none_can_be_read_are_no_pack(own_data: Path, tmp_path: Path) -> None:
    for video in own_data.glob("*/**/video.mp4"):
        video.write_bytes(b"")
    with pytest.raises(DataError, match=r"no video is left: 2 cannot be read, the first of them .*walk/video\.mp4"):
        build(own_data, tmp_path / "pack")
    assert not (tmp_path / "pack" / PACK_INDEX).exists()


def test_missing_data_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match=r"train_images\.tar is missing"):
        build(tmp_path, tmp_path / "pack")
    with pytest.raises(DataError, match="holds no pack"):
        Pack(tmp_path / "nowhere")
