"""What there is to know of one tracker: a record that is read by registry, training, launch files and tests.

Everything it names is a "module:name" that is imported when it is asked for: to look into the table loads no torch.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from stm_tracker_ros.core.compute import Compute
from stm_tracker_ros.core.errors import CheckpointError, ConfigError
from stm_tracker_ros.core.protocol import Tracker

WEIGHTS_FOLDER = Path(__file__).resolve().parent.parent / "weights"


@dataclass(frozen=True, kw_only=True)
class TrackerSpec:
    """One tracker, whole.

    build: "module:function" that takes (name, weights path, Compute, configuration) and returns a Tracker.
    configuration: "module:name" of the default configuration object.
    recipe: the module of its training, see `training.recipes.Recipe`; empty where there is none.
    small_network: "module:function" that gives its network at the smallest, with random weights, for tests.
    harmless_precisions: what `auto` may take, the fastest first: measured to cost at most 0.005 AUC (docs/RESULTS.md).
    converter: "module:function" that takes (the authors' file, our file to write); empty where there is none.
    """

    name: str
    build: str
    configuration: str
    small_network: str
    recipe: str = ""
    converter: str = ""
    has_mask: bool = False
    harmless_precisions: tuple[str, ...] = ()

    @property
    def default_config(self) -> Any:
        """The frozen configuration dataclass with this tracker's defaults."""
        return imported(self.configuration)

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
        built = imported(self.build)(self.name, Path(path), compute, config or self.default_config)
        return cast(Tracker, built)

    def _without_weights(self) -> str:
        trained = [f"made by `stm_tracker train {self.name}`"] if self.recipe else []
        converted = [f"from the authors' own by `stm_tracker convert {self.name}`"] if self.converter else []
        shipped = ", ".join(sorted(path.stem for path in WEIGHTS_FOLDER.glob("*.safetensors")))
        made = ", or ".join(trained + converted)
        return f"no weights come with {self.name!r}; give a file: {made}; those that come with theirs: {shipped}"

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
            train = f"; train it by `stm_tracker train {self.name}`" if self.recipe else ""
            raise ConfigError(f"{self.name!r} has no weights of its authors{train}")
        imported(self.converter)(source, target)


def imported(place: str) -> Any:
    """What a "module:name" stands for."""
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)
