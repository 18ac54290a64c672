"""A training to its end, and what it leaves behind: its curve and its weights."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from stm_tracker_ros.trackers import checkpoint
from stm_tracker_ros.training import curve, run_files, validation
from stm_tracker_ros.training.loop import Loop, Validate


def run(loop: Loop, tracker: str, network_config: Any, validate: Validate, data: Path) -> None:
    """Run the loop; leaves `<tracker>.safetensors` with command, settings and time, and `curve.png` in its folder.

    validate: scores weights on what is found under `data`. The weights are written before they are scored for the last
    time: whatever happens there does not cost them. Raises DataError where a validation sequence cannot be read.
    """
    scored = validation.where_found(validate, data) if loop.config.validate_minutes else None
    loop.run(scored, partial(_write_weights, loop, tracker, network_config))
    with loop.files.new(run_files.CURVE) as picture:
        curve.draw(loop.out / run_files.LOG, picture)


def _write_weights(loop: Loop, tracker: str, network_config: Any) -> None:
    provenance = {
        "command": " ".join(sys.argv),
        "steps": loop.step,
        "minutes": round(loop.seconds / 60, 1),
        "settings": json.loads((loop.out / run_files.CONFIG).read_text()),
    }
    weights = checkpoint.encoded(tracker, network_config, loop.weights, json.dumps(provenance))
    loop.files.write(run_files.weights_name(tracker), weights)
