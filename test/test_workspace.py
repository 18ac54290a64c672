"""What colcon and rosdep see of a workspace that holds the clone and, as the README says, one symlink beside it."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[1]
# A robot's interpreter may have neither torch nor our environment; the build must not ask for them.
BUILD_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("colcon_core", "catkin_pkg"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"WORKSPACE NOT CHECKED: {sys.executable} has no {name}; scripts/test brings it")
    source = tmp_path_factory.mktemp("workspace") / "src"
    source.mkdir()
    (source / "stm_tracker_ros").symlink_to(ROOT)
    (source / "stm_tracker_msgs").symlink_to("stm_tracker_ros/stm_tracker_msgs")
    return source.parent


def colcon(workspace: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "colcon", "--log-base", str(workspace / "log"), *arguments]
    result = subprocess.run(command, cwd=workspace, env=BUILD_ENVIRONMENT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_colcon_finds_both_packages_in_the_order_of_building(workspace: Path) -> None:
    rows = [line.split("\t") for line in colcon(workspace, "list", "--topological-order").splitlines()]
    assert [(name, kind) for name, _, kind in rows] == [
        ("stm_tracker_msgs", "(ros.ament_cmake)"),
        ("stm_tracker_ros", "(ros.ament_python)"),
    ]


def test_rosdep_finds_both_packages(workspace: Path) -> None:
    from catkin_pkg.packages import find_packages

    found = {package.name: package for package in find_packages(str(workspace / "src")).values()}
    assert set(found) == {"stm_tracker_ros", "stm_tracker_msgs"}
    for package in found.values():
        assert package.package_format == 3
        package.validate()


def test_package_xml_names_no_key_that_a_platform_lacks(workspace: Path) -> None:
    from catkin_pkg.package import parse_package

    package = parse_package(str(ROOT / "package.xml"))
    named = {dependency.name for dependency in package.exec_depends + package.build_depends}
    assert "rclpy" in named
    assert not named & {"python3-torch", "torch", "safetensors", "python3-safetensors"}


def test_all_give_the_same_version(workspace: Path) -> None:
    from catkin_pkg.package import parse_package

    folders = (ROOT, ROOT / "stm_tracker_msgs")
    versions = {parse_package(str(folder / "package.xml")).version for folder in folders}
    versions |= set(re.findall(r'version="([^"]+)"', (ROOT / "setup.py").read_text()))
    assert len(versions) == 1


def test_colcon_build_puts_all_where_ros_looks(workspace: Path, tmp_path: Path) -> None:
    # A workspace of its own: the messages, which need the generators of a ROS distribution, are not built here.
    (tmp_path / "stm_tracker_ros").symlink_to(ROOT)
    colcon(tmp_path, "build")
    prefix = tmp_path / "install" / "stm_tracker_ros"
    for name in ("tracker_node", "stm_tracker"):
        executable = prefix / "lib" / "stm_tracker_ros" / name
        assert executable.read_text().splitlines()[0] == "#!/usr/bin/env python3"
    share = prefix / "share" / "stm_tracker_ros"
    (module,) = prefix.glob("lib/python*/site-packages/stm_tracker_ros")
    assert names(share / "launch") == names(ROOT / "launch")
    assert names(share / "config") == sorted([*names(ROOT / "config"), "shared_memory.xml"])
    assert files_below(module) == files_below(ROOT / "stm_tracker_ros")


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.is_file())


def files_below(package: Path) -> list[str]:
    """Modules and data of an installed package or of its source."""
    files = (file for file in package.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return sorted(str(file.relative_to(package)) for file in files)
