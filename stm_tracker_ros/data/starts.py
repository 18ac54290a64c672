"""Runs that start at anchors spread over a sequence, the later ones backward, so that no single flip decides.

The idea is VOT2020's (Kristan et al., The Eighth Visual Object Tracking VOT2020 Challenge Results, ECCV Workshops
2020): from its anchor a run goes the longer way, to the sequence's end or to its beginning. There anchors are 50 frames
apart and runs are not cut; here their number is given, so that a long sequence costs no more than another.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.metrics import scored_frames
from stm_tracker_ros.core.types import Frame, Pixels
from stm_tracker_ros.data.annotated import Sequence
from stm_tracker_ros.data.readers import NOMINAL_FPS, open_source, stamp_of

MOST_FRAMES = 300
"""Where a run ends, if its sequence does not end before."""
LEAST_SCORED = 2
CHUNK_BYTES = 512 * 1024 * 1024
"""Of decoded pictures held at once, of a video that is played backward."""


@dataclass(frozen=True, kw_only=True)
class Run(Sequence):
    """A stretch of a sequence in the order of play; itself a sequence, with stamps from 0.

    name: "source/sequence/start_<anchor>". boxes, images, mask_paths: in the order of play.
    order: the sequence's frames in that order; the first one is the anchor.
    """

    order: range

    @property
    def anchor(self) -> int:
        """The frame of the sequence, from 0, that starts the tracker."""
        return self.order[0]

    @property
    def backward(self) -> bool:
        """Whether it goes to the sequence's beginning."""
        return self.order.step < 0

    def frames(self, fps: float = NOMINAL_FPS, count: int | None = None) -> Generator[Frame, None, None]:
        """As Sequence's, in the order of play. A video that is played backward is decoded in chunks of bounded size."""
        if self.images:
            return super().frames(fps, count)
        return (_backward if self.backward else _forward)(self, fps, self.order[:count])


def runs_of(sequence: Sequence, starts: int, max_frames: int | None = None) -> list[Run]:
    """The runs from `starts` anchors of a sequence of n frames, in the order of their anchors.

    Anchor k of N is round(k * (n - 1) / (N - 1)) (of one: 0), moved to the nearest frame with a true box that has an
    area, of two the earlier; anchors that fall together count once. A run goes forward from an anchor up to
    (n - 1) / 2, else backward, for at most `MOST_FRAMES`, or `max_frames` if that is less. Runs in which fewer than
    `LEAST_SCORED` frames count (core/metrics.py) are left out.
    """
    most = MOST_FRAMES if max_frames is None else min(MOST_FRAMES, max_frames)
    runs = [_run(sequence, anchor, most) for anchor in anchors(sequence.boxes, starts)]
    return [run for run in runs if scored_frames(run.boxes).sum() >= LEAST_SCORED]


def anchors(boxes: NDArray[np.float64], starts: int) -> list[int]:
    """The frames that `starts` runs begin at, as in `runs_of`; empty if the target is in none of the boxes."""
    shown = np.flatnonzero(np.isfinite(boxes).all(1) & (boxes[:, 2:] > 0).all(1))
    wanted = [round(k * (len(boxes) - 1) / max(starts - 1, 1)) for k in range(starts)]
    return sorted({int(shown[np.abs(shown - index).argmin()]) for index in wanted}) if shown.size else []


def _run(sequence: Sequence, anchor: int, most: int) -> Run:
    count = len(sequence.boxes)
    order = range(anchor, count) if anchor <= (count - 1) / 2 else range(anchor, -1, -1)
    order = order[:most]
    boxes = sequence.boxes[order]
    boxes.setflags(write=False)
    return Run(
        name=f"{sequence.name}/start_{anchor:06d}",
        path=sequence.path,
        boxes=boxes,
        images=tuple(sequence.images[index] for index in order if index < len(sequence.images)),
        mask_paths=tuple(sequence.mask_paths[index] for index in order) if sequence.mask_paths else (),
        mask_label=sequence.mask_label,
        order=order,
    )


def _forward(run: Run, fps: float, order: range) -> Generator[Frame, None, None]:
    with closing(iter(open_source(run.video, fps, start=run.anchor))) as stream:
        for index, frame in enumerate(islice(stream, len(order))):
            yield Frame(image=frame.image, stamp_ns=stamp_of(index, fps))


def _backward(run: Run, fps: float, order: range) -> Generator[Frame, None, None]:
    with closing(iter(open_source(run.video, fps))) as stream:
        size = max(1, CHUNK_BYTES // next(stream).bgr().nbytes)
    for begin in range(0, len(order), size):
        chunk = order[begin : begin + size]
        pictures = _pictures(run, chunk[-1], len(chunk))
        for index in range(begin, begin + len(chunk)):
            yield Frame(image=pictures.pop(), stamp_ns=stamp_of(index, fps))


def _pictures(run: Run, first: int, count: int) -> list[Pixels]:
    with closing(iter(open_source(run.video, start=first))) as stream:
        pictures = [frame.bgr() for frame in islice(stream, count)]
    if len(pictures) != count:
        raise DataError(f"{run.video} ends before frame {first + count - 1}; allowed is a frame for every box")
    return pictures
