"""What is missing, or there and broken, is one sentence; the package itself is light and says what it has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import stm_tracker_ros
from stm_tracker_ros import libraries
from stm_tracker_ros.core.errors import LibraryError

pytestmark = pytest.mark.pure

NO_GL = "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
LIGHT = "import sys, stm_tracker_ros; print(*{'numpy', 'cv2', 'torch'} & set(sys.modules)); "


def run(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    folders = [str(folder) for folder in (path, Path(stm_tracker_ros.__file__).parents[1]) if folder is not None]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)


@pytest.fixture
def without_gl(tmp_path: Path) -> Path:
    (tmp_path / "cv2.py").write_text(NO_GL)
    return tmp_path


def test_the_package_is_light_and_gives_its_names_when_asked() -> None:
    done = run("-c", LIGHT + "from stm_tracker_ros import *; print(Box, State, VideoResult, TargetError)")
    assert done.returncode == 0, done.stderr
    light, names = done.stdout.splitlines()
    assert light == ""
    assert [text.split("'")[1].split(".")[-1] for text in names.split("> ")] == [
        "Box",
        "State",
        "VideoResult",
        "TargetError",
    ]
    assert set(stm_tracker_ros.__all__) <= set(dir(stm_tracker_ros))


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Boxes'"):
        stm_tracker_ros.Boxes  # noqa: B018


@pytest.mark.parametrize(
    "program", ["import stm_tracker_ros as s; s.load()", "from stm_tracker_ros import VideoTracker"]
)
def test_opencv_without_libgl_names_the_headless_build(without_gl: Path, program: str) -> None:
    last = run("-c", program, path=without_gl).stderr.strip().splitlines()[-1]
    assert "LibraryError: OpenCV cannot be loaded (libGL.so.1" in last
    assert "opencv-python-headless" in last


def test_a_command_says_it_in_one_line(without_gl: Path) -> None:
    command = ("-m", "stm_tracker_ros.cli.main")
    assert run(*command, "--version", path=without_gl).stdout == f"stm_tracker {stm_tracker_ros.__version__}\n"
    done = run(*command, "track", "flight.mp4", "--box", "1,2,3,4", "--out", "run", path=without_gl)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "opencv-python-headless" in done.stderr


def test_what_is_missing_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(libraries.NEEDED, "no_such_library", "no-such-library")
    with pytest.raises(LibraryError, match="cannot import no_such_library; .*pip install no-such-library"):
        libraries.check()
