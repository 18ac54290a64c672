"""A tracker that follows nothing: it answers what it was told to."""

from __future__ import annotations

from typing import Any

from stm_tracker_ros.core.errors import NotInitialisedError
from stm_tracker_ros.core.types import Box, Frame, Result, Target


class ScriptedTracker:
    """Answers box and score of the frame's stamp; `answers` are by frame number at 30 Hz, the last one stays."""

    def __init__(self, answers: list[tuple[Box, float]]) -> None:
        self.answers = answers
        self.seen: list[Frame] = []
        self.memorized: list[int] = []
        self.configs: list[Any] = []
        self.confirmed: list[Box] = []

    def init(self, frame: Frame, target: Target) -> Result:
        self.seen, self.memorized = [frame], []
        assert target.box is not None
        return Result(box=Box(*(value + 0.25 for value in target.box)), score=1.0)

    def track(self, frame: Frame) -> Result:
        if not self.seen:
            raise NotInitialisedError("init first")
        self.seen.append(frame)
        box, score = self.answers[min(round(frame.stamp_ns * 30 / 1e9), len(self.answers) - 1)]
        return Result(box=box, score=score)

    def memorize(self) -> None:
        self.memorized.append(self.seen[-1].stamp_ns)

    def confirm(self, box: Box) -> None:
        self.confirmed.append(box)

    def reconfigure(self, config: Any) -> None:
        self.configs.append(config)
