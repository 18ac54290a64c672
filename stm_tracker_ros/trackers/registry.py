"""The table of trackers: name -> what builds it, imported on demand."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from stm_tracker_ros.core.compute import Compute, checked_threads
from stm_tracker_ros.core.config import unknown_name
from stm_tracker_ros.core.errors import CheckpointError, ConfigError
from stm_tracker_ros.core.protocol import Tracker

WEIGHTS_FOLDER = Path(__file__).resolve().parent.parent / "weights"


@dataclass(frozen=True, kw_only=True)
class TrackerEntry:
    """One row of the table.

    factory: "module:function" that takes (name, weights path, Compute, configuration) and returns a Tracker.
    configuration: "module:name" of the default configuration object.
    harmless_precisions: what `auto` may take, the fastest first: measured to cost at most 0.005 AUC on validation.
    converter: "module:function" that takes (the authors' file, our file to write); empty where there is none.
    """

    name: str
    factory: str
    configuration: str
    has_mask: bool = False
    harmless_precisions: tuple[str, ...] = ()
    converter: str = ""

    @property
    def default_config(self) -> Any:
        """The frozen configuration dataclass with this tracker's defaults."""
        return _imported(self.configuration)

    @property
    def shipped_weights(self) -> Path | None:
        """The weights in the package, or None if there are none."""
        path = WEIGHTS_FOLDER / f"{self.name}.safetensors"
        return path if path.is_file() else None

    def from_checkpoint(
        self,
        weights: Path | None = None,
        *,
        device: str = "cpu",
        precision: str = "auto",
        plain: bool = False,
        config: Any = None,
    ) -> Tracker:
        """Build the tracker; `weights` None takes the shipped ones, `config` None the defaults.

        device, precision, plain: as in `core.compute.Compute`. Raises CheckpointError where there are no weights or
        they do not fit, DeviceError where the device is absent, ConfigError for a precision that it cannot do.
        """
        path = weights or self.shipped_weights
        if path is None:
            raise CheckpointError(self._without_weights())
        asked = Compute(device=device, precision=precision, plain=plain)
        compute = replace(asked, precision="fp32" if plain else self.precision_on(device, precision))
        built = _imported(self.factory)(self.name, Path(path), compute, config or self.default_config)
        return cast(Tracker, built)

    def _without_weights(self) -> str:
        shipped = ", ".join(entry.name for entry in _TABLE.values() if entry.shipped_weights)
        convert = f", or from the authors' own by `stm_tracker convert {self.name}`" if self.converter else ""
        return (
            f"no weights come with {self.name!r}; give a file: made by `stm_tracker train {self.name}`{convert}; "
            f"those that come with theirs: {shipped}"
        )

    def precision_on(self, device: str, precision: str = "auto") -> str:
        """The name of the precision in use on that device. Raises DeviceError, or ConfigError for one it cannot do."""
        module = importlib.import_module("stm_tracker_ros.parts.precision")
        where = importlib.import_module("stm_tracker_ros.parts.device").resolve(device)
        return str(module.choose(precision, where, self.harmless_precisions))

    def convert(self, source: Path, target: Path) -> None:
        """Write a checkpoint from the authors' file. Raises CheckpointError if that does not fit, ConfigError if there
        is no converter for this tracker.
        """
        if not self.converter:
            raise ConfigError(
                f"{self.name!r} has no weights of its authors; train it by `stm_tracker train {self.name}`"
            )
        _imported(self.converter)(source, target)


_STMTRACK = "stm_tracker_ros.trackers.stmtrack"
_DMB = "stm_tracker_ros.trackers.dmb"
_TABLE = {
    entry.name: entry
    for entry in (
        TrackerEntry(
            name="stmtrack_lite",
            factory=f"{_STMTRACK}.build:from_checkpoint",
            configuration=f"{_STMTRACK}.config:LITE",
            harmless_precisions=("bf16",),
        ),
        TrackerEntry(
            name="stmtrack",
            factory=f"{_STMTRACK}.build:from_checkpoint",
            configuration=f"{_STMTRACK}.config:PAPER",
            converter=f"{_STMTRACK}.convert:convert",
        ),
        TrackerEntry(
            name="dmb_lite",
            factory=f"{_DMB}.build:from_checkpoint",
            configuration=f"{_DMB}.config:LITE",
            has_mask=True,
            harmless_precisions=("bf16",),
        ),
        TrackerEntry(
            name="dmb",
            factory=f"{_DMB}.build:from_checkpoint",
            configuration=f"{_DMB}.config:PAPER",
            has_mask=True,
        ),
    )
}


def names() -> tuple[str, ...]:
    """All trackers."""
    return tuple(_TABLE)


def load(name: str) -> TrackerEntry:
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


def _imported(place: str) -> Any:
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)
