"""The tools of the bench: the torch that may be borrowed, and the wheels of the interfaces."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

BENCH = Path(__file__).parents[2] / "bench"


def find_torch(folder: Path, version: str | None) -> subprocess.CompletedProcess[str]:
    """Run the finder with a torch of that version, or one that does not load, first in the search path."""
    package = folder / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise OSError" if version is None else f"__version__ = {version!r}\n")
    command = [sys.executable, str(BENCH / "find_torch.py")]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True)


@pytest.mark.parametrize(("version", "numpy"), [("2.2.1", "numpy<2"), ("2.13.0+cpu", "numpy"), ("3.0", "numpy")])
def test_a_torch_that_is_new_enough_is_borrowed(tmp_path: Path, version: str, numpy: str) -> None:
    result = find_torch(tmp_path, version)
    assert (result.returncode, result.stdout.splitlines()) == (0, [str(tmp_path.resolve()), numpy])


@pytest.mark.parametrize("version", ["2.1.9", "1.13.1+cu117", None])
def test_a_torch_that_is_old_or_broken_is_not(tmp_path: Path, version: str | None) -> None:
    assert find_torch(tmp_path, version).returncode == 1


def test_wheel_holds_modules_at_the_root_and_the_rest_below_the_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    interface_wheel = importlib.import_module("interface_wheel")
    modules = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages/vision_msgs"
    shared = ("lib/libvision_msgs.so", "share/vision_msgs/package.xml")
    for name in (f"{modules}/__init__.py", f"{modules}/glue.c", *shared):
        (tmp_path / "stage" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "stage" / name).write_text(name)

    wheel = interface_wheel.pack(BENCH / "vision_msgs", tmp_path / "stage", tmp_path)

    assert wheel.name.startswith("bench_vision_msgs-4.1.1-cp3")
    with zipfile.ZipFile(wheel) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    record = members.pop("bench_vision_msgs-4.1.1.dist-info/RECORD").decode()
    data = "bench_vision_msgs-4.1.1.data/data"
    assert {name for name in members if ".dist-info/" not in name} == {
        "vision_msgs/__init__.py",
        *(f"{data}/{name}" for name in shared),
    }
    hashes = {row[0]: row[1] for row in csv.reader(io.StringIO(record)) if row[1]}
    assert hashes == {name: f"sha256={sha256(content)}" for name, content in members.items()}


def sha256(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def test_a_venv_that_setup_did_not_make_is_refused_and_stays(tmp_path: Path) -> None:
    shutil.copytree(BENCH.parent / "scripts", tmp_path / "scripts")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/pyvenv.cfg").write_text("mine")
    result = subprocess.run([tmp_path / "scripts/setup"], capture_output=True, text=True)
    assert result.returncode == 1
    assert "was not made by scripts/setup" in result.stderr
    assert {path.name: path.read_text() for path in (tmp_path / ".venv").iterdir()} == {"pyvenv.cfg": "mine"}
