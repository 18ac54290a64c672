"""What is known of a tracker: by engine, evaluation and node, and by the following stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from stm_tracker_ros.core.matching import Candidates, Evidence, Floats, Look
from stm_tracker_ros.core.types import Box, Frame, Result, Target


class Tracker(Protocol):
    """Follows one target. Not thread-safe: whoever owns it calls it from one thread."""

    def init(self, frame: Frame, target: Target) -> Result:
        """Start anew on this frame, forgetting everything before. Raises TargetError, FrameError."""

    def track(self, frame: Frame) -> Result:
        """Find the target in the next frame. Raises NotInitialisedError, FrameError."""

    def memorize(self) -> None:
        """Learn from the frame just answered, after the answer is out; does nothing if there is none to learn."""

    def confirm(self, box: Box) -> None:
        """The target is at `box` of the frame just answered, in its pixels: somebody who knows says so.

        It is followed from there on; what is known of its looks stays. Raises NotInitialisedError before `init`.
        """

    def reconfigure(self, config: Any) -> None:
        """Use the live settings of `config`, one of this tracker's configurations, from the next frame on.

        The target is kept. Settings that are not live are read when the tracker is made, and are left as they are.
        """


class Matcher(Protocol):
    """What one paper says of it: what looks like the target here? `following.Follower` makes a Tracker of it.

    In each frame: `match`, perhaps `anchor_scores`, `settle`, and after the answer is out `remember`, if the target was
    found.
    """

    @property
    def crop_size(self) -> int:
        """Side of the crops that it wants, in pixels."""

    def start(self, look: Look, target: Target) -> Candidates:
        """Start anew: the first memory, of a target at `look.expected`. Of a tracker with masks, the first one."""

    def match(self, looks: Sequence[Look]) -> list[Candidates]:
        """The candidates of each look of one frame; changes nothing that is remembered."""

    def settle(self, look: Look, candidates: Candidates, chosen: int | None, rank: float) -> None:
        """The frame is answered: by the candidate of that number, or the target is not in it (None).

        rank: of the best candidate, window and penalty included.
        """

    def anchor_scores(self, look: Look, candidates: Candidates) -> Floats:
        """Scores N of the candidates by the first frame's memory alone."""

    def remember(self, look: Look, candidates: Candidates, chosen: int, box: Box, evidence: Evidence) -> None:
        """Learn from the frame just settled, if it is time for one and the answer is good enough.

        box: the target's as it is followed, in image pixels.
        """

    def reconfigure(self, config: Any) -> None:
        """As `Tracker.reconfigure`."""
