"""A log folder of ROS that cannot be written is replaced and said, and the programs start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stm_tracker_ros.core.errors import OutputError
from stm_tracker_ros.ros import log_folder

pytestmark = pytest.mark.ros


@pytest.fixture
def surroundings(monkeypatch, tmp_path):
    """Set what names the folder; gives a file, below which there can be none."""
    for name in ("ROS_LOG_DIR", "ROS_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(log_folder.tempfile, "tempdir", str(tmp_path))
    (tmp_path / "file").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        ({"HOME": "home"}, "home/.ros/log"),
        ({"HOME": "file", "ROS_HOME": "ros"}, "ros/log"),
        ({"HOME": "file", "ROS_HOME": "file", "ROS_LOG_DIR": "logs"}, "logs"),
    ],
)
def test_a_folder_that_can_be_written_stays(names, folder, surroundings, monkeypatch, capsys):
    for name, value in names.items():
        monkeypatch.setenv(name, str(surroundings / value))
    log_folder.make_sure("tracker_node")
    assert (surroundings / folder).is_dir()
    assert os.environ.get("ROS_LOG_DIR") == (str(surroundings / "logs") if "ROS_LOG_DIR" in names else None)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["HOME", "ROS_HOME", "ROS_LOG_DIR", None])
def test_one_that_cannot_is_replaced_and_said(name, surroundings, monkeypatch, capsys):
    if name:
        monkeypatch.setenv(name, str(surroundings / "file/x"))
    monkeypatch.setenv("ROS_LOG_DIR", os.environ.get("ROS_LOG_DIR", ""))
    log_folder.make_sure("tracker_node")
    instead = Path(os.environ["ROS_LOG_DIR"])
    assert instead.is_dir()
    assert instead.parent == surroundings
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"logs go to {instead}" in said
    assert ("a part of the path is a file" if name else "neither ROS_LOG_DIR") in said


def test_without_any_place_it_is_refused(surroundings, monkeypatch):
    monkeypatch.setenv("HOME", str(surroundings / "file"))
    monkeypatch.setattr(log_folder.tempfile, "tempdir", str(surroundings / "file"))
    with pytest.raises(OutputError, match="set ROS_LOG_DIR to a folder that can be written"):
        log_folder.make_sure("tracker_node")


@pytest.mark.parametrize(
    ("module", "parameter", "status"),
    [
        ("node", "tracker.memory.history:=-1", 2),
        ("demo_camera", "record:={file}", 2),
        ("demo_client", "record:={file}", 2),
    ],
)
def test_programs_come_as_far_as_their_parameters(module, parameter, status, tmp_path):
    """Each is given one that it refuses: past rclpy's start, and in one sentence."""
    (tmp_path / "file").write_bytes(b"")
    arguments = ["--ros-args", "-p", parameter.format(file=tmp_path / "file")]
    environment = {name: value for name, value in os.environ.items() if name not in ("ROS_LOG_DIR", "ROS_HOME")}
    done = subprocess.run(
        [sys.executable, "-m", f"stm_tracker_ros.ros.{module}", *arguments],
        env={**environment, "HOME": str(tmp_path / "file"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert f"{tmp_path / 'file/.ros/log'}, cannot be used" in done.stderr
    assert "history" in done.stderr if module == "node" else "exists; give another name" in done.stderr
