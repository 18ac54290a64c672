"""How good are these weights? One pass over the validation sequences, where every choice is made."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from stm_tracker_ros.core.metrics import sequence_scores
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Target
from stm_tracker_ros.data.sequence import VALIDATION, Sequence, read_validation
from stm_tracker_ros.training.loop import Validate

logger = logging.getLogger(__name__)


def where_found(validate: Validate, data: Path) -> Validate | None:
    """The same, or None and a warning where no validation sequence lies under `data`.

    Raises DataError if an annotation of one cannot be read.
    """
    if read_validation(data):
        return validate
    logger.warning(
        "%s holds none of the sequences for validation, such as %s: the weights are not scored while they are trained "
        "(validate_minutes=0 says that this is meant)",
        data / "train_video",
        VALIDATION[0],
    )
    return None


def score(tracker: Tracker, data: Path) -> dict[str, float]:
    """Mean success AUC, and that of each validation sequence found under `data`, of which there is one at least."""
    scores = {sequence.name: _auc(tracker, sequence) for sequence in read_validation(data)}
    return {"success_auc": round(float(np.mean(list(scores.values()))), 4), **scores}


def _auc(tracker: Tracker, sequence: Sequence) -> float:
    answers: list[Box] = []
    stream = sequence.frames()
    for frame, _ in zip(stream, sequence.boxes, strict=False):
        if not answers:
            answers.append(tracker.init(frame, Target(box=sequence.first_box)).box)
            continue
        answers.append(tracker.track(frame).box)
        tracker.memorize()
    stream.close()
    return round(sequence_scores(answers, sequence.boxes[: len(answers)])["success_auc"], 4)
