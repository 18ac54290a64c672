"""The annotated sequences of a folder, by name, whatever layout they come in (layouts/)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stm_tracker_ros.core.config import unknown_name
from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.annotated import VIDEO_NAME, Init, Sequence, recording_of
from stm_tracker_ros.data.layouts import davis, folders, got10k, otb, uav123
from stm_tracker_ros.data.layouts.folders import TRUTH_NAME
from stm_tracker_ros.data.truth import read_boxes

__all__ = (
    "TRUTH_NAME",
    "VALIDATION",
    "VIDEO_NAME",
    "Init",
    "Sequence",
    "read_boxes",
    "read_development",
    "read_sequences",
    "read_validation",
    "recording_of",
)

LAYOUTS = (davis, uav123, otb, got10k, folders)
"""What may lie in a folder, the most particular first: sequences of GOT-10k look like ours."""
MOST_WRAPPINGS = 2

VALIDATION = (
    "TinyTLP/CarChase2",
    "TinyTLP/Drone1",
    "TLD/pedestrian2",
    "TLD/pedestrian3",
    "VOT-TIR/horse",
    "DAVIS2016-train/bus",
    "DAVIS2016-train/dog-agility",
    "DAVIS2016-train/flamingo",
    "DAVIS2016-train/rollerblade",
    "DAVIS2016-train/scooter-gray",
    "DAVIS2016-train/tennis",
    "DAVIS2017-train/schoolgirls_1",
    "DAVIS2017-train/schoolgirls_2",
    "DAVIS2017-train/schoolgirls_3",
    "DAVIS2017-train/schoolgirls_4",
    "DAVIS2017-train/schoolgirls_5",
    "DAVIS2017-train/schoolgirls_6",
    "DAVIS2017-train/schoolgirls_7",
)
"""Of `train_video`, never trained on: with those of `eval` the development set, where every choice is made."""


def read_sequences(
    root: Path | str, names: Iterable[str] | None = None, failed: dict[str, str] | None = None
) -> list[Sequence]:
    """The sequences under `root`, sorted by name; with `names`, those only ("source/sequence", "sequence", "source").

    failed: where to note those that cannot be read, name: why, as long as one can be; None: the first one is raised.
    Raises DataError if there are none, if a name is unknown, or if an annotation cannot be read.
    """
    return _read(_found(Path(root)), names, failed)


def read_development(
    root: Path | str, names: Iterable[str] | None = None, failed: dict[str, str] | None = None
) -> list[Sequence]:
    """The development set, sorted by name: all of `root`/eval, and the `VALIDATION` sequences of `root`/train_video.

    failed: as of `read_sequences`. Raises DataError as that does, and if one of the validation sequences is missing.
    """
    held_out = _found(Path(root) / "train_video")
    chosen = {name: held_out[name] for name in _select(tuple(sorted(held_out)), VALIDATION)}
    return _read({**_found(Path(root) / "eval"), **chosen}, names, failed)


def read_validation(root: Path | str) -> list[Sequence]:
    """Those of the `VALIDATION` sequences that lie in `root`/train_video, sorted by name; none is no error.

    Raises DataError if an annotation cannot be read.
    """
    found = _find(Path(root) / "train_video", MOST_WRAPPINGS)
    return [found[name]() for name in sorted(found) if name in VALIDATION]


def _read(found: dict[str, folders.Load], names: Iterable[str] | None, failed: dict[str, str] | None) -> list[Sequence]:
    sequences, errors = list[Sequence](), dict[str, DataError]()
    for name in sorted(found) if names is None else _select(tuple(sorted(found)), names):
        try:
            sequences.append(found[name]())
        except DataError as error:
            if failed is None:
                raise
            errors[name] = error
    if errors and not sequences:
        raise next(iter(errors.values()))
    if failed is not None:
        failed.update({name: str(error) for name, error in errors.items()})
    return sequences


def _found(root: Path) -> dict[str, folders.Load]:
    """What `_find` finds. Raises DataError if that is nothing."""
    found = _find(root, MOST_WRAPPINGS)
    if not found:
        what = "; ".join(layout.LOOKED_FOR for layout in LAYOUTS) if root.is_dir() else "it is no folder"
        raise DataError(f"{root} holds no sequences; looked for: {what}")
    return found


def _find(root: Path, deeper: int) -> dict[str, folders.Load]:
    """What the first layout finds that finds anything; archives often wrap it all in a folder of their own."""
    finds = (layout.find(root) for layout in LAYOUTS)
    found: dict[str, folders.Load] = next((one for one in finds if one), {})
    inside = [folder for folder in root.glob("[!._]*") if folder.is_dir()]
    return _find(inside[0], deeper - 1) if not found and deeper and len(inside) == 1 else found


def _select(known: tuple[str, ...], names: Iterable[str]) -> list[str]:
    chosen: set[str] = set()
    for wanted in names:
        found = [name for name in known if wanted in (name, *name.split("/"))]
        if not found:
            choice = known if "/" in wanted else tuple(name.split("/")[1] for name in known)
            raise DataError(unknown_name("sequence", wanted, choice))
        chosen.update(found)
    return sorted(chosen)
