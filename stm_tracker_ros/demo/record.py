"""What camera and client write down for the report, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One image that the camera published; `playing` is False while it shows frame 0 and waits."""

    frame: int
    stamp_ns: int
    playing: bool


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One message of ~/detections: the image's stamp, the client's clock when it came, the valid box or None."""

    stamp_ns: int
    arrival_ns: int
    box: Box | None
    score: float | None


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """One message of ~/status: the counters after the image of that stamp."""

    image_stamp_ns: int
    state: str
    confidence: float
    received: int
    tracked: int
    drops: Mapping[str, int]
    message: str


@dataclass(frozen=True, kw_only=True)
class CameraRecord:
    """Everything that the camera published, in order."""

    shots: Sequence[Shot] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ClientRecord:
    """Everything that the client heard, in order."""

    rmw: str
    answers: Sequence[Answer] = field(default_factory=list)
    heartbeats: Sequence[Heartbeat] = field(default_factory=list)


def write(path: Path, record: CameraRecord | ClientRecord) -> None:
    """Write a record as JSON, whole or not at all."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(asdict(record)), encoding="utf-8")
    unfinished.replace(path)


def read_camera(path: Path) -> CameraRecord:
    """The camera's record. Raises DataError if there is none."""
    return CameraRecord(shots=[Shot(**shot) for shot in _read(path)["shots"]])


def read_client(path: Path) -> ClientRecord:
    """The client's record. Raises DataError if there is none."""
    content = _read(path)
    answers = [Answer(**{**answer, "box": _box(answer["box"])}) for answer in content["answers"]]
    heartbeats = [Heartbeat(**heartbeat) for heartbeat in content["heartbeats"]]
    return ClientRecord(rmw=content["rmw"], answers=answers, heartbeats=heartbeats)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a record of the demo: {error}") from None
    return content


def _box(values: Sequence[float] | None) -> Box | None:
    return None if values is None else Box(*values)
