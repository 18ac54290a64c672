"""The files of an evaluation, checked before the first one is written: none is the user's, none lies among the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.output_folder import PART_SUFFIX, OutputFolder
from stm_tracker_ros.data.sequence import TRUTH_NAME
from stm_tracker_ros.evaluation.mask_files import FOLDER_NAME
from stm_tracker_ros.evaluation.realtime import FLIGHT_NAME
from stm_tracker_ros.evaluation.run_settings import SETTINGS_NAME, refuse_others
from stm_tracker_ros.evaluation.trajectory import TIMES_NAME, TRAJECTORY_NAME

SUMMARY_NAME = "summary.json"
SCORE_NAME = "score.json"
"""Of a run whose score takes more than its trajectory and the true boxes."""
STEPS_NAME = "steps.json"
"""Of a sequence that was looked at one step at a time."""
SIGHTS_NAME = "sights.json"
"""Of a run that a calibration is fitted on."""
SEQUENCE_FILES = (
    *(TRAJECTORY_NAME, TRAJECTORY_NAME + PART_SUFFIX, TIMES_NAME),
    *(FLIGHT_NAME, SCORE_NAME, STEPS_NAME, SIGHTS_NAME),
)


def check(
    out: Path,
    data: Path,
    names: Iterable[str],
    inputs: Iterable[Path] = (),
    folders: Iterable[Path] = (),
    also: Iterable[str] = (),
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Check the folder `out` of an evaluation of the sequences `names` ("source/sequence") of `data`.

    inputs: what else is read; folders: those that the sequences consist of; also: more files of the report; settings:
    those that are known so far. Raises DataError where something of the user's would be overwritten or mixed up, and
    for results of other settings.
    """
    inputs = (data, *inputs)
    _refuse_among_sequences(out, data, folders)
    files = OutputFolder(out).check((SUMMARY_NAME, SETTINGS_NAME, *also), inputs=inputs)
    # First, for results of other settings may lie otherwise, and would be taken for files of the user's.
    refuse_others(out, settings)
    for name in names:
        files.below(name).check(SEQUENCE_FILES, (FOLDER_NAME,), inputs)


def _refuse_among_sequences(out: Path, data: Path, folders: Iterable[Path]) -> None:
    """`out` may lie in `data`, beside its sources, but not in a folder that sequences are read from."""
    place = out.resolve()
    roots = (data, *(data / name for name in ("eval", "train_video")))
    truths = (truth for root in roots for truth in root.glob(f"*/*/{TRUTH_NAME}"))
    sources = (folder for truth in truths for folder in (truth.parent, truth.parent.parent))
    for folder in (*folders, *sources):
        if place.is_relative_to(folder.resolve()):
            raise DataError(f"{out} lies in {folder}, among the sequences; give a folder outside of them")
