"""What a training leaves behind: its curve and its weights."""

from __future__ import annotations

import json
import sys
from typing import Any

from stm_tracker_ros.trackers import checkpoint
from stm_tracker_ros.training import curve, run_files
from stm_tracker_ros.training.loop import Loop


def write(loop: Loop, tracker: str, network_config: Any) -> None:
    """Write `<tracker>.safetensors` with command, settings and time, and `curve.png` into the folder of the run."""
    provenance = {
        "command": " ".join(sys.argv),
        "steps": loop.step,
        "minutes": round(loop.seconds / 60, 1),
        "settings": json.loads((loop.out / run_files.CONFIG).read_text()),
    }
    weights = checkpoint.encoded(tracker, network_config, loop.weights, json.dumps(provenance))
    loop.files.write(run_files.weights_name(tracker), weights)
    with loop.files.new(run_files.CURVE) as picture:
        curve.draw(loop.out / run_files.LOG, picture)
