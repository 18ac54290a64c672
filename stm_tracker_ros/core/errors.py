"""Errors that name the value and what is allowed."""


class StmTrackerError(Exception):
    """Whatever this package refuses; its text is meant for the operator."""


class ConfigError(StmTrackerError, ValueError):
    """A setting that does not exist, has the wrong type, or lies outside its range."""


class TargetError(StmTrackerError, ValueError):
    """A target that cannot be followed: outside the image, too small, not finite, wrong mask size."""


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


class TrainingError(StmTrackerError, RuntimeError):
    """A training that cannot go on: its loss is no longer a number."""
