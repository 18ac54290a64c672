"""What is promised of every made absence, before a frame of it is drawn: kind, seed, and the conditions of the two.

The conditions are laid out so that every five seeds (0 to 4, 5 to 9, ...) hold the same ones of each sort: the first
five are a fair small version of the twenty.
"""

from __future__ import annotations

from collections.abc import Sequence as Rows
from dataclasses import dataclass
from enum import Enum

import numpy as np

from stm_tracker_ros.core.errors import DataError

ABSENCE_SEEDS = tuple(range(20))
"""Chosen before any tuning; one sequence each for every kind."""
BLOCK = 5
SECOND = 30
"""Frames: the sequences count as 30 Hz, whatever the recordings were."""
BEFORE_FRAMES, AFTER_FRAMES = 2 * SECOND, 3 * SECOND
"""In which the target is wholly in sight, before it leaves and after it has come back."""
LONGEST_ZOOM, LEAST_ZOOM = 1.5, 1.15


class Kind(str, Enum):
    """How the target goes and comes; the value is the name on disk and on the command line."""

    PAN_BACK = "pan_back"
    CUT_BACK = "cut_back"
    CUT_ELSEWHERE = "cut_elsewhere"
    BORDER = "border"
    PAINTED_OUT = "painted_out"
    TWIN_STAYS = "twin_stays"
    NEVER_RETURNS = "never_returns"


class Place(str, Enum):
    """Where in the picture the target is when it is back, seen from where it was when it went."""

    SAME = "same"
    NEAR = "near"
    FAR = "far"
    BORDER = "border"
    NOWHERE = "nowhere"


class World(str, Enum):
    """What the world does while the target is away."""

    FROZEN = "frozen"
    GOES_ON = "goes on"


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What is promised of one made absence.

    away_frames: in which the camera looks away, or the target is painted out; those of a pan come on top.
    pans_away: whether the camera moves visibly when it leaves, else it jumps in one frame; pans_back likewise.
    zoom: of the picture after the return against before it; 1 = the same.
    painted: the target is painted out, no camera moves. copied: the twin is a copy of the target, else another object.
    """

    kind: Kind
    seed: int
    away_frames: int
    world: World
    place: Place
    zoom: float = 1.0
    pans_away: bool = True
    pans_back: bool = True
    painted: bool = False
    copied: bool = True


# Seconds away of five seeds. The last of the fifteen to twenty of some kinds is away for longer: LONG_SECONDS.
_SECONDS = {kind: (1, 3, 1, 3, 10) for kind in Kind} | {Kind.NEVER_RETURNS: (3, 10, 3, 10, 10)}
LONG_SECONDS, LONG_BLOCK = 30, 2
_LONG_KINDS = (Kind.PAN_BACK, Kind.CUT_ELSEWHERE, Kind.NEVER_RETURNS)
_PLACES = {
    Kind.PAN_BACK: (Place.SAME, Place.NEAR, Place.NEAR, Place.FAR, Place.FAR),
    Kind.CUT_BACK: (Place.SAME, Place.SAME, Place.SAME, Place.NEAR, Place.NEAR),
    Kind.CUT_ELSEWHERE: (Place.FAR,) * BLOCK,
    Kind.BORDER: (Place.BORDER,) * BLOCK,
    Kind.PAINTED_OUT: (Place.SAME, Place.SAME, Place.SAME, Place.FAR, Place.FAR),
    Kind.TWIN_STAYS: (Place.SAME,) * BLOCK,
    Kind.NEVER_RETURNS: (Place.NOWHERE,) * BLOCK,
}
_ZOOMED = (Kind.PAN_BACK, Kind.CUT_BACK, Kind.CUT_ELSEWHERE)
_PAINTED = {Kind.PAINTED_OUT: (True,) * BLOCK, Kind.NEVER_RETURNS: (True, True, False, False, False)}
_COPIED = (True, True, True, False, False)


def name_of(kind: Kind, seed: int) -> str:
    """The name of a made absence, "absence/<kind>/<seed>", in the manner of the sequences on disk."""
    return f"absence/{kind.value}/{seed:03d}"


def kinds_of(names: Rows[str]) -> tuple[Kind, ...]:
    """The kinds of these names. Raises DataError for one that is unknown."""
    known = {kind.value: kind for kind in Kind}
    for name in names:
        if name not in known:
            raise DataError(f"kind {name!r} is unknown; allowed are {', '.join(known)}")
    return tuple(known[name] for name in names)


def conditions_of(kind: Kind, seed: int) -> Conditions:
    """The conditions of a made absence. Raises DataError for a seed below 0."""
    if seed < 0:
        raise DataError(f"seed {seed} is not allowed; allowed are whole numbers from 0 on")
    block, row = divmod(seed, BLOCK)
    rng = np.random.default_rng([2027, list(Kind).index(kind), block])
    seconds = _SECONDS[kind][row]
    place = _PLACES[kind][rng.permutation(BLOCK)[row]]
    zoom = _zooms(rng)[row] if kind in _ZOOMED else 1.0
    world = [*World, *World, list(World)[block % 2]][rng.permutation(BLOCK)[row]]
    pans_away = bool(rng.permutation([True, False] * 2 + [block % 2 == 0])[row])
    copied = _COPIED[rng.permutation(BLOCK)[row]]
    painted = _PAINTED.get(kind, (False,) * BLOCK)[rng.permutation(BLOCK)[row]]
    if kind in _LONG_KINDS and row == BLOCK - 1 and block % 4 == LONG_BLOCK:
        seconds = LONG_SECONDS
    # Only what goes on moves the target to another place of a standing picture.
    elsewhere = painted and place is Place.FAR
    return Conditions(
        kind=kind,
        seed=seed,
        away_frames=seconds * SECOND,
        world=World.GOES_ON if elsewhere else world,
        place=place,
        zoom=zoom,
        pans_away=(pans_away or kind in (Kind.PAN_BACK, Kind.BORDER)) and not painted,
        pans_back=kind in (Kind.PAN_BACK, Kind.BORDER) or (kind is Kind.TWIN_STAYS and pans_away),
        painted=painted,
        copied=copied,
    )


def _zooms(rng: np.random.Generator) -> list[float]:
    """Of five seeds: three that leave the size, one larger, one smaller."""
    larger, smaller = rng.uniform(LEAST_ZOOM, LONGEST_ZOOM, 2)
    return [float(zoom) for zoom in rng.permutation([1.0, 1.0, 1.0, larger, 1 / smaller])]
