"""Tensors out of a tfjs layers model: a folder with `model.json` and the shards that it lists."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stm_tracker_ros.core.errors import CheckpointError

MODEL_NAME = "model.json"
BYTES_OF_NUMBER = 4


def tensors(folder: Path) -> dict[str, Tensor]:
    """All weights by name, in tfjs's shapes. Raises CheckpointError if the model or a shard is missing or damaged."""
    found: dict[str, Tensor] = {}
    try:
        model = json.loads((folder / MODEL_NAME).read_text(encoding="utf-8"))
        for group in model["weightsManifest"]:
            shards = [(folder / Path(name).name).read_bytes() for name in group["paths"]]
            found |= _split(group["weights"], b"".join(shards))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder} cannot be read as a tfjs layers model ({error}); allowed is {MODEL_NAME} with all its shards"
        ) from None
    return found


def files(folder: Path) -> list[Path]:
    """The files of the model, in a fixed order."""
    return [folder / MODEL_NAME, *sorted(folder.glob("*.bin"))]


def _split(weights: list[dict[str, Any]], content: bytes) -> dict[str, Tensor]:
    found, start = {}, 0
    for weight in weights:
        if weight["dtype"] != "float32" or "quantization" in weight:
            raise ValueError(f"{weight['name']} is of {weight['dtype']} or quantised; allowed is plain float32")
        count = math.prod(weight["shape"])
        values = np.frombuffer(content, "<f4", count, start).reshape(weight["shape"])
        found[weight["name"]] = torch.from_numpy(values.astype(np.float32))
        start += count * BYTES_OF_NUMBER
    return found
