"""From kind and seed to a made absence: which recording, drawn until it is as promised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import islice
from pathlib import Path

import numpy as np

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.absences.border import draw_border
from stm_tracker_ros.data.absences.look_away import draw_look_away
from stm_tracker_ros.data.absences.made import AbsenceSequence
from stm_tracker_ros.data.absences.painted import PAINTABLE, draw_painted, paint
from stm_tracker_ros.data.absences.plan import ABSENCE_SEEDS, Conditions, Kind, conditions_of
from stm_tracker_ros.data.absences.stage import Values, has_room, is_as_promised
from stm_tracker_ros.data.absences.twins import SIMILAR, draw_twin
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.data.sequence import VALIDATION, Sequence, read_sequences

DRAWS, MOST_PAINTED = 100, 3
# Objects that stand before the target, or an annotation that does not say where it is: the truth would be wrong.
UNFIT = (
    "OTB2015/Coke",  # behind leaves, as the next
    "OTB2015/Tiger1",
    "OTB2015/Jogging-1",  # behind a post
    "OTB2015/Jogging-2",
)

Draw = Callable[[Sequence, Values, Conditions, np.random.Generator], "AbsenceSequence | None"]


def development_set(data_root: Path | str, failed: dict[str, str] | None = None) -> list[Sequence]:
    """The sequences that absences are made of: `data_root`/eval, validation of /train_video. Raises DataError.

    failed: where to note those whose annotation or first frame cannot be read, name: why. The others are then drawn
    from, and an absence of a kind and a seed is not the one that all of them make.
    """
    scenes, unread = _development_set(Path(data_root))
    if failed is not None:
        failed.update({name: f"{why}; absences are made of the other sequences" for name, why in unread.items()})
    return list(scenes)


@cache
def _development_set(root: Path) -> tuple[tuple[Sequence, ...], dict[str, str]]:
    failed: dict[str, str] = {}
    read = read_sequences(root / "eval", None, failed), read_sequences(root / "train_video", VALIDATION, failed)
    scenes = [scene for found in read for scene in found]
    for scene in scenes:
        try:
            _frame_size(scene)
        except DataError as error:
            failed[scene.name] = str(error)
    return tuple(scene for scene in scenes if scene.name not in failed), failed


def absence_sequences(
    data_root: Path | str, kinds: Iterable[Kind] = tuple(Kind), seeds: Iterable[int] = ABSENCE_SEEDS
) -> Iterator[AbsenceSequence]:
    """The made absences of every kind and seed, made when they are asked for. Raises DataError without the data."""
    scenes, wanted = development_set(data_root), tuple(seeds)
    for kind in kinds:
        for seed in wanted:
            yield make(scenes, kind, seed)


def make(scenes: list[Sequence], kind: Kind, seed: int) -> AbsenceSequence:
    """The made absence of that kind and seed. Raises DataError if none of the scenes allows it."""
    conditions = conditions_of(kind, seed)
    rng = np.random.default_rng([2027, list(Kind).index(kind), seed])
    fit = [scene for scene in scenes if scene.name not in UNFIT and has_room(scene, _frame_size(scene))]
    if conditions.painted:
        fit = [scene for scene in fit if scene.name in PAINTABLE] or fit
    draw = _draw_of(conditions, scenes)
    for scene in _in_turn(fit, kind, seed):
        drawn = (draw(scene, _frame_size(scene), conditions, rng) for _ in range(DRAWS))
        promising = (made for made in drawn if made is not None and is_as_promised(made))
        # Painting is what takes time: a scene in which it fails so often will hardly allow it.
        for made in islice(promising, MOST_PAINTED if conditions.painted else None):
            if not conditions.painted or paint(made):
                return made
    raise DataError(f"none of {len(scenes)} sequences allows absence {kind.value} {seed}; needed is one that does")


def _draw_of(conditions: Conditions, scenes: list[Sequence]) -> Draw:
    if conditions.kind is Kind.TWIN_STAYS:
        return partial(_draw_twin, scenes)
    if conditions.painted:
        return draw_painted
    return draw_border if conditions.kind is Kind.BORDER else draw_look_away


def _draw_twin(
    scenes: list[Sequence], scene: Sequence, frame_size: Values, conditions: Conditions, rng: np.random.Generator
) -> AbsenceSequence | None:
    donors = [one for one in scenes if one.name in SIMILAR.get(scene.name, ())]
    return draw_twin(scene, frame_size, conditions, rng, donors)


def _in_turn(scenes: list[Sequence], kind: Kind, seed: int) -> list[Sequence]:
    """The scenes of small enough targets: another recording first for every seed of a kind, the rest at random."""
    by_recording: dict[str, list[Sequence]] = {}
    for scene in scenes:
        by_recording.setdefault(scene.recording, []).append(scene)
    if not scenes:
        return []
    names = np.random.default_rng([2028, list(Kind).index(kind)]).permutation(sorted(by_recording))
    first = names[seed % len(names)]
    others = np.random.default_rng([2029, list(Kind).index(kind), seed]).permutation([n for n in names if n != first])
    recordings = [by_recording[name] for name in (first, *others)]
    return [parts[(seed + turn) % len(parts)] for turn in range(2) for parts in recordings]


def _frame_size(scene: Sequence) -> Values:
    return np.array(_sides(scene.video, scene.images), np.float64)


@cache
def _sides(video: Path, images: tuple[Path, ...]) -> tuple[int, int]:
    stream = frames(images[0] if images else video)
    first = next(stream)
    stream.close()
    return first.width, first.height
