"""The files of a training, checked before the first one is written: none is the user's, none lies among the data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.output_folder import PART_SUFFIX, OutputFolder

CONFIG, LOG, CURVE, LAST, NEXT = "config.json", "log.jsonl", "curve.png", "last.pt", "next.pt"
LOOP_FILES = (CONFIG, LOG, LOG + PART_SUFFIX, LAST, NEXT)
PACK_FOLDER, PACK_INDEX, PACK_BLOBS = "pack", "index.npz", "blobs.bin"
READ_OF_DATA = ("clips", "train_video")
READ_OF_SETTINGS = ("start_from", "start_encoder", "backbone_weights")


def weights_name(tracker: str) -> str:
    """The file of the trained weights."""
    return f"{tracker}.safetensors"


def check(out: Path, data: Path, tracker: str, changes: Mapping[str, str]) -> None:
    """Check the folder `out` of a training on `data`; changes: settings of the recipe, of which some name files.

    Raises DataError where something of the user's, or what the training reads, would be overwritten or mixed up.
    """
    for folder in (data / name for name in READ_OF_DATA):
        if out.resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{out} lies in {folder}, among the data; give a folder outside of it")
    read = [data, *(Path(changes[name]) for name in READ_OF_SETTINGS if changes.get(name))]
    OutputFolder(out).check((*LOOP_FILES, CURVE, weights_name(tracker)), inputs=read)
    if not has_pack(out / PACK_FOLDER):
        OutputFolder(out).below(PACK_FOLDER).check((PACK_INDEX, PACK_BLOBS))


def has_pack(folder: Path) -> bool:
    """Whether a whole pack is there: of an earlier run, or of the user, who may have laid it (or a link) there."""
    return (folder / PACK_INDEX).exists() and not OutputFolder(folder).is_unfinished(PACK_INDEX)
