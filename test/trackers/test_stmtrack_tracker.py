"""STMTrack's tracker around an oracle instead of a network: geometry, memory by stamps, settings."""

from __future__ import annotations

from dataclasses import fields

import cv2
import numpy as np
import pytest
import torch
from moving_camera import MARGIN, scenery
from moving_camera import seen as filmed
from torch import Tensor

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.types import Box, Frame, Pixels, Target
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.trackers.stmtrack.config import LITE, PAPER
from stm_tracker_ros.trackers.stmtrack.tracker import StmTracker

pytestmark = pytest.mark.torch

PERIOD_NS = 1e9 / 30
START = Box(300, 200, 40, 30)
AT_ONCE = {"prior.size_rate": 1.0, "prior.penalty": 0.0}
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


def following(stepper: Oracle, changes: dict[str, object], box: Box) -> StmTracker:
    tracker = StmTracker(stepper, with_changes(PAPER, changes))  # type: ignore[arg-type]
    tracker.init(Frame(image=drawn(box), stamp_ns=0), Target(box=box))
    return tracker


def at(number: float, box: Box = START) -> Frame:
    """The frame `number` nominal periods after the first, which is 1."""
    return Frame(image=drawn(box), stamp_ns=round((number - 1) * PERIOD_NS))


def run(tracker: StmTracker, numbers: list[float]) -> None:
    for number in numbers:
        tracker.track(at(number))
        tracker.memorize()


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


def test_a_size_is_taken_over_by_the_rate_times_the_score() -> None:
    stepper, box = Oracle(), START
    tracker = following(stepper, AT_ONCE | {"prior.size_rate": 0.5}, box)
    stepper.score = 0.6
    grown = Box(290, 192.5, 60, 45)
    result = tracker.track(at(2, grown))
    assert result.score == pytest.approx(0.6)
    assert result.box.width == pytest.approx(40 + 0.3 * 20, abs=0.1)
    assert result.box.center == pytest.approx(grown.center, abs=0.1)


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
    assert sorted(set(tracker.state.bank.numbers) - {0}) == [1, 4, 9, 12]  # type: ignore[union-attr]


def test_answers_say_where_was_looked_and_what_was_seen() -> None:
    stepper = Oracle()
    tracker = following(stepper, AT_ONCE, START)
    result = tracker.track(at(2, START._replace(x=START.x + 8)))
    assert result.found
    assert result.expected == START
    assert result.region == pytest.approx((320 - 2 * 1200**0.5, 215 - 2 * 1200**0.5, 4 * 1200**0.5, 4 * 1200**0.5))
    assert [found.box for found in result.candidates] == [pytest.approx(result.box)]
    assert result.candidates[0].score == 1.0


def test_what_else_looks_like_the_target_is_named() -> None:
    class Two(Oracle):
        def ask(self, patch: Tensor, bank: MemoryBank, slots: list[int], first_weight: float = 1.0) -> np.ndarray:
            answer = super().ask(patch, bank, slots, first_weight)
            answer[:, 4], answer[:2, 4] = 0.5, (0.7, 0.6)
            answer[:2, :4] += (90, 0, 90, 0)
            return answer

    result = following(Two(), AT_ONCE | {"prior.window": 0.9}, START).track(at(2))
    assert [found.score for found in result.candidates] == [0.7, 0.5]
    scale = 4 * 1200**0.5 / Oracle.crop_size
    assert [found.box.x for found in result.candidates] == pytest.approx([START.x + 90 * scale, START.x], abs=0.1)
    assert result.box.x == pytest.approx(START.x, abs=0.1)


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


def test_no_side_gets_smaller_than_two_pixels() -> None:
    stepper = Oracle()
    tracker = following(stepper, AT_ONCE, Box(300, 200, 4, 4))
    result = tracker.track(at(2, Box(302, 201, 1, 1)))
    assert (result.box.width, result.box.height) == (2, 2)
    assert result.box.center == pytest.approx((302.5, 201.5), abs=0.1)


def test_a_hidden_target_is_waited_for_where_it_was_going_and_nothing_is_remembered_of_it() -> None:
    stepper, x = Oracle(), START.x
    tracker = following(stepper, AT_ONCE | {"memory.store_score": 0.5} | JUDGING, START)
    for number in range(2, 22):
        x += 2
        tracker.track(at(number, START._replace(x=x)))
        tracker.memorize()
    known, stepper.score = len(stepper.remembered), 0.05
    for number in range(22, 62):  # what the network sees, and does not believe in, stays behind
        result = tracker.track(at(number, START._replace(x=x)))
        tracker.memorize()
        assert (result.found, result.candidates) == (False, ())
    assert x + 8 < result.box.x < x + 20
    assert len(stepper.remembered) == known
    stepper.score = 1.0
    assert tracker.track(at(62, START._replace(x=x))).box.x == pytest.approx(x, abs=0.5)


def test_how_a_candidate_is_judged_can_be_changed_while_tracking() -> None:
    stepper = Oracle()
    tracker = following(stepper, AT_ONCE, START)
    run(tracker, [float(number) for number in range(2, 30)])
    tracker.reconfigure(with_changes(tracker.config, {"presence.jump_share": 1.5}))
    beside = START._replace(x=START.x + 45)
    assert tracker.track(at(30, beside)).box.x == pytest.approx(START.x, abs=0.1)
    tracker.reconfigure(with_changes(tracker.config, {"presence.jump_share": 0.0}))
    assert tracker.track(at(31, beside)).box.x == pytest.approx(beside.x, abs=0.5)


def test_of_the_candidates_only_those_that_may_be_the_target_are_ranked() -> None:
    class Crowded(Oracle):
        def ask(self, patch: Tensor, bank: MemoryBank, slots: list[int], first_weight: float = 1.0) -> np.ndarray:
            answer = super().ask(patch, bank, slots, first_weight)
            if self.crowded:
                answer[:, 4], answer[4, 4] = 0.45, 0.5
                answer[4, :4] += (90, 0, 90, 0)  # in the middle of the window, with the best score, too far off
            return answer

        crowded = False

    stepper = Crowded()
    tracker = following(stepper, AT_ONCE | JUDGING, START)
    run(tracker, [float(number) for number in range(2, 22)])
    stepper.crowded = True
    assert tracker.track(at(22)).box.x == pytest.approx(START.x, abs=0.5)
    assert tracker.state is not None
    assert tracker.state.presence.unseen == 0


class Picky(Oracle):
    """Sees what is white, if anything is."""

    def ask(self, patch: Tensor, bank: MemoryBank, slots: list[int], first_weight: float = 1.0) -> np.ndarray:
        white = patch * (patch > 200)
        self.score = 1.0 if (white > 0).sum() > 200 else 0.0
        return super().ask(white if self.score else torch.ones_like(patch), bank, slots, first_weight)


class Filmed:
    """A tracker that follows a white box which stands still in a made world, past which a camera moves."""

    start = Box(60, 200, 40, 30)

    def __init__(self, changes: dict[str, object]) -> None:
        self.world, self.number = scenery(480, 640) // 2, 0
        x, y = int(self.start.x) + MARGIN, int(self.start.y) + MARGIN
        self.world[y : y + 30, x : x + 40] = 255
        self.tracker = StmTracker(Picky(), with_changes(PAPER, AT_ONCE | JUDGING | changes))  # type: ignore[arg-type]
        self.answer = self.tracker.init(self._frame(0, 0), Target(box=self.start))

    def show(self, x: float, y: float = 0.0) -> float:
        """The camera is at x, y: how far the answer is off the box, in pixels."""
        self.answer = self.tracker.track(self._frame(x, y))
        self.tracker.memorize()
        return float(np.hypot(*np.subtract(self.answer.box.center, self.start.center) + (x, y)))

    def _frame(self, x: float, y: float) -> Frame:
        self.number += 1
        return filmed(self.world, x, y, round((self.number - 1) * PERIOD_NS))


@pytest.mark.parametrize("camera_motion", [True, False])
def test_the_search_region_moves_with_the_picture(camera_motion: bool) -> None:
    """The camera jerks by more than half of the region's side."""
    scene = Filmed({"camera_motion": camera_motion})
    assert max(scene.show(0.0) for _ in range(40)) < 2
    assert (scene.show(-120.0, -60.0) < 5) == camera_motion


def test_a_target_that_the_camera_leaves_behind_is_waited_for_outside_the_image() -> None:
    scene = Filmed({"camera_motion": True, "presence.search_growth": 1.0})
    assert max(scene.show(0.0) for _ in range(40)) < 2
    for x in (150.0, *[200.0] * 30):
        scene.show(x)
    assert scene.answer.expected is not None
    assert scene.answer.expected.center == pytest.approx((80 - 200, 215), abs=5)
    assert not scene.answer.found
    state = scene.tracker.state
    assert state is not None
    assert state.presence.place.center == pytest.approx((80 - 200, 215), abs=5)
    assert state.box.center == pytest.approx((0, 215), abs=5)
    assert scene.show(150.0) > 50  # the answer lies in the image, the target does not
    assert scene.show(0.0) < 5


def test_the_search_region_grows_while_the_target_is_not_found() -> None:
    stepper = Oracle()
    tracker = following(stepper, AT_ONCE | JUDGING | {"presence.search_growth": 1.5}, START)
    run(tracker, [float(number) for number in range(2, 40)])
    assert tracker.state is not None
    usual, stepper.score = tracker.state.look.crop.scale, 0.0
    scales = []
    for number in range(40, 120):
        run(tracker, [float(number)])
        scales.append(tracker.state.look.crop.scale / usual)
    assert scales[: LITE.presence.coast_frames] == pytest.approx([1.0] * LITE.presence.coast_frames, abs=0.02)
    assert scales[-1] == pytest.approx(1.5, abs=0.02)
    assert np.diff(scales).min() > -1e-9
    stepper.score = 1.0
    run(tracker, [120.0, 121.0])
    assert tracker.state.look.crop.scale == pytest.approx(usual, rel=0.02)
