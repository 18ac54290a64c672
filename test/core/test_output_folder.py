"""What is ours in a folder and what is the user's, and that the user's stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.ledger import HEADER, LEDGER_NAME
from stm_tracker_ros.core.output_folder import OutputFolder, new_file, refuse_existing, write_new

pytestmark = pytest.mark.pure


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder that a run wrote in."""
    OutputFolder(tmp_path / "out").write("a.csv", b"ours")
    return tmp_path / "out"


def test_nothing_is_made_before_the_first_file(tmp_path: Path) -> None:
    OutputFolder(tmp_path / "x/y").check(("a.csv",), ("masks",), (tmp_path,))
    assert list(tmp_path.iterdir()) == []
    OutputFolder(tmp_path / "x/y").write("masks/0.png", b"1")
    assert (tmp_path / "x/y/masks/0.png").read_bytes() == b"1"


def test_ours_is_replaced_and_a_link_to_it_keeps_what_it_has(out: Path, tmp_path: Path) -> None:
    os.link(out / "a.csv", tmp_path / "kept")
    OutputFolder(out).check(("a.csv",)).write("a.csv", b"new")
    assert (out / "a.csv").read_bytes() == b"new"
    assert (tmp_path / "kept").read_bytes() == b"ours"


def replaced(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"mine")


def linked(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "change",
    [lambda path: path.write_bytes(b"edit"), replaced, linked, made_a_folder],
    ids=["edit", "replace", "link", "dir"],
)
def test_what_was_changed_since_is_the_users(change, out: Path) -> None:
    change(out / "a.csv")
    before = sorted((path, path.is_file() and path.read_bytes()) for path in out.iterdir())
    for attempt in (
        lambda f: f.check(("a.csv",)),
        lambda f: f.write("a.csv", b"x"),
        lambda f: f.new("a.csv").__enter__(),
    ):
        with pytest.raises(DataError, match=r"a\.csv would be overwritten"):
            attempt(OutputFolder(out))
    with pytest.raises(DataError, match="would be overwritten"), OutputFolder(out).continued("a.csv"):
        pass
    after = sorted((path, path.is_file() and path.read_bytes()) for path in out.iterdir() if path.name != LEDGER_NAME)
    assert after == [row for row in before if row[0].name != LEDGER_NAME]


def test_a_file_that_comes_while_we_run_is_not_overwritten(tmp_path: Path) -> None:
    files = OutputFolder(tmp_path).check(("a.csv", "b.csv"))
    (tmp_path / "a.csv").write_bytes(b"mine")
    with pytest.raises(DataError):
        files.write("a.csv", b"x")
    files.write("b.part", b"x")
    (tmp_path / "b.csv").write_bytes(b"mine")
    with pytest.raises(DataError):
        files.replace("b.part", "b.csv")
    assert {(tmp_path / name).read_bytes() for name in ("a.csv", "b.csv")} == {b"mine"}


KILLED = """
import os, signal, sys
from pathlib import Path
from stm_tracker_ros.core.output_folder import OutputFolder
files = OutputFolder(Path(sys.argv[1]))
files.write("masks/0.png", b"whole")
with files.new("a.csv") as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_leaves_its_files_as_ours(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=Path(__file__).parents[2])
    assert ended.returncode == -signal.SIGKILL
    assert (tmp_path / "a.csv").read_bytes() == b"half"
    files = OutputFolder(tmp_path).check(("a.csv",), ("masks",))
    assert files.is_unfinished("a.csv")
    assert not files.is_unfinished("masks/0.png")
    files.clear("masks")
    files.write("a.csv", b"all")
    assert list((tmp_path / "masks").iterdir()) == []
    # A file of the user's in its place is the user's: it has another number in the file system.
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=Path(__file__).parents[2])
    (tmp_path / "mine").write_bytes(b"half")
    (tmp_path / "mine").replace(tmp_path / "a.csv")
    with pytest.raises(DataError):
        OutputFolder(tmp_path).check(("a.csv",))


def test_a_run_killed_before_the_file_was_there_leaves_the_name_to_the_user(tmp_path: Path) -> None:
    nothing_known = {"file": "a.csv", "also": False, "token": "", "size": None, "mtime_ns": None, "whole": False}
    (tmp_path / LEDGER_NAME).write_text(f"{json.dumps(HEADER)}\n{json.dumps(nothing_known)}\n")
    (tmp_path / "a.csv").write_bytes(b"")
    OutputFolder(tmp_path).check(("a.csv",))
    (tmp_path / "a.csv").write_bytes(b"mine")
    with pytest.raises(DataError):
        OutputFolder(tmp_path).check(("a.csv",))


def test_an_error_leaves_the_file_as_ours_but_not_whole(tmp_path: Path) -> None:
    files = OutputFolder(tmp_path)
    with pytest.raises(ZeroDivisionError), files.new("a.csv") as file:
        file.write(b"%d" % (1 // 0))
    again = OutputFolder(tmp_path).check(("a.csv",))
    assert again.is_unfinished("a.csv")
    (tmp_path / "a.csv").write_bytes(b"edit")
    with pytest.raises(DataError):
        OutputFolder(tmp_path).check(("a.csv",))


@pytest.mark.parametrize("text", ["", "mine\n", "{}\n", '{"list": "x", "version": 9}\n', b"\xff\xfe"])
def test_a_list_that_is_not_ours_is_refused_and_stays(text, tmp_path: Path) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / LEDGER_NAME).write_bytes(data)
    with pytest.raises(DataError, match=LEDGER_NAME):
        OutputFolder(tmp_path)
    assert (tmp_path / LEDGER_NAME).read_bytes() == data


def test_a_list_that_is_a_link_is_refused(out: Path, tmp_path: Path) -> None:
    (out / LEDGER_NAME).rename(tmp_path / "elsewhere")
    (out / LEDGER_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="no plain file"):
        OutputFolder(out)


def test_a_list_that_was_cut_short_is_read_to_there(out: Path) -> None:
    OutputFolder(out).write("b.csv", b"ours")
    with (out / LEDGER_NAME).open("r+b") as file:
        file.seek(-20, os.SEEK_END)
        file.truncate()
    files = OutputFolder(out).check(("a.csv", "b.csv"))
    assert (files.is_unfinished("a.csv"), files.is_unfinished("b.csv")) == (False, True)
    files.write("b.csv", b"again")
    assert not OutputFolder(out).is_unfinished("b.csv")


def test_a_folder_of_results_holds_nothing_else(tmp_path: Path) -> None:
    files = OutputFolder(tmp_path)
    files.write("masks/0.png", b"1")
    files.clear("masks")
    files.write("masks/0.png", b"2")
    (tmp_path / "masks/note.txt").write_bytes(b"mine")
    for attempt in (lambda f: f.check((), ("masks",)), lambda f: f.clear("masks")):
        with pytest.raises(DataError, match=r"masks/note\.txt: stm_tracker did not write that"):
            attempt(OutputFolder(tmp_path))
    assert {path.name for path in (tmp_path / "masks").iterdir()} == {"0.png", "note.txt"}


def test_folders_below_are_ours_or_empty_and_no_links(tmp_path: Path) -> None:
    files = OutputFolder(tmp_path / "out")
    (tmp_path / "out/a/mine").mkdir(parents=True)
    (tmp_path / "out/a/mine/x").write_bytes(b"mine")
    (tmp_path / "out/a/empty").mkdir()
    (tmp_path / "out/link").symlink_to(tmp_path / "out/a")
    files.below("a/empty").write("x", b"ours")
    files.below("a/empty")
    files.below("a/new")
    with pytest.raises(DataError, match="did not write"):
        files.below("a/mine")
    with pytest.raises(DataError, match="is a link"):
        files.below("link/empty")


def test_what_is_read_is_not_written(out: Path, tmp_path: Path) -> None:
    OutputFolder(out).write("masks/0.png", b"1")
    (tmp_path / "sym").symlink_to(out / "a.csv")
    os.link(out / "a.csv", tmp_path / "hard")
    for given in (out, out / "a.csv", tmp_path / "sym", tmp_path / "hard", out / "masks", out / "masks/0.png"):
        with pytest.raises(DataError, match="is what is read"):
            OutputFolder(out).check(("a.csv",), ("masks",), (given,))
    OutputFolder(out).check(("a.csv",), ("masks",), (tmp_path, tmp_path / "absent", "rtsp://camera/1", "0" * 5000))


def test_continuing_and_replacing_keep_links_of_the_user(out: Path, tmp_path: Path) -> None:
    os.link(out / "a.csv", tmp_path / "kept")
    for more in (b" and", b" more"):
        with OutputFolder(out).continued("a.csv") as file:
            file.write(more)
    assert (out / "a.csv").read_bytes() == b"ours and more"
    assert (tmp_path / "kept").read_bytes() == b"ours"
    files = OutputFolder(out)
    files.write("next", b"next")
    files.replace("next", "a.csv")
    assert sorted(path.name for path in out.iterdir()) == [LEDGER_NAME, "a.csv"]
    OutputFolder(out).check(("a.csv", "next"))


def test_a_place_that_cannot_be_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("file", "dangling"):
        with pytest.raises(DataError, match="no folder"):
            OutputFolder(tmp_path / name)
    with pytest.raises(DataError, match="cannot be written"):
        OutputFolder(tmp_path / "file/below").write("a", b"")
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_single_file_must_be_new(tmp_path: Path) -> None:
    write_new(tmp_path / "a", b"1")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("a", "dangling"):
        for attempt in (refuse_existing, new_file, lambda path: write_new(path, b"2")):
            with pytest.raises(DataError, match="exists; give another name"):
                attempt(tmp_path / name)
    with pytest.raises(DataError, match="no folder"):
        refuse_existing(tmp_path / "absent/a")
    assert (tmp_path / "a").read_bytes() == b"1"
    assert not (tmp_path / "nowhere").exists()


@pytest.fixture
def half_written(tmp_path: Path) -> Iterator[Path]:
    """A folder with what a run that is killed leaves."""
    run = OutputFolder(tmp_path).new("a.csv")
    file = run.__enter__()
    file.write(b"half")
    file.close()
    yield tmp_path
    run.__exit__(None, None, None)


def test_a_killed_runs_file_is_ours(half_written: Path) -> None:
    files = OutputFolder(half_written)
    files.check(("a.csv",))
    files.write("a.csv", b"whole")
    assert (half_written / "a.csv").read_bytes() == b"whole"


def test_a_file_that_takes_the_place_of_a_killed_runs_file_is_the_users(half_written: Path) -> None:
    """The file system often gives it the same number."""
    (half_written / "a.csv").unlink()
    (half_written / "a.csv").write_bytes(b"mine")
    with pytest.raises(DataError, match="would be overwritten"):
        OutputFolder(half_written).check(("a.csv",))


@pytest.fixture
def without_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("not supported")

    monkeypatch.setattr("os.setxattr", refuse)


@pytest.mark.usefixtures("without_attributes")
def test_without_attributes_a_killed_runs_file_is_the_users(request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue("half_written")
    with pytest.raises(DataError, match="would be overwritten"):
        OutputFolder(folder).check(("a.csv",))


def test_what_another_command_writes_now_is_left_alone(out: Path) -> None:
    with OutputFolder(out).new("a.csv") as file:
        file.write(b"a row\n")
        with pytest.raises(DataError, match="a.csv is being written by another stm_tracker"):
            OutputFolder(out).check(("a.csv",))
        with pytest.raises(DataError, match="is being written by another"):
            OutputFolder(out).write("a.csv", b"other")
        file.write(b"another\n")
    assert (out / "a.csv").read_bytes() == b"a row\nanother\n"
    OutputFolder(out).check(("a.csv",)).write("a.csv", b"other")


def test_a_process_that_was_forked_meanwhile_holds_nothing(out: Path) -> None:
    with OutputFolder(out).new("a.csv"):
        child = os.fork()
        if not child:
            signal.pause()
            os._exit(0)
    try:
        OutputFolder(out).check(("a.csv",)).write("a.csv", b"other")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
