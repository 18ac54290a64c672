"""A twin beside the target: another picture of it, or of a similar object, that goes along and stays when it leaves."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.boxes import centers
from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.data.absences.camera import Values, eased, jitter, windows_of
from stm_tracker_ros.data.absences.footage import Footage, Pictures, played
from stm_tracker_ros.data.absences.look_away import PICTURE_SHARE, world_steps
from stm_tracker_ros.data.absences.made import AbsenceSequence
from stm_tracker_ros.data.absences.plan import Conditions
from stm_tracker_ros.data.absences.stage import INSIDE_PX, draw_stretch, timeline
from stm_tracker_ros.data.readers import open_source
from stm_tracker_ros.data.sequence import Sequence

GAP_SIZES, LEAST_GAP_PX = (0.35, 1.0), 8.0
"""Between the boxes of target and twin: the border of the picture passes through it while the target is away."""
TWIN_SCALE, LAG_FRAMES = (0.93, 1.07), (6, 30)
SHAKE, PAN_FRAMES = 0.0005, (8, 20)
SEAM_SIZES = 0.12
"""Width of the feathered edge of a cut-out without a mask, beyond and within its box, in sizes of the target."""


_PERSONS = (
    "DAVIS2016-train/rollerblade",
    "DAVIS2017-train/schoolgirls_1",
    "DAVIS2017-train/schoolgirls_5",
    "DAVIS2016-val/dance-twirl",
    "DAVIS2016-val/parkour",
)
_VEHICLES = ("DAVIS2016-val/car-shadow", "DAVIS2016-val/drift-straight", "DAVIS2016-train/bus")
SIMILAR = {
    "OTB2015/Bolt": _PERSONS,
    "OTB2015/Crossing": _PERSONS,
    "OTB2015/Human7": _PERSONS,
    "OTB2015/Skiing": _PERSONS,
    "TLD/pedestrian2": _PERSONS,
    "TLD/pedestrian3": _PERSONS,
    "UAV123_10fps/bike1": _PERSONS,
    "UAV123_10fps/group2_2": _PERSONS,
    "UAV123_10fps/person12_1": _PERSONS,
    "UAV123_10fps/wakeboard4": _PERSONS,
    "UAV123_10fps/car10": _VEHICLES,
    "UAV123_10fps/car16_1": _VEHICLES,
    "UAV123_10fps/car16_2": _VEHICLES,
    "UAVDT/S0310": _VEHICLES,
    "UAVDT/S1001": _VEHICLES,
    "VOT/vot14_car": _VEHICLES,
}
"""By the sequence that it is put into: the masked ones whose objects are of its target's sort."""


@dataclass(frozen=True, kw_only=True)
class Twin:
    """Pastes a twin into the pictures of a recording.

    boxes: moments x 4, where. sources: of every moment, the frame that the twin is cut from, of `scene`.
    donor: a masked sequence of another object, from whose middle frame it is cut instead; None for a copy.
    """

    scene: Sequence
    order: NDArray[np.int64]
    boxes: Values
    sources: NDArray[np.int64]
    donor: Sequence | None = None

    def __call__(self, moment: int, kept: Pictures) -> Pixels:
        """The picture of that moment with the twin in it."""
        picture = kept[int(self.order[moment])]
        x, y, width, height = self.boxes[moment]
        seam = SEAM_SIZES * float(np.sqrt(width * height))
        cut, alpha, inner = self._cut_out(int(self.sources[moment]), kept, seam)
        # Pixel centres of the picture -> pixel centres of the cut-out.
        scale_x, scale_y = inner[2] / width, inner[3] / height
        to_cut = np.array(
            [
                [scale_x, 0.0, inner[0] + (0.5 - x) * scale_x - 0.5],
                [0.0, scale_y, inner[1] + (0.5 - y) * scale_y - 0.5],
            ]
        )
        size, flags = (picture.shape[1], picture.shape[0]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cover = cv2.warpAffine(alpha, to_cut, size, flags=flags)[..., None]
        color = cv2.warpAffine(cut, to_cut, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        mixed = picture * (1 - cover) + color * cover
        return np.asarray(np.clip(np.rint(mixed), 0, 255), np.uint8)

    def _cut_out(self, source: int, kept: Pictures, seam: float) -> tuple[Pixels, NDArray[np.float32], Values]:
        """Picture, alpha in [0, 1], and the box in it that becomes the twin's box."""
        if self.donor is not None:
            middle = middle_of(self.donor)
            return _picture_of(self.donor, middle), _softened(self.donor.mask(middle)), self.donor.boxes[middle]
        picture, box = kept[source], self.scene.boxes[source]
        if self.scene.mask_paths:
            return picture, _softened(self.scene.mask(source)), box
        return picture, _feathered(picture.shape, box, seam), box


def middle_of(donor: Sequence) -> int:
    """The frame that a similar object is cut from."""
    return len(donor.boxes) // 2


@lru_cache(maxsize=4)
def _picture_at(video: Path, index: int) -> Pixels:
    with closing(iter(open_source(video, start=index))) as stream:
        return next(stream).bgr()


def _picture_of(donor: Sequence, index: int) -> Pixels:
    return _picture_at(donor.video, index)


def _softened(mask: Pixels) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 1.0), np.float32)


def _feathered(shape: tuple[int, ...], box: Values, seam: float) -> NDArray[np.float32]:
    """1 in the middle of the box, falling to 0 within `seam` about its rounded edge."""
    rows, columns = np.indices(shape[:2], np.float32) + 0.5
    half_width, half_height = box[2] / 2, box[3] / 2
    across = np.abs(columns - (box[0] + half_width)) / (half_width + seam)
    down = np.abs(rows - (box[1] + half_height)) / (half_height + seam)
    # A superellipse: its distance from the middle is 1 on an edge with rounded corners.
    reach = (across**4 + down**4) ** 0.25
    begins = min(half_width / (half_width + seam), half_height / (half_height + seam)) ** 2
    return np.asarray(np.clip((1 - reach) / (1 - begins), 0, 1), np.float32)


def draw_twin(
    scene: Sequence,
    frame_size: Values,
    conditions: Conditions,
    rng: np.random.Generator,
    donors: Rows[Sequence],
) -> AbsenceSequence | None:
    """One draw; None where it cannot be. donors: masked sequences of objects of the target's sort, if there are any."""
    picture = np.round(rng.uniform(*PICTURE_SHARE) * frame_size)
    stretch = draw_stretch(scene, frame_size, picture, rng)
    if stretch is None or not (conditions.copied or donors):
        return None
    pans = [int(rng.integers(*PAN_FRAMES)) for _ in range(2)]
    times = timeline(conditions, pans[0] * conditions.pans_away, pans[1] * conditions.pans_back)
    start = int(rng.integers(stretch[0], stretch[1] + 1))
    steps = world_steps(conditions, times)
    order = played(*stretch, start, steps)
    sources = played(*stretch, start + int(rng.integers(*LAG_FRAMES)), steps)
    boxes = scene.boxes[order]
    axis, heading, gap = int(rng.integers(2)), int(rng.choice([-1, 1])), _gap(boxes, rng)
    donor = None if conditions.copied else donors[int(rng.integers(len(donors)))]
    twins = _twin_boxes(boxes, axis, heading, gap, donor, rng)
    if not _is_inside(twins, frame_size):
        return None
    looks_away = np.zeros(times.count)
    looks_away[times.leaves : times.away] = eased(times.away - times.leaves)
    looks_away[times.away : times.comes] = 1
    looks_away[times.comes : times.settled] = 1 - eased(times.settled - times.comes)
    both = (np.minimum(boxes[:, :2], twins[:, :2]) + np.maximum(_far(boxes), _far(twins))) / 2
    beside = _beside(boxes, twins, axis, heading, picture)
    shake = jitter(rng, times.count, SHAKE) * picture[0]
    edit = Twin(scene=scene, order=order, boxes=twins, sources=sources, donor=donor)
    return AbsenceSequence(
        conditions=conditions,
        footage=Footage(scene=scene, order=order, edit=edit, reads=_reads(order, sources)),
        windows=windows_of(both + looks_away[:, None] * (beside - both) + shake, picture, frame_size),
        picture_size=(int(picture[0]), int(picture[1])),
        here=np.ones(times.count, bool),
        leaves=times.leaves,
        settled=times.settled,
    )


def _reads(order: NDArray[np.int64], sources: NDArray[np.int64]) -> tuple[int, int]:
    """First and last of the frames that are shown or that a twin is cut from, which may be ahead of all of those."""
    both = np.concatenate([order, sources])
    return int(both.min()), int(both.max())


def _gap(boxes: Values, rng: np.random.Generator) -> float:
    size = float(np.sqrt(boxes[:, 2:].prod(1).max()))
    return max(size * rng.uniform(*GAP_SIZES), LEAST_GAP_PX)


def _far(boxes: Values) -> Values:
    return np.asarray(boxes[:, :2] + boxes[:, 2:])


def _twin_boxes(
    boxes: Values,
    axis: int,
    heading: int,
    gap: float,
    donor: Sequence | None,
    rng: np.random.Generator,
) -> Values:
    """Beside the target, as large as it is, or with its height and the shape of another object."""
    sizes = boxes[:, 2:] * rng.uniform(*TWIN_SCALE)
    if donor is not None:
        width, height = donor.boxes[middle_of(donor), 2:]
        sizes = np.sqrt(sizes.prod(1, keepdims=True)) * np.array([width, height]) / np.sqrt(width * height)
    middles = centers(boxes)
    middles[:, axis] += heading * (boxes[:, 2 + axis] / 2 + gap + sizes[:, axis] / 2)
    return np.concatenate([middles - sizes / 2, sizes], axis=1)


def _is_inside(boxes: Values, frame_size: Values) -> bool:
    return bool((boxes[:, :2] >= INSIDE_PX).all() and (_far(boxes) <= frame_size - INSIDE_PX).all())


def _beside(boxes: Values, twins: Values, axis: int, heading: int, picture: Values) -> Values:
    """Centres of windows whose border passes between the two, with the twin in sight."""
    near_twin = twins[:, axis] if heading > 0 else _far(twins)[:, axis]
    near_target = _far(boxes)[:, axis] if heading > 0 else boxes[:, axis]
    middles = (np.minimum(boxes[:, :2], twins[:, :2]) + np.maximum(_far(boxes), _far(twins))) / 2
    border = near_target + 0.7 * (near_twin - near_target)
    middles[:, axis] = border + heading * picture[axis] / 2
    return middles
