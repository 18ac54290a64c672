"""What has to be there before a program of ROS can run, and how to get it: messages at start, torch at configure."""

from __future__ import annotations

import importlib.util
import platform
import sys

_MESSAGES = {
    "vision_msgs": "sudo apt install ros-$ROS_DISTRO-vision-msgs",
    "stm_tracker_msgs": (
        "built from this repository by: cd WORKSPACE/src && ln -s stm_tracker_ros/stm_tracker_msgs . && cd .. && "
        "colcon build --packages-select stm_tracker_msgs && . install/setup.sh"
    ),
}
_ROS_MESSAGES = ("sensor_msgs", "std_msgs", "std_srvs", "geometry_msgs", "diagnostic_msgs", "visualization_msgs")


def missing_messages() -> str:
    """What to do about rclpy and message packages that this interpreter cannot import, in one line; empty if all are
    there. Without rclpy the others are not spoken of: they come with it.
    """
    if not _importable("rclpy"):
        return (
            f"{_interpreter()} cannot import rclpy; source ROS 2 first (. /opt/ros/$ROS_DISTRO/setup.sh), or follow a "
            "target without ROS by `stm_tracker track`"
        )
    fixes = dict.fromkeys(_ROS_MESSAGES, "sudo apt install ros-$ROS_DISTRO-common-interfaces") | _MESSAGES
    missing = [name for name in fixes if not _importable(name)]
    if not missing:
        return ""
    return f"{_interpreter()} cannot import {'; '.join(f'{name} ({fixes[name]})' for name in missing)}"


def unusable(error: ImportError) -> str:
    """What to say where a library is there and cannot be loaded: an extension for another Python, mostly."""
    reason = " ".join(str(error).split())
    name = error.name or "a library"
    return f"{_interpreter()} cannot load {name} ({reason}); is the ROS 2 that is sourced of another Python?"


def missing_libraries() -> str:
    """What to do about torch and safetensors where this interpreter cannot import them; empty if all are there."""
    missing = [name for name in ("torch", "safetensors") if not _importable(name)]
    if not missing:
        return ""
    lines = [f"{_interpreter()} cannot import {', '.join(missing)}."]
    lines += [f"  {name}: {_library_command(name)}" for name in missing]
    lines += [
        "  In a virtual environment? Make it with --system-site-packages, activate it, then start the node again."
    ]
    return "\n".join(lines)


def _interpreter() -> str:
    return f"{sys.executable} (Python {platform.python_version()})"


def _library_command(name: str) -> str:
    pip = f"{sys.executable} -m pip install"
    if name != "torch":
        return f"{pip} {name}"
    if platform.machine() == "aarch64":
        return f"on a Jetson NVIDIA's own wheel for its JetPack (a plain one sees no GPU); elsewhere {pip} 'torch>=2.2'"
    return f"with a GPU {pip} 'torch>=2.2'; without one the CPU build from PyTorch's own index (README), 200 MB"


def _importable(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    # The clone's own folder stm_tracker_msgs, seen from its root, is a package without origin: not the built messages.
    return spec is not None and spec.origin is not None
