"""Errors that name the value and what is allowed."""

from __future__ import annotations

from enum import Enum


class StmTrackerError(Exception):
    """Whatever this package refuses; its text is meant for the operator."""


class ConfigError(StmTrackerError, ValueError):
    """A setting that does not exist, has the wrong type, or lies outside its range."""


class TargetFault(Enum):
    """What is wrong with a target; the names are those of SetTarget.srv's codes."""

    BOX_OR_MASK = "not exactly one of box and mask"
    NOT_FINITE = "not finite"
    TOO_SMALL = "too small"
    OUTSIDE_IMAGE = "outside the image"
    MASK_SIZE = "a mask of another size"
    BAD_REQUEST = "not a target"


class TargetError(StmTrackerError, ValueError):
    """A target that cannot be followed, with its `fault`."""

    def __init__(self, message: str, fault: TargetFault = TargetFault.BAD_REQUEST) -> None:
        super().__init__(message)
        self.fault = fault


class FrameError(StmTrackerError, ValueError):
    """An image that cannot be used: wrong shape, type, encoding or length."""


class NotInitialisedError(StmTrackerError, RuntimeError):
    """`track` or `memorize` before `init`."""


class CheckpointError(StmTrackerError, ValueError):
    """A weights file that is missing, damaged or made for something else."""


class DeviceError(StmTrackerError, RuntimeError):
    """A device that does not exist here, or has no memory left."""


class LibraryError(StmTrackerError, ImportError):
    """A Python library that is needed and missing, or that is there and cannot be loaded."""


class ProcessError(StmTrackerError, RuntimeError):
    """A tracker copied, pickled, or used in another process than the one that loaded it."""


class DataError(StmTrackerError, ValueError):
    """A sequence, video or annotation that cannot be read; a place where results cannot or must not be written."""


class OutputError(DataError):
    """A place where results cannot or must not be written."""


class TrainingError(StmTrackerError, RuntimeError):
    """A training that cannot go on: its loss is no longer a number."""
