"""The table of trackers: a row is all that the house knows of one."""

from __future__ import annotations

import importlib
from pathlib import Path

from stm_tracker_ros.core.compute import checked_threads
from stm_tracker_ros.core.config import unknown_name
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.trackers.spec import TrackerSpec

_STMTRACK, _DMB = "stm_tracker_ros.trackers.stmtrack", "stm_tracker_ros.trackers.dmb"
_DMV = "stm_tracker_ros.trackers.dmv"
_SIAMSTM = "stm_tracker_ros.trackers.siamstm"
_TRAINING = "stm_tracker_ros.training"
_ROWS = (
    TrackerSpec(
        name="stmtrack_lite",
        build=f"{_STMTRACK}.build:from_checkpoint",
        configuration=f"{_STMTRACK}.config:LITE",
        small_network=f"{_STMTRACK}.small:lite",
        recipe=f"{_TRAINING}.stmtrack.lite_recipe",
        harmless_precisions=("bf16",),
    ),
    TrackerSpec(
        name="stmtrack",
        build=f"{_STMTRACK}.build:from_checkpoint",
        configuration=f"{_STMTRACK}.config:PAPER",
        small_network=f"{_STMTRACK}.small:paper",
        recipe=f"{_TRAINING}.stmtrack.paper_recipe",
        converter=f"{_STMTRACK}.convert:convert",
    ),
    TrackerSpec(
        name="dmb_lite",
        build=f"{_DMB}.build:from_checkpoint",
        configuration=f"{_DMB}.config:LITE",
        small_network=f"{_DMB}.small:lite",
        recipe=f"{_TRAINING}.dmb.lite_recipe",
        has_mask=True,
        harmless_precisions=("bf16",),
    ),
    TrackerSpec(
        name="dmb",
        build=f"{_DMB}.build:from_checkpoint",
        configuration=f"{_DMB}.config:PAPER",
        small_network=f"{_DMB}.small:paper",
        recipe=f"{_TRAINING}.dmb.paper_recipe",
        has_mask=True,
    ),
    TrackerSpec(
        name="dmv_lite",
        build=f"{_DMV}.build:from_checkpoint",
        configuration=f"{_DMV}.config:LITE",
        small_network=f"{_DMV}.small:lite",
        recipe=f"{_TRAINING}.dmv.lite_recipe",
    ),
    TrackerSpec(
        name="dmv",
        build=f"{_DMV}.build:from_checkpoint",
        configuration=f"{_DMV}.config:PAPER",
        small_network=f"{_DMV}.small:paper",
        recipe=f"{_TRAINING}.dmv.paper_recipe",
    ),
    TrackerSpec(
        name="siamstm_lite",
        build=f"{_SIAMSTM}.build:from_checkpoint",
        configuration=f"{_SIAMSTM}.config:LITE",
        small_network=f"{_SIAMSTM}.small:lite",
        recipe=f"{_TRAINING}.siamstm.lite_recipe",
        has_mask=True,
        harmless_precisions=("bf16",),
    ),
    TrackerSpec(
        name="siamstm",
        build=f"{_SIAMSTM}.build:from_checkpoint",
        configuration=f"{_SIAMSTM}.config:PAPER",
        small_network=f"{_SIAMSTM}.small:paper",
        recipe=f"{_TRAINING}.siamstm.paper_recipe",
        has_mask=True,
    ),
)
_TABLE = {row.name: row for row in _ROWS}


def names() -> tuple[str, ...]:
    """All trackers."""
    return tuple(_TABLE)


def described() -> str:
    """All trackers in words, for help: their names, and which give a mask."""
    return ", ".join(f"{spec.name} (with mask)" if spec.has_mask else spec.name for spec in _TABLE.values())


def load(name: str) -> TrackerSpec:
    """The row of that name. Raises ConfigError, which names the nearest one."""
    if isinstance(name, (str, Path)) and str(name).endswith(".safetensors"):
        raise ConfigError(f"tracker {str(name)!r} is a weights file; allowed are {', '.join(_TABLE)}, with `weights`")
    if not isinstance(name, str) or name not in _TABLE:
        raise ConfigError(unknown_name("tracker", name, _TABLE))
    return _TABLE[name]


def device_name(device: str) -> str:
    """What `auto`, `cpu`, `cuda` or `cuda:N` stands for here. Raises DeviceError for one that is absent."""
    return str(importlib.import_module("stm_tracker_ros.parts.device").resolve(device))


def set_threads(count: int) -> None:
    """Let torch and OpenCV use `count` threads each in this process. Raises ConfigError for a number not allowed."""
    count = checked_threads(count)
    importlib.import_module("torch").set_num_threads(count)
    importlib.import_module("cv2").setNumThreads(count)
