"""What a training leaves behind: its curve and its weights."""

from __future__ import annotations

import json
import sys
from typing import Any

from stm_tracker_ros.trackers import checkpoint
from stm_tracker_ros.training import curve
from stm_tracker_ros.training.loop import Loop


def write(loop: Loop, tracker: str, network_config: Any) -> None:
    """Write `<tracker>.safetensors` with command, settings and time, and `curve.png` into the folder of the run."""
    provenance = {
        "command": " ".join(sys.argv),
        "steps": loop.step,
        "minutes": round(loop.seconds / 60, 1),
        "settings": json.loads((loop.out / "config.json").read_text()),
    }
    weights = loop.out / f"{tracker}.safetensors"
    checkpoint.save(weights, tracker, network_config, loop.weights, json.dumps(provenance))
    curve.draw(loop.out / "log.jsonl", loop.out / "curve.png")
