"""How good are these weights? One pass over the validation sequences, where every choice is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from stm_tracker_ros.core.metrics import sequence_scores
from stm_tracker_ros.core.types import Box, Target
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.data.sequence import VALIDATION, Sequence, read_sequences
from stm_tracker_ros.trackers.stmtrack.config import LITE
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork
from stm_tracker_ros.trackers.stmtrack.stepper import Stepper
from stm_tracker_ros.trackers.stmtrack.tracker import StmTracker


def score(network: LiteNetwork, data: Path, device: torch.device) -> dict[str, float]:
    """Mean success AUC, and that of each validation sequence found under `data`."""
    tracker = StmTracker(Stepper(network, device), LITE)
    sequences = read_sequences(data / "train_video", VALIDATION)
    scores = {sequence.name: _auc(tracker, sequence) for sequence in sequences}
    return {"success_auc": round(float(np.mean(list(scores.values()))), 4), **scores}


def _auc(tracker: StmTracker, sequence: Sequence) -> float:
    answers: list[Box] = []
    stream = frames(sequence.video)
    for frame, _ in zip(stream, sequence.boxes, strict=False):
        if not answers:
            answers.append(tracker.init(frame, Target(box=sequence.first_box)).box)
            continue
        answers.append(tracker.track(frame).box)
        tracker.memorize()
    stream.close()
    return round(sequence_scores(answers, sequence.boxes[: len(answers)])["success_auc"], 4)
