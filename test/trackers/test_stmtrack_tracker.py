"""STMTrack around an oracle instead of a network: geometry, memory by stamps, what is remembered and read."""

from __future__ import annotations

from dataclasses import fields

import cv2
import numpy as np
import pytest
import torch
from scripted_matcher import Watched
from torch import Tensor

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.types import Box, Frame, Pixels, Target
from stm_tracker_ros.following.follower import Follower
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.trackers.stmtrack.config import LITE, PAPER
from stm_tracker_ros.trackers.stmtrack.tracker import StmMatcher

pytestmark = pytest.mark.torch

PERIOD_NS = 1e9 / 30
START = Box(300, 200, 40, 30)
AT_ONCE = {"size.rate": 1.0, "prior.penalty": 0.0}
JUDGING = {f"presence.{field.name}": getattr(LITE.presence, field.name) for field in fields(LITE.presence)}


class Oracle:
    """Sees the white box in the crop by its brightness; answers with it from every cell, at a score of its own."""

    crop_size, cells, device = 289, 3, torch.device("cpu")

    def __init__(self, fresh_memory_crop: bool = True) -> None:
        self.fresh_memory_crop = fresh_memory_crop
        self.score = 1.0
        self.asked: list[list[int]] = []
        self.first_weight = 0.0  # told last
        self.remembered: list[tuple[Box, Box]] = []  # box told, box seen

    def bank(self, capacity: int) -> MemoryBank:
        return MemoryBank(capacity, [(1,)], self.device, torch.float32)

    def upload(self, patch: Pixels) -> Tensor:
        return torch.from_numpy(patch.copy())

    encode = upload

    def remember(self, patch: Tensor, box: Box) -> tuple[Tensor]:
        self.remembered.append((box, seen(patch.numpy())))
        return (torch.zeros(1),)

    def ask(self, patch: Tensor, bank: MemoryBank, slots: list[int], first_weight: float = 1.0) -> np.ndarray:
        self.asked.append([int(bank.numbers[slot]) for slot in slots])
        self.first_weight = first_weight
        box = seen(patch.numpy())
        row = (box.x, box.y, box.x + box.width, box.y + box.height, self.score)
        return np.tile(row, (self.cells * self.cells, 1))


def seen(patch: Pixels) -> Box:
    """Box of the same first and second moments as the brightness, in edges."""
    brightness = patch[..., 0] / 255.0
    across, down = brightness.sum(0), brightness.sum(1)
    positions = np.arange(len(across)) + 0.5
    x, y = (positions @ across) / across.sum(), (positions @ down) / down.sum()
    width, height = brightness.sum() / across.max(), brightness.sum() / down.max()
    return Box(x - width / 2, y - height / 2, width, height)


def drawn(box: Box) -> Pixels:
    """A white box on black in 640 x 480, its edges anywhere (drawn sixteen times finer, then averaged)."""
    fine = np.zeros((480 * 4, 640 * 4, 3), np.uint8)
    x, y, width, height = (round(4 * value) for value in box)
    fine[y : y + height, x : x + width] = 255
    return np.asarray(cv2.resize(fine, (640, 480), interpolation=cv2.INTER_AREA), np.uint8)


def following(stepper: Oracle, changes: dict[str, object], box: Box) -> Follower:
    config = with_changes(PAPER, changes)
    tracker = Follower(StmMatcher(stepper, config), config)  # type: ignore[arg-type]
    tracker.init(Frame(image=drawn(box), stamp_ns=0), Target(box=box))
    return tracker


def at(number: float, box: Box = START) -> Frame:
    """The frame `number` nominal periods after the first, which is 1."""
    return Frame(image=drawn(box), stamp_ns=round((number - 1) * PERIOD_NS))


def run(tracker: Follower, numbers: list[float]) -> None:
    for number in numbers:
        tracker.track(at(number))
        tracker.memorize()


def kept(tracker: Follower) -> list[int]:
    """Numbers of the frames that are in memory."""
    assert isinstance(tracker.matcher, StmMatcher)
    return sorted(set(tracker.matcher.memory.bank.numbers.tolist()) - {0})


@pytest.mark.parametrize("fresh", [True, False])
def test_answers_have_no_bias(fresh: bool) -> None:
    """Boxes that move and grow by fractions of a pixel come back to a tenth of one."""
    stepper, box = Oracle(fresh), START
    tracker = following(stepper, AT_ONCE, box)
    errors = []
    for number in range(2, 20):
        box = Box(box.x + 2.75, box.y - 1.5, box.width + 0.5, box.height + 0.25)
        errors.append(np.array(tracker.track(at(number, box)).box) - box)
        tracker.memorize()
    assert np.abs(errors).max() < 0.3
    assert np.abs(np.mean(errors, 0)).max() < 0.1


@pytest.mark.parametrize("fresh", [True, False])
def test_the_memory_is_told_where_the_target_is_in_its_crop(fresh: bool) -> None:
    stepper, box = Oracle(fresh), START
    tracker = following(stepper, AT_ONCE, box)
    for number in range(2, 6):
        box = Box(box.x + 8, box.y - 5, box.width, box.height)
        tracker.track(at(number, box))
        tracker.memorize()
    for told, truly in stepper.remembered:
        np.testing.assert_allclose(told, truly, atol=1.0)
        off_middle = np.abs(np.array(told.center) - 144.5).max()
        assert (off_middle < 1e-6) == (fresh or told is stepper.remembered[0][0])


def test_memory_frames_follow_the_rule() -> None:
    stepper = Oracle()
    tracker = following(stepper, {}, START)
    run(tracker, [float(number) for number in range(2, 18)])
    assert stepper.asked[0] == [1]
    assert sorted(stepper.asked[4]) == [1, 2, 3, 4, 5]
    assert sorted(stepper.asked[7]) == [1, 2, 4, 6, 8]
    assert sorted(stepper.asked[15]) == [1, 3, 7, 11, 15, 16]
    assert all(asked[0] == 1 for asked in stepper.asked)


def test_equation_5_can_be_chosen() -> None:
    stepper = Oracle()
    tracker = following(stepper, {"memory.rule": "equation_5"}, START)
    run(tracker, [float(number) for number in range(2, 18)])
    assert sorted(stepper.asked[15]) == [1, 6, 10, 14, 16]


def test_dropped_frames_do_not_stretch_the_memory() -> None:
    """With two of three frames dropped, and nanoseconds of jitter, the times that are read stay the same."""
    rng = np.random.default_rng(0)
    whole, thin = Oracle(), Oracle()
    run(following(whole, {}, START), [float(number) for number in range(2, 62)])
    kept = range(4, 62, 3)
    run(following(thin, {}, START), [number + rng.normal(0, 1e-6) for number in kept])
    for asked, number in zip(thin.asked, kept, strict=True):
        wanted = whole.asked[number - 2]
        if number > 16:  # segments hold several frames
            off = np.abs(np.sort(wanted)[:-1, None] - asked).min(1)
            assert off.max() <= 1  # half of three frames
        assert max(asked) == number - 3


@pytest.mark.parametrize(
    ("policy", "expected"), [("first", [1]), ("first_previous", [1, 9]), ("full", [1, 2, 4, 6, 8, 9])]
)
def test_what_is_read_can_be_less(policy: str, expected: list[int]) -> None:
    stepper = Oracle()
    tracker = following(stepper, {"memory.policy": policy}, START)
    run(tracker, [float(number) for number in range(2, 11)])
    assert sorted(stepper.asked[-1]) == expected


def test_how_much_the_first_frame_counts_can_be_changed_while_tracking() -> None:
    stepper = Oracle()
    tracker = following(stepper, {}, START)
    run(tracker, [2.0, 3.0])
    assert stepper.first_weight == 1.0
    tracker.reconfigure(with_changes(tracker.config, {"memory.first_weight": 0.3}))
    run(tracker, [4.0])
    assert stepper.first_weight == 0.3


def test_a_previous_frame_of_low_score_is_left_out() -> None:
    stepper = Oracle()
    tracker = following(stepper, {}, START)
    run(tracker, [float(number) for number in range(2, 11)])
    stepper.score = 0.3
    run(tracker, [11.0, 12.0])
    assert 10 in stepper.asked[-2]
    assert 11 not in stepper.asked[-1]


def test_frames_under_the_store_score_are_not_remembered() -> None:
    stepper = Oracle()
    tracker = following(stepper, {"memory.store_score": 0.5}, START)
    run(tracker, [2.0])
    stepper.score = 0.4
    run(tracker, [3.0, 4.0])
    assert len(stepper.remembered) == 2


def test_frames_are_remembered_an_interval_apart() -> None:
    stepper = Oracle()
    tracker = following(stepper, {"memory.interval": 3}, START)
    run(tracker, [2.0, 3.0, 4.0, 5.0, 9.0, 10.0, 12.0])
    assert kept(tracker) == [1, 4, 9, 12]


def test_what_the_first_frame_does_not_know_is_not_remembered() -> None:
    class Doubting(Oracle):
        def ask(self, patch: Tensor, bank: MemoryBank, slots: list[int], first_weight: float = 1.0) -> np.ndarray:
            answer = super().ask(patch, bank, slots, first_weight)
            answer[:, 4] = self.of_first if len(slots) == 1 and len(self.asked) > 1 else 0.9
            return answer

        of_first = 0.2

    stepper = Doubting()
    tracker = following(stepper, {"memory.agreement_score": 0.3}, START)
    run(tracker, [2.0, 3.0])
    assert len(stepper.remembered) == 1
    stepper.of_first = 0.4
    run(tracker, [4.0])
    assert len(stepper.remembered) == 2


class SeesTwo(Oracle):
    """A second box right of the white one; the first frame alone gives each cell a score of its own."""

    of_first = (0.0,) * 9
    is_answered = False

    def encode(self, patch: Pixels) -> Tensor:
        self.is_answered = False
        return self.upload(patch)

    def ask(self, patch: Tensor, bank: MemoryBank, slots: list[int], first_weight: float = 1.0) -> np.ndarray:
        answer = super().ask(patch, bank, slots, first_weight)
        answer[:, 4], answer[4, 4], answer[5, 4] = 0.1, 0.9, 0.8
        answer[5, :4] += (60, 0, 60, 0)
        if self.is_answered:
            assert slots == [bank.first]
            answer[:, 4] = self.of_first
        self.is_answered = True
        return answer


@pytest.mark.parametrize(("knows", "remembers"), [(4, True), (5, False), (0, False)])
def test_the_first_frame_is_asked_about_the_cell_that_was_chosen(knows: int, remembers: bool) -> None:
    """Not about the one that it knows best, or that was the first."""
    stepper = SeesTwo()
    stepper.of_first = tuple(0.9 if cell == knows else 0.0 for cell in range(9))
    tracker = following(stepper, {"memory.agreement_score": 0.3, "memory.interval": 2}, START)
    run(tracker, [2.0, 3.0])
    assert kept(tracker) == ([1, 3] if remembers else [1])


def test_after_a_refusal_it_is_asked_an_interval_later_again() -> None:
    stepper = SeesTwo()
    tracker = following(stepper, {"memory.agreement_score": 0.3, "memory.interval": 3}, START)
    run(tracker, [2.0, 3.0, 4.0])
    stepper.of_first = (0.9,) * 9
    run(tracker, [5.0, 6.0, 7.0, 8.0])
    assert kept(tracker) == [1, 7]


def test_scores_by_the_first_frame_alone_are_asked_of_it_alone() -> None:
    stepper = SeesTwo()
    stepper.of_first = tuple(cell / 10 for cell in range(9))
    tracker = following(stepper, {}, START)
    watched = Watched(tracker.matcher)
    tracker.matcher = watched
    run(tracker, [2.0, 3.0])
    scores = tracker.matcher.anchor_scores(watched.looks[-1], watched.answers[-1])
    assert scores.tolist() == list(stepper.of_first)
    assert stepper.asked[-1] == [1]


@pytest.mark.parametrize("fresh", [True, False])
def test_what_was_missed_is_never_remembered(fresh: bool) -> None:
    """Though every score is good enough, every frame is due, and nobody else is asked."""
    stepper = Oracle(fresh)
    eager = {"memory.store_score": 0.0, "memory.interval": 1, "memory.agreement_score": 0.0}
    tracker = following(stepper, AT_ONCE | JUDGING | eager, START)
    run(tracker, [float(number) for number in range(2, 22)])
    known, stepper.score = kept(tracker), 0.05
    assert known[-1] == 21
    for number in range(22, 30):
        assert not tracker.track(at(number)).found
        tracker.memorize()
    assert kept(tracker) == known


def test_a_new_target_finds_an_empty_memory() -> None:
    tracker = following(Oracle(), {}, START)
    run(tracker, [float(number) for number in range(2, 9)])
    tracker.init(at(1), Target(box=START))
    assert kept(tracker) == [1]
