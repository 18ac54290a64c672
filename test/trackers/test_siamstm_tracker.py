"""SiamSTM as a matcher, around scripted steps: ARM in its place, what is kept, where the mask lies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from made_weights import small_network

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.matching import Candidates, Crop, Look
from stm_tracker_ros.core.types import Box, Frame, Pixels, Target
from stm_tracker_ros.following.config import FOLLOW_BEST, STILL
from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.parts.own_error import SHOWN, OwnErrorConfig, corrected
from stm_tracker_ros.trackers.siamstm.build import tracker
from stm_tracker_ros.trackers.siamstm.config import LITE, PAPER, TrackConfig
from stm_tracker_ros.trackers.siamstm.label import gaussian_labels
from stm_tracker_ros.trackers.siamstm.steps import Matched, Outlined
from stm_tracker_ros.trackers.siamstm.tracker import SiamStmMatcher

pytestmark = pytest.mark.torch

CELLS = 13
IMAGE = np.zeros((400, 500, 3), np.uint8)
TARGET = Box(200.0, 180.0, 50.0, 50.0)  # its centre lies in the middle of its crop


class Steps:
    """Answers with the heatmap that it is told."""

    crop_size, cells, first, stride = 192, CELLS, 0.0, 16

    def __init__(self) -> None:
        self.heatmap = bump(6, 6, 0.9)
        self.asked: list[tuple[int, Box]] = []
        self.matched, self.side = 0, 50.0

    def template(self, patch: Pixels, box: Box) -> str:
        return "kept"

    def match(self, template: str, patch: Pixels) -> Matched:
        assert template == "kept"
        self.matched += 1
        rows, columns = np.mgrid[:CELLS, :CELLS] * 16.0
        side, half = np.full_like(rows, self.side), self.side / 2
        boxes = np.stack([columns - half, rows - half, side, side], -1).reshape(-1, 4)
        return Matched(np.concatenate([boxes, self.heatmap.reshape(-1, 1)], 1), "seen")

    def outline(self, look: str, cell: int, box: Box) -> Outlined:
        assert look == "seen"
        self.asked.append((cell, box))
        row, column = divmod(cell, CELLS)
        logit = np.full((32, 32), -9, np.float32)
        logit[12:20, 8:24] = 9
        return Outlined(logit, column * 16.0 - 64, row * 16.0 - 64)


def bump(row: int, column: int, height: float, sides: tuple[float, float] = (3.125, 3.125)) -> np.ndarray:
    label = gaussian_labels(torch.tensor([[column, row]]), torch.tensor([sides], dtype=torch.float64), CELLS)
    return label[0].numpy() * height


def look(number: int = 1, factor: float = 1.0) -> Look:
    crop = Crop(left=225 - 96 * 0.5 * factor, top=205 - 96 * 0.5 * factor, scale=0.5 * factor)
    some: dict[str, Any] = {"fill": (0.0, 0.0, 0.0), "expected": TARGET, "search_factor": factor}
    patch = np.zeros((192, 192, 3), np.uint8)
    return Look(frame=Frame(image=IMAGE, stamp_ns=0), number=number, crop=crop, patch=patch, **some)


@pytest.mark.parametrize("config", [LITE, PAPER])
def test_compat_brings_the_papers_rules_whatever_is_set(config: TrackConfig) -> None:
    assert config.rules is config
    changed = with_changes(config, {"prior.window": 0.1, "size.rate": 0.9, "arm.peaks": 5})
    rules = replace(changed, compat="paper").rules
    assert rules.search == replace(STILL, scale=config.search.scale)
    assert (rules.prior.window, rules.prior.penalty) == (0.42, 0.05)
    assert (rules.size.rate, rules.size.filtered) == (0.38, False)
    assert rules.presence == FOLLOW_BEST
    assert rules.own_error == OwnErrorConfig()
    assert rules.arm.peaks == 5
    assert rules.rules is rules


def test_the_matcher_follows_the_papers_rules_too() -> None:
    made = [
        tracker(small_network("siamstm"), InferenceRuntime(), replace(PAPER, compat=compat))
        for compat in ("none", "paper")
    ]
    assert [one.matcher.config.own_error.is_wanted for one in made] == [True, False]


def started(**changes: Any) -> tuple[SiamStmMatcher, Steps]:
    steps = Steps()
    matcher = SiamStmMatcher(steps, with_changes(LITE, {f"arm.{name}": value for name, value in changes.items()}))
    matcher.start(look(), Target(box=TARGET))
    return matcher, steps


def seen(matcher: SiamStmMatcher, steps: Steps, heatmap: np.ndarray, factor: float = 1.0) -> Candidates:
    steps.heatmap = heatmap
    return matcher.match([look(2, factor)])[0]


def crowded() -> np.ndarray:
    """The target of a broad peak in the middle, and a higher, narrow distractor two cells off the border."""
    return np.maximum(bump(6, 5, 0.6), bump(6, 10, 0.7, (1.0, 5.0)))


def best(found: Candidates) -> tuple[int, int]:
    return divmod(int(found.scores.argmax()), CELLS)


def test_the_distractor_wins_only_without_it() -> None:
    matcher, steps = started(peaks=1)
    assert best(seen(matcher, steps, crowded())) == (6, 10)
    matcher, steps = started()
    found = seen(matcher, steps, crowded())
    assert best(found) == (6, 5)
    assert found.scores.max() == pytest.approx(0.6)  # the target's own score stays
    assert found.scores[6 * CELLS + 10] < 0.5
    assert matcher.anchor_scores(look(2), found).reshape(CELLS, CELLS)[6, 10] == pytest.approx(0.7)


def test_a_look_of_another_size_is_not_compared() -> None:
    matcher, steps = started()
    assert best(seen(matcher, steps, crowded(), factor=1.5)) == (6, 10)


@pytest.mark.parametrize(
    ("keeps", "moved", "height"), [("first", (6, 5), 0.9), ("last", (6, 5), 0.6)], ids=["first", "last"]
)
def test_what_is_kept_of_a_frame_in_which_another_peak_was_taken(
    keeps: str, moved: tuple[int, int], height: float
) -> None:
    matcher, steps = started(keeps=keeps)
    found = seen(matcher, steps, crowded())
    matcher.settle(look(2), found, 6 * CELLS + 5, 1.0)
    assert matcher.memory is not None
    past = matcher.memory.past
    assert past.peak == moved
    assert float(past.heatmap[past.peak]) == pytest.approx(height)
    assert divmod(int(past.label.argmax()), CELLS) == moved
    assert float(past.heatmap[6, 10]) == pytest.approx(0.0 if keeps == "first" else 0.7, abs=0.01)


def test_what_is_kept_of_an_ordinary_frame_and_of_one_without_the_target() -> None:
    for keeps, after in (("first", (6, 6)), ("last", (5, 7))):
        matcher, steps = started(keeps=keeps)
        found = seen(matcher, steps, bump(5, 7, 0.8))
        assert matcher.memory is not None
        before = matcher.memory.past
        matcher.settle(look(2), found, None, 0.1)
        assert matcher.memory.past is before
        matcher.settle(look(2), found, 5 * CELLS + 7, 0.8)
        assert matcher.memory.past.peak == after


def test_the_first_label_is_of_the_named_box() -> None:
    matcher, _ = started()
    assert matcher.memory is not None
    past = matcher.memory.past
    # the box is 100 crop pixels wide, 6.25 cells, about the middle of the crop, the point of cell 6
    assert past.peak == (6, 6)
    assert np.allclose(past.label, bump(6, 6, 1.0, (6.25, 6.25)))


def test_the_first_label_is_in_the_cell_whose_point_is_nearest() -> None:
    matcher, _ = started()
    # centre at 96 + 12 and 96 - 12 crop pixels: 6.75 and 5.25 cells
    box = Box(TARGET.x + 6, TARGET.y - 6, TARGET.width, TARGET.height)
    matcher.start(replace(look(), expected=box), Target(box=box))
    assert matcher.memory is not None
    assert matcher.memory.past.peak == (5, 7)


def test_a_mask_lies_about_the_cell_that_it_was_asked_for() -> None:
    matcher, steps = started()
    found = seen(matcher, steps, bump(6, 7, 0.8))
    assert found.outline is not None
    segment = found.outline(6 * CELLS + 7)
    assert steps.asked[-1] == (6 * CELLS + 7, Box(112 - 25, 96 - 25, 50, 50))
    # of the window's 128 crop pixels 48 to 80 down and 32 to 96 across; it begins at 48, 32, and the crop at 177, 157
    rows, columns = np.flatnonzero(segment.pixels.any(1)), np.flatnonzero(segment.pixels.any(0))
    left, top = 177 + 0.5 * (48 + 32), 157 + 0.5 * (32 + 48)
    assert (columns[0], columns[-1] + 1) == (left, left + 32)
    assert (rows[0], rows[-1] + 1) == (top, top + 16)
    assert segment.rotated == pytest.approx((left + 16, top + 8, 32, 16, 0), abs=0.6)


@pytest.mark.parametrize("config", [LITE, PAPER])
def test_the_first_frame_is_looked_at_again_only_where_that_is_of_use(config: TrackConfig) -> None:
    steps = Steps()
    SiamStmMatcher(steps, config).start(look(), Target(box=TARGET))
    assert steps.matched == 1 + (len(SHOWN) if config is PAPER else 0)


def test_what_it_was_off_by_in_the_first_frame_is_taken_from_its_answers_but_not_from_its_masks() -> None:
    steps = Steps()
    matcher = SiamStmMatcher(steps, PAPER)
    steps.side = 80.0  # crop pixels; the target has 100
    matcher.start(look(), Target(box=TARGET))
    assert matcher.memory is not None
    error, chosen = matcher.memory.error, 6 * CELLS + 6
    assert error[:2] == pytest.approx([np.log(0.8)] * 2, abs=0.05)
    (found,) = matcher.match([look(2)])
    answered = Box(96 - 40, 96 - 40, 80, 80)
    assert found.boxes[chosen] == pytest.approx(corrected(np.array([answered]), error, PAPER.own_error)[0])
    assert found.boxes[chosen][2:] == pytest.approx([80 * 0.8**-0.7] * 2, abs=3)
    assert found.outline is not None
    found.outline(chosen)
    assert steps.asked[-1] == (chosen, answered)
