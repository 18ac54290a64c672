"""Multi-start evaluation: every sequence several times, from anchors spread over it (data/starts.py)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from stm_tracker_ros.data.sequence import Sequence
from stm_tracker_ros.data.starts import LEAST_SCORED, runs_of
from stm_tracker_ros.evaluation.one_pass import Options, SequenceItem
from stm_tracker_ros.evaluation.report import summarise_starts, table
from stm_tracker_ros.evaluation.work import Measurement


def measurement(sequences: list[Sequence], starts: int, options: Options) -> Measurement:
    """The runs from `starts` anchors of every sequence; one without any is a failure."""
    runs = {sequence.name: runs_of(sequence, starts, options.max_frames) for sequence in sequences}
    each = replace(options, max_frames=None)  # the runs have been cut already
    nothing = f"none of its starts is followed by {LEAST_SCORED} frames that can be scored"
    return Measurement(
        items=[SequenceItem(sequence=run, options=each) for found in runs.values() for run in found],
        summarise=partial(summarise_starts, sequences=sequences, runs=runs),
        table=table,
        failed={name: nothing for name, found in runs.items() if not found},
        read_from=[folder for sequence in sequences for folder in sequence.read_from],
        item_kind="runs",
    )
