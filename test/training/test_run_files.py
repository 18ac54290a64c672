"""A training writes over nothing that it did not write, nor over what it reads; found out before anything is loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.cli import main  # noqa: E402
from stm_tracker_ros.core.errors import DataError  # noqa: E402
from stm_tracker_ros.core.output_folder import OutputFolder  # noqa: E402
from stm_tracker_ros.training import pack, run_files  # noqa: E402

NAMES = ["config.json", "log.jsonl", "last.pt", "next.pt", "curve.png", "dmb_lite.safetensors", "pack/blobs.bin"]


def contents(root: Path) -> dict[str, object]:
    return {
        str(path): os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in sorted(root.rglob("*"))
    }


def refused(root: Path, capsys: pytest.CaptureFixture[str], data: Path, out: Path, *more: str) -> str:
    before = contents(root)
    assert main.main(["train", "dmb_lite", "--data", str(data), "--out", str(out), *more]) == main.EXIT_REFUSED
    assert contents(root) == before
    return capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["file", "link"])
def test_files_of_the_user_are_refused_and_stay(name: str, kind: str, tmp_path: Path, capsys) -> None:
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    (tmp_path / "mine").write_text("mine")
    path.symlink_to(tmp_path / "mine") if kind == "link" else path.write_text("mine")
    assert name.split("/")[0] in refused(tmp_path, capsys, tmp_path / "data", tmp_path / "out")


def test_it_does_not_write_among_its_data(drawn_data: Path, capsys) -> None:
    for out in (drawn_data, drawn_data / "clips/run", drawn_data / "train_video/VOT", drawn_data / "train_video"):
        assert "give" in refused(drawn_data, capsys, drawn_data, out)


def test_what_it_starts_from_is_not_overwritten(tmp_path: Path, capsys) -> None:
    for name in ("last.pt", "dmb_lite.safetensors"):
        OutputFolder(tmp_path / "out").write(name, b"of an earlier run")
        for setting in ("start_from", "backbone_weights"):
            change = f"{setting}={tmp_path / 'out' / name}"
            words = refused(tmp_path, capsys, tmp_path / "data", tmp_path / "out", "--set", change)
            assert "is what is read" in words


def test_a_pack_that_the_user_laid_there_is_read_and_one_that_was_cut_short_made_again(
    drawn_data: Path, pack_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/pack").symlink_to(pack_folder)
    before = contents(pack_folder)
    run_files.check(tmp_path / "out", drawn_data, "dmb_lite", {})
    assert len(pack.build(drawn_data, tmp_path / "out/pack").stills) == 3
    assert contents(pack_folder) == before

    files = OutputFolder(tmp_path / "cut/pack")
    for name in (run_files.PACK_BLOBS, run_files.PACK_INDEX):
        with pytest.raises(ZeroDivisionError), files.new(name) as file:
            file.write(b"%d" % (1 // 0))
    assert len(pack.build(drawn_data, tmp_path / "cut/pack").stills) == 3


def test_a_pack_is_not_built_over_files_of_the_user(drawn_data: Path, tmp_path: Path) -> None:
    (tmp_path / "blobs.bin").write_text("mine")
    with pytest.raises(DataError, match="blobs.bin would be overwritten"):
        pack.build(drawn_data, tmp_path)
    assert (tmp_path / "blobs.bin").read_text() == "mine"
