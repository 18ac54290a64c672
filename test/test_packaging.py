"""What pip and colcon make of the package: a wheel with requirements and scripts, an egg whose scripts start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import stm_tracker_ros

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[1]
PARTS = ("setup.py", "setup.cfg", "pyproject.toml", "package.xml", "README.md", "LICENSE", "NOTICE")
FOLDERS = ("resource", "launch", "config", "stm_tracker_ros")
# Of Ubuntu 22.04 and 24.04, and one that takes what [project] does not name for absent.
SETUPTOOLS = ("59.6.0", "68.1.2", "80.9.0")
SCRIPTS = {"stm_tracker", "tracker_node", "demo_camera", "demo_client"}
REQUIRED = {"numpy", "opencv-python", "safetensors", "torch", "tqdm"}
BUILD_WHEEL = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each release of setuptools, ready for PYTHONPATH; `wheel` is what the older ones need beside."""
    folder = tmp_path_factory.mktemp("setuptools")
    for requirement in (*(f"setuptools=={version}" for version in SETUPTOOLS), "wheel==0.45.1"):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), requirement]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip(f"PACKAGING NOT CHECKED: pip cannot download {requirement}; is there a package index?")
    for version in SETUPTOOLS:
        for file in (*folder.glob(f"setuptools-{version}-*.whl"), *folder.glob("wheel-*.whl")):
            zipfile.ZipFile(file).extractall(folder / version)
    return folder


@pytest.fixture
def setuptools(request: pytest.FixtureRequest, downloaded: Path) -> Path:
    if request.param == "59.6.0" and sys.version_info >= (3, 12):
        pytest.skip("setuptools 59.6 does not run on Python 3.12 and later")
    return downloaded / str(request.param)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy, for a build leaves its traces beside setup.py."""
    folder = tmp_path / "source"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in PARTS:
        shutil.copy(ROOT / name, folder)
    return folder


def run(where: Path, path: list[Path], *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, *arguments]
    result = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


# 59.6 reads no [project]; pip takes a later one, as [build-system] says.
@pytest.mark.parametrize("setuptools", SETUPTOOLS[1:], indirect=True)
def test_the_wheel_has_its_scripts_and_says_what_it_needs(setuptools: Path, source: Path, tmp_path: Path) -> None:
    run(source, [setuptools], "-c", BUILD_WHEEL, str(tmp_path))
    (file,) = tmp_path.glob("*.whl")
    wheel = zipfile.ZipFile(file)
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    lines = wheel.read(entry_points).decode().split("\n")
    assert {line.split(" = ")[0] for line in lines if " = " in line} == SCRIPTS
    assert "stm_tracker_ros/py.typed" in wheel.namelist()
    metadata = message_from_bytes(wheel.read(entry_points.replace("entry_points.txt", "METADATA")))
    assert (metadata["Version"], metadata["Requires-Python"]) == (stm_tracker_ros.__version__, ">=3.10")
    needs = metadata.get_all("Requires-Dist", [])
    assert {need.split(">=")[0].split("<")[0] for need in needs if "extra" not in need} == REQUIRED
    assert set(metadata.get_all("Provides-Extra", [])) == {"all", "bags", "plots", "train", "video"}


@pytest.mark.parametrize("setuptools", SETUPTOOLS, indirect=True)
def test_the_executables_that_colcon_installs_ask_for_nothing(setuptools: Path, source: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    egg_info = ("egg_info", "--egg-base", str(tmp_path), "build", "--build-base", str(tmp_path / "build"))
    install = ("install", "--prefix", str(prefix), "--record", str(tmp_path / "log"), "--install-scripts", str(prefix))
    run(source, [setuptools], "setup.py", *egg_info, *install, "--single-version-externally-managed")
    (packages,) = prefix.glob("lib/python*/site-packages")
    assert_starts(prefix / "stm_tracker", [packages, setuptools])


# 59.6 knows of no requirements; from 80 on `develop` is pip, which installs no egg.
@pytest.mark.parametrize("setuptools", ["68.1.2"], indirect=True)
def test_the_executables_of_a_symlink_install_ask_for_nothing(setuptools: Path, source: Path, tmp_path: Path) -> None:
    options = ("--install-dir", str(tmp_path), "--script-dir", str(tmp_path), "--no-deps")
    run(source, [tmp_path, setuptools], "setup.py", "develop", *options)
    assert_starts(tmp_path / "stm_tracker", [source, setuptools])


def assert_starts(script: Path, path: list[Path]) -> None:
    """The script runs, also where pkg_resources is imported, which looks up what the egg says that it needs."""
    text = script.read_text()
    assert text.startswith("#!/usr/bin/env python3\n"), "an environment that holds torch would not be used"
    assert "\n__requires__ = " in text, "nothing is looked up"
    script.write_text(text.replace("\ntry:", "\nimport pkg_resources\ntry:", 1))
    assert stm_tracker_ros.__version__ in run(script.parent, path, str(script), "--version")
