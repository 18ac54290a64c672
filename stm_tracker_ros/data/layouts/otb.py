"""OTB (Wu et al., PAMI 2015) as downloaded: <Sequence>/img/0001.jpg and <Sequence>/groundtruth_rect.txt.

Boxes count pixels from 1, as the benchmark's MATLAB code does, and become ours, which count from 0. (Evaluation scripts
of the Siamese trackers subtract the same 1, 1; got10k and pytracking take the numbers as they are: a pixel apart.)
Jogging, Skating2 and Human4 have a numbered file of boxes for each target: Jogging-1, Jogging-2. Tiger1 is taken whole;
the benchmark leaves its first five frames out.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.annotated import Sequence
from stm_tracker_ros.data.layouts.folders import Load, frozen, warn_of_count
from stm_tracker_ros.data.layouts.images import image_folder, images_of_boxes
from stm_tracker_ros.data.truth import read_boxes

SOURCE = "OTB2015"
LOOKED_FOR = "<Sequence>/groundtruth_rect.txt beside img/ (OTB)"
TRUTH = re.compile(r"groundtruth_rect(?:\.(\d+))?\.txt")

FIRST_IMAGES = {"BlurCar1": 247, "BlurCar3": 3, "BlurCar4": 18, "David": 300}
"""The image of the first box where it is not number 1, by the benchmark's list of sequences; the number of boxes tells
where to end."""
LAST_IMAGES = {"David": "0770", "Diving": "0215", "Football1": "0074", "Freeman3": "0460", "Freeman4": "0283"}
"""The image of the last box where others follow, by the same list: there nothing is missing."""


def find(root: Path) -> dict[str, Load]:
    """As folders.find."""
    found: dict[str, Load] = {}
    for path in sorted(root.glob("*/groundtruth_rect*.txt")):
        match = TRUTH.fullmatch(path.name)
        # Human4's first file of boxes is empty.
        if match and path.stat().st_size:
            name = f"{SOURCE}/{path.parent.name}" + (f"-{match[1]}" if match[1] else "")
            found[name] = partial(_read, name, path)
    return found


def _read(name: str, truth: Path) -> Sequence:
    folder, boxes = truth.parent, read_boxes(truth, first_pixel=1)
    place = image_folder(folder)
    if place is None:
        raise DataError(f"{folder} has no images; they belong into its folder img")
    images = images_of_boxes(place, len(boxes), FIRST_IMAGES.get(folder.name, 1))
    sequence = Sequence(name=name, path=folder, boxes=frozen(boxes), images=images)
    warn_of_count(sequence, may_go_on=images[-1].stem == LAST_IMAGES.get(folder.name))
    return sequence
