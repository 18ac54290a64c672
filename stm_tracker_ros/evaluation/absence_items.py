"""The made absences as pieces of work of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.data.absences.makers import absence_sequences, development_set
from stm_tracker_ros.data.absences.plan import AFTER_FRAMES, BEFORE_FRAMES, Kind, conditions_of, name_of
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation.absences import absence_table, read_score, run_absence, summarise_absences
from stm_tracker_ros.evaluation.run_files import SCORE_NAME
from stm_tracker_ros.evaluation.work import Measurement


@dataclass(frozen=True, kw_only=True)
class AbsenceItem:
    """The made absence of a kind and a seed as a piece of work."""

    kind: Kind
    seed: int
    data_root: Path
    state_config: StateConfig

    @property
    def name(self) -> str:
        """As of the sequences on disk."""
        return name_of(self.kind, self.seed)

    @property
    def frames(self) -> int:
        """About how many it has: those of its pans are known only when it is made."""
        return BEFORE_FRAMES + conditions_of(self.kind, self.seed).away_frames + AFTER_FRAMES

    def run(self, tracker: Tracker, folder: Path) -> Iterator[int]:
        """Make the absence and follow its target; writes trajectory, masks and score."""
        (made,) = absence_sequences(self.data_root, [self.kind], [self.seed])
        return run_absence(tracker, made, folder, state_config=self.state_config)

    def is_finished(self, folder: Path) -> bool:
        """Whether `folder` holds its score, which is written last."""
        return (folder / SCORE_NAME).is_file()


def measurement(data_root: Path, kinds: Rows[Kind], seeds: Rows[int], state_config: StateConfig) -> Measurement:
    """The made absences of these kinds and seeds, from `data_root`/eval and `data_root`/train_video.

    Sequences of these that cannot be read are failures. Raises DataError if there are none.
    """
    failed: dict[str, str] = {}
    development_set(data_root, failed)
    items = [
        AbsenceItem(kind=kind, seed=seed, data_root=data_root, state_config=state_config)
        for kind in kinds
        for seed in seeds
    ]
    return Measurement(
        items=items,
        summarise=partial(_summarise, items=items),
        table=absence_table,
        failed=failed,
        item_kind="absences and sequences",
    )


def _summarise(out: Path, failed: Mapping[str, str], *, items: Rows[AbsenceItem]) -> dict[str, Any]:
    finished = [item for item in items if item.name not in failed and item.is_finished(out / item.name)]
    return {
        **summarise_absences([read_score(out / item.name / SCORE_NAME) for item in finished]),
        "failed": dict(failed),
    }
