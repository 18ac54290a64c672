"""What camera and client write down for the report, as JSON."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.output_folder import write_new
from stm_tracker_ros.core.types import Box, Pixels, RotatedBox


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One image that the camera published; `playing` is False while it shows frame 0 and waits."""

    frame: int
    stamp_ns: int
    playing: bool


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One message of ~/detections: the image's stamp, the client's clock when it came, the valid box or None.

    box: the upright one; rotated: as it was in the message, None where that was upright.
    """

    stamp_ns: int
    arrival_ns: int
    box: Box | None
    score: float | None
    rotated: RotatedBox | None = None


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
    """Everything that the client heard, in order. masks: of ~/mask, by the image's stamp, as PNG in base64."""

    rmw: str
    answers: Sequence[Answer] = field(default_factory=list)
    heartbeats: Sequence[Heartbeat] = field(default_factory=list)
    masks: Mapping[int, str] = field(default_factory=dict)

    def mask(self, stamp_ns: int) -> Pixels | None:
        """The mask of the image with that stamp, height x width uint8, 0 or 255; None where none was heard."""
        if stamp_ns not in self.masks:
            return None
        data = np.frombuffer(b64decode(self.masks[stamp_ns]), np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)  # type: ignore[return-value]


def pack_mask(mask: Pixels) -> str:
    """A mask as `ClientRecord.masks` holds it, one bit a pixel before compression."""
    return b64encode(cv2.imencode(".png", mask, (cv2.IMWRITE_PNG_BILEVEL, 1))[1].tobytes()).decode("ascii")


def write(path: Path, record: CameraRecord | ClientRecord) -> None:
    """Write a record as JSON. Raises DataError if `path` exists or cannot be written."""
    write_new(path, json.dumps(asdict(record)).encode("utf-8"))


def read_camera(path: Path) -> CameraRecord:
    """The camera's record. Raises DataError if there is none."""
    return CameraRecord(shots=[Shot(**shot) for shot in _read(path)["shots"]])


def read_client(path: Path) -> ClientRecord:
    """The client's record. Raises DataError if there is none."""
    content = _read(path)
    answers = [_answer(**answer) for answer in content["answers"]]
    heartbeats = [Heartbeat(**heartbeat) for heartbeat in content["heartbeats"]]
    masks = {int(stamp): mask for stamp, mask in content["masks"].items()}
    return ClientRecord(rmw=content["rmw"], answers=answers, heartbeats=heartbeats, masks=masks)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a record of the demo: {error}") from None
    return content


def _answer(*, box: Sequence[float] | None, rotated: Sequence[float] | None, **others: Any) -> Answer:
    upright = None if box is None else Box(*box)
    return Answer(box=upright, rotated=None if rotated is None else RotatedBox(*rotated), **others)
