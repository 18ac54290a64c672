"""The video that the demo plays: the packaged sample with its true boxes, or the user's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box

SAMPLE_FOLDER = Path(__file__).parent.parent / "sample"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A video, the box to start from in its frame 0, and what is known of the truth.

    true_boxes: frame -> box, in pixels; frame 0 alone where nothing else is known.
    partly_hidden: first and last frame of every time in which something stands before the target.
    first_absent: first frame without the target; None where that is not known.
    """

    video: Path
    true_boxes: Mapping[int, Box] = field(default_factory=dict)
    partly_hidden: Sequence[tuple[int, int]] = ()
    first_absent: int | None = None

    @property
    def has_truth(self) -> bool:
        """Whether more than the first box is known."""
        return len(self.true_boxes) > 1

    @property
    def hidden_frames(self) -> tuple[int, ...]:
        """Those with a true box in which something stands before the target: nobody's box is sure there."""
        return tuple(frame for frame in self.true_boxes if any(a <= frame <= b for a, b in self.partly_hidden))

    @property
    def scored_frames(self) -> tuple[int, ...]:
        """Those whose true box the answers are held against: the target in view, and its box not the one given."""
        return tuple(frame for frame in self.true_boxes if frame != 0 and frame not in self.hidden_frames)

    @property
    def first_box(self) -> Box:
        """The box to name the target with."""
        return self.true_boxes[0]


def packaged(folder: Path = SAMPLE_FOLDER) -> Sample:
    """The sample that comes with the package. Raises DataError where its files are missing or damaged."""
    description = folder / "sample.json"
    try:
        facts = json.loads(description.read_text(encoding="utf-8"))
        boxes = {int(frame): Box(*box) for frame, box in facts["boxes"].items()}
        hidden = [(int(first), int(last)) for first, last in facts["partly_hidden"]]
        absent, video = int(facts["first_absent"]), folder / facts["video"]
        return Sample(video=video, true_boxes=boxes, partly_hidden=hidden, first_absent=absent)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{description} cannot be read as the packaged sample: {error!r}") from None


def own(video: Path, box: Box) -> Sample:
    """The user's video with the box in its first frame. Raises DataError if the video does not exist."""
    if not video.exists():
        raise DataError(f"{video} does not exist; allowed is a video file or a folder of images")
    return Sample(video=video, true_boxes={0: box})
