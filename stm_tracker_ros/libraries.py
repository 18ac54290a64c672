"""The libraries that the package stands on: one sentence where one is missing or cannot be loaded."""

from __future__ import annotations

import importlib.util
import sys

from stm_tracker_ros.core.errors import LibraryError

# What is imported -> what pip calls it.
NEEDED = {"numpy": "numpy", "cv2": "'opencv-python<5'", "safetensors": "safetensors", "torch": "'torch>=2.2'"}


def check() -> None:
    """Raise LibraryError, with the command that helps, unless all that a tracker needs is there."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        packages = " ".join(NEEDED[name] for name in missing)
        command = f"{sys.executable} -m pip install {packages}"
        raise LibraryError(f"{sys.executable} cannot import {', '.join(missing)}; get what is missing by: {command}")
    check_opencv()


def check_opencv() -> None:
    """Load OpenCV: pip's build of it needs libGL, which a machine without a screen may not have.

    Raises LibraryError, with the command that helps.
    """
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        pip = f"{sys.executable} -m pip"
        raise LibraryError(
            f"OpenCV cannot be loaded ({error}); its build without windows, opencv-python-headless, serves as well and "
            f"needs no libGL: {pip} uninstall -y opencv-python && {pip} install 'opencv-python-headless<5'"
        ) from None
