"""Checkpoints: safetensors with the tracker's name, its network's configuration and where it comes from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as encode
from torch import Tensor, nn

from stm_tracker_ros.core.config import rebuilt
from stm_tracker_ros.core.errors import CheckpointError, ConfigError
from stm_tracker_ros.core.output_folder import write_new
from stm_tracker_ros.following.calibration import Calibration

logger = logging.getLogger(__name__)

FORMAT_VERSION = "2"
# Version 1: the field `trunk` named the backbone, which told the kind of network; tensors of backbones were a trunk's.
OLD_VERSION = "1"
KIND_OF_TRUNK = {"mobilenet_v2": "lite", "inception_v3": "paper", "resnet50": "paper"}
OLD_FIELDS = ("first_weight",)  # of networks; now the setting memory.first_weight of trackers
OLD_TENSOR = re.compile(r"^(memory_|query_|)trunk\.")
CALIBRATED = "; score calibrated: "
"""In a provenance, before what is said of the calibration."""


class Checkpoint(NamedTuple):
    """What a file holds: tracker name, kind of its network (`KIND` of the configuration class), the configuration's
    fields, provenance in words, tensors by name, and what makes a probability of the score (None: it is answered as
    it is).
    """

    tracker: str
    kind: str
    network: dict[str, Any]
    provenance: str
    tensors: dict[str, Tensor]
    calibration: Calibration | None = None


def save(path: Path, tracker: str, network: Any, tensors: Mapping[str, Tensor], provenance: str) -> None:
    """Write a checkpoint; `network` is the configuration dataclass of the network.

    Raises DataError if `path` exists or cannot be written.
    """
    write_new(path, encoded(tracker, network, tensors, provenance))


def encoded(tracker: str, network: Any, tensors: Mapping[str, Tensor], provenance: str) -> bytes:
    """A checkpoint as a file holds it."""
    metadata = {
        "format_version": FORMAT_VERSION,
        "tracker": tracker,
        "network": network.KIND,
        "network_config": json.dumps(dataclasses.asdict(network)),
        "provenance": provenance,
    }
    return encode({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, metadata)


def calibrated(path: Path, tracker: str, calibration: Calibration, words: str) -> bytes:
    """The checkpoint at `path` with this calibration, in place of one that it may have; its tensors stay as they are.

    words: what is said of the calibration in the provenance. Raises CheckpointError as `read`.
    """
    read(path, tracker)
    with safe_open(path, "pt") as file:
        metadata = dict(file.metadata())
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no plain iteration)
    before, *_ = metadata.get("provenance", "").partition(CALIBRATED)
    metadata |= {"calibration": json.dumps(calibration.content), "provenance": f"{before}{CALIBRATED}{words}"}
    return encode(tensors, metadata)


def read(path: Path, *trackers: str) -> Checkpoint:
    """Read a checkpoint of one of these trackers. Raises CheckpointError if it is missing, damaged or of another."""
    with _opened(path) as file:
        metadata = _checked(file.metadata() or {}, path, trackers)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no plain iteration)
    kind, network = _network(metadata, path)
    words, calibration = metadata.get("provenance", ""), _calibration(metadata, path)
    return Checkpoint(metadata["tracker"], kind, network, words, present_names(tensors), calibration)


def network_config(path: Path, tracker: str, config_class: type[Any]) -> Any:
    """The configuration of the network that a checkpoint of `tracker` is of; its tensors are not read.

    Raises CheckpointError as `read`, and where it is of another kind of network or describes one that is unknown.
    """
    with _opened(path) as file:
        kind, fields = _network(_checked(file.metadata() or {}, path, (tracker,)), path)
    _refuse_unknown(kind, path, (config_class.KIND,))
    with _understood(path):
        return rebuilt(config_class, fields)


def present_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under the names that networks give them now, whatever version they are from."""
    return {OLD_TENSOR.sub(r"\1backbone.", name): tensor for name, tensor in tensors.items()}


def network_of(stored: Checkpoint, path: Path, kinds: Mapping[str, tuple[type[Any], type[nn.Module]]]) -> Any:
    """The network that the checkpoint describes, with its weights in fp32.

    path: the file, for messages; kinds: kind of network -> classes of configuration and network. Raises CheckpointError
    where the description is unknown or the weights do not fit.
    """
    _refuse_unknown(stored.kind, path, kinds)
    config_class, network_class = kinds[stored.kind]
    with _understood(path):
        network = network_class(rebuilt(config_class, stored.network))
    tensors = {name: value.float() if value.is_floating_point() else value for name, value in stored.tensors.items()}
    if wrong := misfit(network.state_dict(), tensors):
        raise CheckpointError(f"weights {path} do not fit their network: {wrong}")
    network.load_state_dict(tensors)
    return network


def misfit(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """The first tensor of `given` that is missing, has another shape or nobody asked for; empty if all fit."""
    for name, tensor in expected.items():
        if name not in given:
            return f"{name!r} is missing"
        if given[name].shape != tensor.shape:
            return f"{name!r} has shape {tuple(given[name].shape)}; needed is {tuple(tensor.shape)}"
    return next((f"{name!r} is not known" for name in given if name not in expected), "")


def sha256(path: Path) -> str:
    """Fingerprint of a weights file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file to read. Raises CheckpointError if it is missing or damaged, in the block as well."""
    if not path.is_file():
        what = "are a folder" if path.is_dir() else "do not exist"
        raise CheckpointError(f"weights {path} {what}; give a safetensors file made by `stm_tracker train`")
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"weights {path} cannot be read ({error}); allowed is a whole safetensors file: what authors publish "
            "becomes one by `stm_tracker convert`"
        ) from None


def _checked(metadata: Mapping[str, str], path: Path, trackers: tuple[str, ...]) -> Mapping[str, str]:
    """The same. Raises CheckpointError if it is of a format or a tracker that is not wanted."""
    version, made_for = metadata.get("format_version"), metadata.get("tracker")
    if version not in (OLD_VERSION, FORMAT_VERSION):
        allowed = f"{OLD_VERSION} and {FORMAT_VERSION}"
        raise CheckpointError(f"weights {path} have format version {version}; allowed are {allowed}")
    if made_for not in trackers:
        needed = " or ".join(map(repr, trackers))
        raise CheckpointError(f"weights {path} are for tracker {made_for!r}; needed are some for {needed}")
    return metadata


def _network(metadata: Mapping[str, str], path: Path) -> tuple[str, dict[str, Any]]:
    """Kind of network and fields of its configuration. Raises CheckpointError if there are none."""
    try:
        if metadata["format_version"] == FORMAT_VERSION:
            return metadata["network"], dict(json.loads(metadata["network_config"]))
        old = dict(json.loads(metadata["network"]))
        fields = {name: value for name, value in old.items() if name not in OLD_FIELDS}
        backbone = fields.pop("trunk", next(iter(KIND_OF_TRUNK)))
        return KIND_OF_TRUNK.get(backbone, "lite"), {"backbone": backbone, **fields}
    except (ValueError, TypeError, KeyError):
        raise CheckpointError(f"weights {path} do not say what network they are for") from None


def _refuse_unknown(kind: str, path: Path, kinds: Collection[str]) -> None:
    if kind not in kinds:
        raise CheckpointError(f"weights {path} are of a network {kind!r}; allowed are {', '.join(kinds)}")


@contextmanager
def _understood(path: Path) -> Iterator[None]:
    """What a network's description breaks in the block as a CheckpointError."""
    try:
        yield
    except (TypeError, ConfigError) as error:
        raise CheckpointError(f"weights {path} describe a network that is not known here: {error}") from None


def _calibration(metadata: Mapping[str, str], path: Path) -> Calibration | None:
    if "calibration" not in metadata:
        logger.warning(
            "weights %s have no calibration: their score is the network's own, no probability, and the states' "
            "thresholds are not made for it (docs/NODE.md); `stm_tracker calibrate` makes one",
            path,
        )
        return None
    try:
        return Calibration.of(json.loads(metadata["calibration"]))
    except (ValueError, ConfigError) as error:
        raise CheckpointError(
            f"weights {path} have a calibration that cannot be used ({error}); make another by `stm_tracker calibrate`"
        ) from None
